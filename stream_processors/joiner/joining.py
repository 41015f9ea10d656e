"""The join, one look at a time: what the recorder has newly passed becomes outcomes.

A pair of a fact and a prediction is found when the later of the two is passed. New facts are matched to the predictions before (and after)
them; new predictions are looked up among the facts appended before them: so what is *pending* needs no memory and no sweep, only two positions
per partition. They are committed after the outcomes are delivered; a kill in between repeats outcomes that tables already know.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from stream_processors.clickhouse import Store
from stream_processors.contracts.follower import ContractFollower
from stream_processors.joiner.looking_up import VersionsOf, outcomes_of
from stream_processors.joiner.marks import Marks
from stream_processors.joiner.publishing import Publisher
from stream_processors.joiner.ranges import Range
from stream_processors.joiner.record import Stretch
from stream_processors.joiner.versions import Versions

# offsets of one partition taken at once; bounds memory
_LABELS, _PREDICTIONS = 50_000, 250_000

Position = tuple[str, int]


@dataclass(frozen=True, slots=True)
class _Gate:
    """Facts before offset ``until`` were appended before the predictions' offset ``needs`` was asked for: no candidate lies beyond it."""

    until: int
    needs: int


class Joining:
    """Turns recorded facts and predictions of the owned partitions into outcomes.

    Attributes:
        positions: next offset to be joined, per (``labels`` or ``predictions``, partition).
        waits: partitions of ``labels`` whose facts wait for the recorder to pass the predictions before them.
    """

    def __init__(self, store: Store, marks: Marks, contracts: ContractFollower, publisher: Publisher) -> None:
        self._store, self._marks, self._contracts, self._publisher = store, marks, contracts, publisher
        self.positions: dict[Position, int] = {}
        self._gates: dict[int, _Gate] = {}
        self._versions = Versions(store, marks.topic_ids["predictions"])

    def own(self, positions: Mapping[Position, int]) -> None:
        """Go on from these positions: the partitions that are ours now."""
        self.positions = dict(positions)
        self._gates.clear()
        # of partitions that others owned meanwhile nobody here knows what was recorded
        self._versions = Versions(self._store, self._marks.topic_ids["predictions"])

    @property
    def partitions(self) -> list[int]:
        """Numbers of the partitions owned in both topics, as they are but for a moment after a topic was seen late."""
        owned = ({p for topic, p in self.positions if topic == name} for name in ("labels", "predictions"))
        return sorted(set.intersection(*owned))

    @property
    def waits(self) -> list[int]:
        """Partitions whose facts wait for the recorder to pass predictions."""
        return sorted(self._gates)

    def look(self) -> tuple[int, bool]:
        """Join what the recorder has passed; returns how many offsets were passed, and whether more is there already.

        The positions are moved, and the caller commits them: every outcome up to there is delivered.

        Raises:
            BrokerUnavailable, StoreUnavailable: nothing is lost, the next look begins where this one did.
        """
        owned = self.partitions
        if not owned:
            return 0, False
        self._open_gates(self._marks.recorded("labels", owned))
        closed = self._marks.not_recorded("predictions", {p: gate.needs for p, gate in self._gates.items()})
        open_gates = {p: gate for p, gate in self._gates.items() if p not in closed}
        recorded = self._marks.recorded("predictions", owned)
        facts = self._ranges("labels", {p: gate.until for p, gate in open_gates.items()}, _LABELS)
        late = self._ranges("predictions", recorded, _PREDICTIONS)
        if facts or late:
            self._contracts.catch_up()
        passed = self._join(facts, late, lambda models: self._versions.of(models, recorded))
        for p, gate in open_gates.items():
            if self.positions["labels", p] >= gate.until:
                del self._gates[p]
        more = any(p in self._gates for p in open_gates) or any(
            self.positions["predictions", p] < recorded[p] for p in owned
        )
        return passed, more

    def _open_gates(self, recorded: Mapping[int, int]) -> None:
        new = [p for p, end in recorded.items() if p not in self._gates and end > self.positions["labels", p]]
        if not new:
            return
        # asked for after the facts were there: whatever was appended before them lies before these ends
        ends = self._marks.ends("predictions", new)
        self._gates |= {p: _Gate(recorded[p], ends[p]) for p in new}

    def _ranges(self, topic: str, ends: Mapping[int, int], most: int) -> dict[int, Range]:
        ranges = {}
        for partition, end in ends.items():
            first = self.positions[topic, partition]
            if end > first:
                ranges[partition] = Range(first, min(end, first + most))
        return ranges

    def _join(self, facts: dict[int, Range], late: dict[int, Range], versions: VersionsOf) -> int:
        passed = 0
        for topic, ranges in (("labels", facts), ("predictions", late)):
            if not ranges:
                continue
            stretch = Stretch(self._store, topic, self._marks.topic_ids[topic], ranges)
            found = outcomes_of(stretch, self._contracts.history, versions)
            if found is not None:
                self._publisher.send("outcomes", "outcome", found, found["prediction_id"].to_pylist())
            for partition, one in ranges.items():
                self.positions[topic, partition] = one.end
                passed += one.size
        return passed


def lags(positions: Mapping[Position, int], ends: Mapping[str, Mapping[int, int]]) -> dict[str, int]:
    """Offsets not yet joined, by ``topic-partition``."""
    return {
        f"{topic}-{partition}": max(0, ends[topic].get(partition, at) - at)
        for (topic, partition), at in positions.items()
    }


def by_name(positions: Iterable[tuple[Position, int]]) -> dict[str, int]:
    """Positions by ``topic-partition``, as a heartbeat wants them."""
    return {f"{topic}-{partition}": at for (topic, partition), at in positions}
