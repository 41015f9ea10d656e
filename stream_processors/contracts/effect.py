"""Which contract applies to an event: a pure function of what was published and the event's append time."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from dataclasses import dataclass

from stream_processors.contracts.model import Contract
from stream_processors.contracts.values import CENTURY_S

# a message may say anything: beyond, no time is left that tables can hold
LONGEST_LEAD_MS = CENTURY_S * 1_000


@dataclass(frozen=True)
class PublishedContract:
    """A contract as it stands on the topic.

    Attributes:
        contract: what was published.
        digest, shape: its digests, worked out once.
        in_effect_from: max(effective_from, append time + lead), microseconds since the epoch, UTC.
        partition, offset: where it stands; the higher offset wins a tie (one model is in one partition).
    """

    contract: Contract
    digest: str
    shape: str
    in_effect_from: int
    partition: int
    offset: int

    @classmethod
    def of(
        cls,
        contract: Contract,
        *,
        effective_from: int,
        appended_at: int,
        lead_ms: int,
        partition: int,
        offset: int,
    ) -> PublishedContract:
        """A contract read from the topic; all times in microseconds. A lead below nothing or above a century is that."""
        start = max(effective_from, appended_at + min(max(lead_ms, 0), LONGEST_LEAD_MS) * 1000)
        return cls(contract, contract.digest(), contract.shape(), start, partition, offset)


def _order(one: PublishedContract) -> tuple[int, int]:
    return one.in_effect_from, one.offset


class ContractHistory:
    """Everything published so far, asked by (model, environment, append time)."""

    def __init__(self, published: Iterable[PublishedContract] = ()) -> None:
        self._by_model: dict[str, list[PublishedContract]] = {}
        for one in published:
            self.add(one)

    def add(self, one: PublishedContract) -> None:
        """Take one more; order does not matter."""
        rows = self._by_model.setdefault(one.contract.model, [])
        # only those of the same place in order can be the same: to compare whole contracts takes long
        place = bisect_left(rows, _order(one), key=_order)
        end = bisect_right(rows, _order(one), lo=place, key=_order)
        if one not in rows[place:end]:
            rows.insert(end, one)

    def models(self) -> list[str]:
        """Names of all models that have a contract."""
        return sorted(self._by_model)

    def applying(self, model: str, environment: str, appended_at: int) -> PublishedContract | None:
        """The contract for an event appended at ``appended_at`` (microseconds): latest effect, then higher offset."""
        rows = self.published(model, environment)
        place = bisect_right(rows, appended_at, key=lambda row: row.in_effect_from)
        return rows[place - 1] if place else None

    def applying_between(
        self, model: str, environment: str, first: int, last: int
    ) -> list[PublishedContract | None]:
        """What `applying` answers for some append time from ``first`` to ``last``, in the order of effect; None for no contract."""
        starts = [start for start in self.boundaries(model, environment) if first < start <= last]
        return [self.applying(model, environment, at) for at in dict.fromkeys([first, *starts])]

    def boundaries(self, model: str, environment: str) -> list[int]:
        """The append times (microseconds) at which another contract begins to apply."""
        return [row.in_effect_from for row in self.published(model, environment)]

    def published(self, model: str, environment: str | None = None) -> list[PublishedContract]:
        """All contracts that ever applied to a model in an environment (None: in any), or will, in the order of their effect."""
        rows = self._by_model.get(model, ())
        if environment is None:
            return list(rows)
        return [row for row in rows if row.contract.environment in (None, environment)]
