"""What profilers should have counted, worked out anew from the raw rows of the log, and compared stretch by stretch and bin for bin."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pytest
from profiled_log import Record, SketchLog

from producers.codec import decode
from producers.errors import Undecodable, UnknownSchema
from producers.settings import KafkaSettings
from stream_processors.kafka import TopicPartition, admin, latest_offsets, partition_counts, reader

_FIELDS = ("model", "model_version", "environment", "served", "sampling_rate")
Key = tuple[Any, ...]


@dataclass(frozen=True)
class Rule:
    """How a row is counted: the shape of its contract, and the precisions of features and of the score; those without a contract unless said otherwise."""

    shape: str = ""
    features: int = 5
    score: int = 5


WITHOUT_CONTRACT = Rule()


@dataclass(frozen=True)
class RawRow:
    """A message of ``predictions``: where it stands, when it was appended (microseconds), and its event (None: none)."""

    partition: int
    offset: int
    appended_at: int
    event: Record | None


def raw_rows(settings: KafkaSettings) -> list[RawRow]:
    """Everything committed on the topic, by partition and offset."""
    topic = settings.topic("predictions")
    ends = latest_offsets(admin(settings), topic, range(partition_counts(settings)[topic]))
    client = reader(settings)
    client.assign([TopicPartition(topic, partition, 0) for partition in ends])
    ended: set[int] = set()
    rows = []
    while len(ended) < len(ends):
        for message in client.consume(10_000, 0.2):
            if message.error() is not None:
                ended.add(message.partition())
                continue
            appended_at = message.timestamp()[1] * 1000
            rows.append(RawRow(message.partition(), message.offset(), appended_at, _event(message.value())))
    client.close()
    return sorted(rows, key=lambda row: (row.partition, row.offset))


def _event(value: bytes | None) -> Record | None:
    try:
        return decode(value or b"")[1]
    except (Undecodable, UnknownSchema):
        return None


def bin_of(value: float, precision: int) -> float:
    """The histogram's bin by its definition in words, the value cut to so many significant bits, without touching its bits."""
    fraction, exponent = math.frexp(value)
    return math.ldexp(math.trunc(math.ldexp(fraction, precision + 1)), exponent - precision - 1) + 0.0


@dataclass
class Counts:
    """Columns of some events, value by value."""

    events: int = 0
    errors: int = 0
    bins: dict[str, Counter[float | str | None]] = field(default_factory=lambda: defaultdict(Counter))
    sums: Counter[str] = field(default_factory=Counter)

    def add(self, event: Record, rule: Rule) -> None:
        """Take in an event."""
        self.events += 1
        self.errors += event["status"] != "ok"
        self._numbers(event["numeric_features"], rule.features)
        self._numbers({"@score": event["score"]}, rule.score)
        self._numbers({"@latency_ms": event["latency_ms"]}, WITHOUT_CONTRACT.features)
        for name, value in {**event["categorical_features"], "@decision": event["decision"]}.items():
            self.bins[name][value] += 1

    def _numbers(self, values: dict[str, float | None], precision: int) -> None:
        for name, value in values.items():
            if value is None:
                self.bins[name][None] += not name.startswith("@")
            elif not math.isfinite(value):
                self.bins[name][str(value)] += 1
            else:
                self.bins[name][bin_of(value, precision)] += 1
                self.sums[name] += value  # type: ignore[assignment]  # a Counter of doubles


def sketched(deltas: Iterable[Record]) -> Counts:
    """The same of deltas."""
    found = Counts()
    for delta in deltas:
        found.events += delta["events"]
        found.errors += delta["errors"]
        for column in delta["numeric"]:
            name, counts = column["column"], found.bins[column["column"]]
            for edge, count in zip(column["bins"], column["counts"], strict=True):
                counts[edge] += count
            more = {None: "nulls", "nan": "nans", "inf": "plus_inf", "-inf": "minus_inf"}
            counts.update({value: column[place] for value, place in more.items() if column[place]})
            found.sums[name] += column["sum"]
        for column in delta["categorical"]:
            values = zip(column["values"], column["counts"], strict=True)
            found.bins[column["column"]].update({value: count for value, count in values if count})
            if column["nulls"]:
                found.bins[column["column"]][None] += column["nulls"]
    return found


def assert_same(found: Counts, wanted: Counts) -> None:
    """Bin for bin; sums within rounding."""
    assert (found.events, found.errors) == (wanted.events, wanted.errors)
    assert {n: +c for n, c in found.bins.items() if +c} == {n: +c for n, c in wanted.bins.items() if +c}
    for name, total in wanted.sums.items():
        assert found.sums[name] == pytest.approx(total, rel=1e-9, abs=1e-9)


def window_of(event: Record, seconds: int = 60) -> datetime:
    """Start of the base window that an event lies in."""
    at: datetime = event["event_time"]
    return datetime.fromtimestamp(at.timestamp() // seconds * seconds, at.tzinfo)


def assert_recomputed(
    log: SketchLog, rows: Sequence[RawRow], rule: Callable[[RawRow], Rule] = lambda _: WITHOUT_CONTRACT
) -> None:
    """The stretches tile the log to its last message, and each delta holds exactly the raw rows of its stretch and key, no more and no fewer."""
    log.check_tiling()
    wanted: dict[Key, Counts] = defaultdict(Counts)
    for partition, own in _by_partition(rows).items():
        stretches = [one for one in log.stretches[0] if one["source_partition"] == partition]
        offsets = [row.offset for row in own]
        assert stretches[-1]["next_offset"] > offsets[-1]
        for one in stretches:
            place = slice(*(bisect_left(offsets, one[end]) for end in ("first_offset", "next_offset")))
            events = [(row.event, rule(row)) for row in own[place] if row.event is not None]
            assert (one["events"], one["dead_letters"]) == (len(events), len(own[place]) - len(events))
            for event, of in events:
                key = (partition, one["first_offset"], window_of(event), of.shape)
                wanted[(*key, *(event[name] for name in _FIELDS))].add(event, of)
    found: dict[Key, list[Record]] = defaultdict(list)
    for delta in log.deltas:
        if delta["slice"] == "":
            key = tuple(delta[n] for n in ("source_partition", "first_offset", "window_start", "shape"))
            found[(*key, *(delta[name] for name in _FIELDS))].append(delta)
    assert found.keys() == wanted.keys()
    for key, deltas in found.items():
        assert len({delta["part"] for delta in deltas}) == len(deltas), "a delta stands twice"
        assert_same(sketched(deltas), wanted[key])


def _by_partition(rows: Sequence[RawRow]) -> dict[int, list[RawRow]]:
    found: dict[int, list[RawRow]] = defaultdict(list)
    for row in rows:
        found[row.partition].append(row)
    return found
