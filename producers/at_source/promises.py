"""What of a contract matters before an event leaves its process. Pure.

The whole contract is `stream_processors.contracts.model`, which takes the rules below from here, so that both refuse alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from producers.at_source.buckets import Bucket, bucket_problem

KINDS = ("numeric", "categorical")
PROTECTIONS = ("none", "drop", "hash", "bucket")
ENTITY_PROTECTIONS = ("none", "drop", "hash")
POLICIES = ("warn", "reject")
Kind = Literal["numeric", "categorical"]
Protection = Literal["none", "drop", "hash", "bucket"]


@dataclass(frozen=True)
class FeaturePromise:
    """One feature, in the words of the contract."""

    kind: str
    required: bool = False
    values: tuple[str, ...] | None = None
    only_listed: bool = False
    minimum: float | None = None
    maximum: float | None = None
    pii: str = "none"
    bucket: Bucket | None = None


@dataclass(frozen=True)
class SourcePromises:
    """The contract of one model, as far as it is read here.

    Attributes:
        environment: None: every environment.
        on_violation: ``warn`` sends an event that breaks the contract, for the processors to mark; ``reject`` refuses it.
        sampling_rate: the share of events that is sent.
        keep_errors: failed predictions are sent whatever the rate.
        entity_id: ``none``, ``drop`` or ``hash``.
    """

    model: str
    environment: str | None = None
    features: Mapping[str, FeaturePromise] = field(default_factory=dict)
    on_violation: str = "warn"
    sampling_rate: float = 1.0
    keep_errors: bool = True
    entity_id: str = "none"

    @property
    def hashes(self) -> bool:
        """Whether anything is to be hashed, which needs a key."""
        return self.entity_id == "hash" or any(one.pii == "hash" for one in self.features.values())


def protection_problem(
    kind: str, pii: str, bucket: Bucket | None, values: tuple[str, ...] | None
) -> str | None:
    """Why a feature cannot be protected as its contract says; None where it can.

    ``kind`` is that of what is sent: a hash is a category, a bucket a number. A list of the plain values would tell what hashing hides.
    """
    if (pii == "bucket") != (bucket is not None):
        return "`pii: bucket` and `bucket`, a width or a list of edges, go together"
    if bucket is not None:
        return "only a numeric feature has buckets" if kind != "numeric" else bucket_problem(bucket)
    if pii == "hash" and kind != "categorical":
        return "a hashed feature is categorical, because a hash is: say `kind: categorical`"
    if pii == "hash" and values:
        return "a hashed feature takes no list of values: it would stand in the contract for all to read"
    return None
