"""Better precisions for a running model, from what was recorded of it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from stream_processors.contracts.infer import precision_of
from stream_processors.contracts.model import Contract
from stream_processors.contracts.training_data import FeatureData

SCORE = "@score"


@dataclass(frozen=True)
class Proposal:
    """A precision that fits better.

    Attributes:
        column: a numeric feature, or ``@score``.
        now, proposed: precisions.
    """

    column: str
    now: int
    proposed: int


def precision_proposals(contract: Contract, data: FeatureData) -> list[Proposal]:
    """Precisions that `infer.precision_of` would choose for the data where the contract says another; buckets are left as they are."""
    numeric = data.numeric
    columns: dict[str, tuple[int, pa.Array]] = {
        name: (feature.precision, numeric[name])
        for name, feature in contract.features.items()
        if feature.kind == "numeric" and name in numeric and feature.bucket is None and not feature.hidden
    }
    columns[SCORE] = contract.prediction.score_precision, data.score
    found = []
    for name, (now, column) in columns.items():
        values = column.drop_null()
        # no value says nothing of how fine it should be
        proposed = precision_of(values.to_numpy()) if len(values) else now
        if proposed != now:
            found.append(Proposal(name, now, proposed))
    return found


def with_precisions(contract: Contract, proposals: Sequence[Proposal]) -> Contract:
    """The contract with these precisions, naming no training reference: the one it named is of another shape."""
    chosen = {one.column: one.proposed for one in proposals}
    prediction = contract.prediction
    if SCORE in chosen:
        prediction = prediction.model_copy(update={"score_precision": chosen[SCORE]})
    features = {
        name: one.model_copy(update={"precision": chosen[name]}) if name in chosen else one
        for name, one in contract.features.items()
    }
    references = {name: one for name, one in contract.references.items() if name != "training"}
    return contract.model_copy(
        update={"prediction": prediction, "features": features, "references": references}
    )
