"""What a contract says about how its events are counted, as parameters of the statement that counts them in SQL. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from stream_processors.contracts.model import Contract, Slice, Windows
from stream_processors.sketches import DEFAULT_PRECISION, REST, slice_name
from stream_processors.sketches.categorical import names_of
from stream_processors.sketches.column_names import column_name


@dataclass(frozen=True, slots=True)
class CountingRules:
    """Counting under one shape.

    Attributes:
        shape: digest of the shape; empty for no contract.
        contracts: digests of the contracts that have it, as they stand on the rows of predictions.
        contract: any of them; None without one.
    """

    shape: str
    contracts: tuple[str, ...]
    contract: Contract | None

    @property
    def base(self) -> int:
        """Length of the base window, microseconds."""
        windows = self.contract.windows if self.contract else Windows()
        return windows.base * 1_000_000

    @property
    def lists(self) -> dict[str, tuple[str, ...]]:
        """Per categorical column that is counted by a list: the names on it."""
        features = self.contract.features if self.contract else {}
        return {
            column_name(name): names_of(one.values)
            for name, one in features.items()
            if one.kind == "categorical" and one.values is not None
        }

    def parameters(self) -> dict[str, Any]:
        """As `row_sketches.ROW_SKETCHES` binds them."""
        contract, lists = self.contract, self.lists
        features = contract.features if contract else {}
        numeric = {n: f.precision for n, f in features.items() if f.kind == "numeric"}
        sent = contract.sent_features if contract else {}
        slicings = [_Slicing(one) for one in (contract.slices if contract else ())]
        return {
            "shape": self.shape,
            "contracts": list(self.contracts),
            "base": self.base,
            "precise": list(numeric),
            "precisions": list(numeric.values()),
            "default_precision": DEFAULT_PRECISION,
            "score_precision": contract.prediction.score_precision if contract else DEFAULT_PRECISION,
            "listed": list(lists),
            "lists": [list(names) for names in lists.values()],
            "sent": [(name, column_name(name), one.kind, numeric.get(name, 0)) for name, one in sent.items()],
            "slicings": [(one.by, one.rows, one.names) for one in slicings],
        }


class _Slicing:
    """A slicing as arrays: ``names`` of the slices of ``rows``, in their order, after the rest's."""

    def __init__(self, definition: Slice) -> None:
        self.by = list(definition.by)
        rows = list(dict.fromkeys(definition.values))
        self.rows = [list(row) for row in rows]
        self.names = [
            slice_name((name, REST) for name in self.by),
            *(slice_name(zip(self.by, row, strict=True)) for row in rows),
        ]
