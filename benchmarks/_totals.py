"""What was counted, bin by bin, by the profiler or by a peer: from their sketches."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from producers.settings import KafkaSettings
from stream_processors.decoding import decode_batch
from stream_processors.kafka import OFFSET_BEGINNING, TopicPartition, end_offsets, reader

# model, version, window's start, column ("" for the events themselves), and what of it
Of = tuple[object, ...]

_FACTS = ("events", "errors")
_COUNTS = ("nulls", "absent", "nans", "plus_inf", "minus_inf")


@dataclass
class Totals:
    """Counts, which are exact; sums, which depend on the order in which doubles are added; and extremes."""

    counts: Counter[Of] = field(default_factory=Counter)
    sums: Counter[Of] = field(default_factory=Counter)
    extremes: dict[Of, Any] = field(default_factory=dict)

    @property
    def events(self) -> int:
        """How many events were counted."""
        return sum(n for of, n in self.counts.items() if of[-1] == "events")

    def add(self, values: Sequence[bytes]) -> None:
        """Count what these messages count: deltas of one sketch add up; stretches among them count nothing."""
        group = decode_batch(values).of("sketch")
        for sketch in group.batch.to_pylist() if group else ():
            of = (sketch["model"], sketch["model_version"], sketch["window_start"])
            for name in _FACTS:
                self.counts[(*of, "", name)] += sketch[name]
            self._extreme(min, (*of, "", "first"), sketch["min_event_time"])
            self._extreme(max, (*of, "", "last"), sketch["max_event_time"])
            for column in sketch["numeric"]:
                self._add_numeric((*of, column["column"]), column)
            for column in sketch["categorical"]:
                self._add_counts((*of, column["column"]), column, column["values"])

    def _add_numeric(self, of: Of, column: Mapping[str, Any]) -> None:
        self._add_counts(of, column, column["bins"])
        for name in ("sum", "sum_of_squares"):
            self.sums[(*of, name)] += column[name]
        for choose in (min, max):
            self._extreme(choose, (*of, choose.__name__), column[choose.__name__])

    def _add_counts(self, of: Of, column: Mapping[str, Any], bins: Sequence[object]) -> None:
        for one, n in zip(bins, column["counts"], strict=True):
            self.counts[(*of, "bin", one)] += n
        for name in _COUNTS:
            if column.get(name):
                self.counts[(*of, name)] += column[name]

    def _extreme(self, choose: Any, of: Of, value: object) -> None:
        if value is not None:
            self.extremes[of] = choose(self.extremes.get(of, value), value)

    def differences(self, other: Totals) -> int:
        """How many figures are not the same; sums are to a relative 1e-9."""
        exact: list[tuple[Mapping[Of, Any], Mapping[Of, Any]]] = [
            (self.counts, other.counts),
            (self.extremes, other.extremes),
        ]
        unequal = sum(
            ours.get(of) != theirs.get(of) for ours, theirs in exact for of in ours.keys() | theirs.keys()
        )
        return unequal + sum(
            not math.isclose(self.sums[of], other.sums[of], rel_tol=1e-9, abs_tol=1e-9)
            for of in self.sums.keys() | other.sums.keys()
        )


def profiler_totals(settings: KafkaSettings) -> Totals:
    """What the profiler has counted so far."""
    totals = Totals()
    totals.add(_all_values(settings))
    return totals


def _all_values(settings: KafkaSettings) -> list[bytes]:
    client, topic = reader(settings), settings.topic("sketches")
    partitions = client.list_topics(topic, timeout=10).topics[topic].partitions
    client.assign([TopicPartition(topic, p, OFFSET_BEGINNING) for p in partitions])
    values, left = [], {p for p, end in end_offsets(client, topic, partitions).items() if end}
    while left:
        for message in client.consume(1_000, 1.0):
            if message.error() is None:
                values.append(message.value())
            else:
                left.discard(message.partition())
    client.close()
    return values
