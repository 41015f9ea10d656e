"""What the profiler's tests share: events on a real topic, the committed sketches read back, and the truth worked out event by event."""

from __future__ import annotations

import math
import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from producers.codec import decode, encode
from producers.settings import KafkaSettings
from stream_processors.kafka import OFFSET_BEGINNING, TopicPartition, partition_counts, producer, reader
from stream_processors.sketches import (
    CategoricalSketch,
    NumericSketch,
    categorical_sketch,
    histogram_bins,
    numeric_sketch,
)

Record = dict[str, Any]


def event(number: int, **more: Any) -> Record:
    """A prediction that looks like a real one and depends on nothing but its number."""
    chance = random.Random(number)
    return {
        "prediction_id": f"p{number}",
        "model": "m",
        "model_version": "1",
        "event_time": datetime.now(UTC).replace(microsecond=0) - timedelta(seconds=chance.randrange(300)),
        "numeric_features": {
            "age": chance.gauss(40, 10),
            "income": chance.choice([None, 1e3, 2.5e4, float("nan")]),
        },
        "categorical_features": {
            "plan": chance.choice(["gold", "tin", None]),
            "city": f"c{chance.randrange(40)}",
        },
        "score": chance.random(),
        "decision": chance.choice(["yes", "no"]),
        "latency_ms": chance.random() * 20,
        "status": "error" if number % 50 == 0 else "ok",
        **more,
    }


def numbered(count: int, first: int = 0) -> list[Record]:
    """Events of one fixed minute, so that how long a test takes decides nothing."""
    at = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(minutes=20)
    return [event(first + number, event_time=at) for number in range(count)]


def send(settings: KafkaSettings, messages: Iterable[Record | bytes | None]) -> None:
    """Put predictions (or raw bytes) on the topic; keys spread them over the partitions."""
    client = producer(settings)
    for number, message in enumerate(messages):
        value = encode("prediction", message) if isinstance(message, dict) else message
        client.produce(settings.topic("predictions"), value, f"k{number}".encode())
        client.poll(0)
    assert client.flush(30) == 0


@dataclass
class SketchLog:
    """The committed messages of the topic ``sketches``: deltas, and stretches per partition of the topic."""

    deltas: list[Record] = field(default_factory=list)
    stretches: dict[int, list[Record]] = field(default_factory=lambda: defaultdict(list))

    @classmethod
    def of(cls, settings: KafkaSettings) -> SketchLog:
        """Read everything there is now."""
        log = cls()
        topic = settings.topic("sketches")
        partitions = range(partition_counts(settings)[topic])
        client = reader(settings)
        client.assign([TopicPartition(topic, p, OFFSET_BEGINNING) for p in partitions])
        ended: set[int] = set()
        while len(ended) < len(partitions):
            for message in client.consume(1000, 0.2):
                if message.error() is not None:
                    ended.add(message.partition())
                    continue
                name, record = decode(message.value())
                if name == "sketch":
                    log.deltas.append(record)
                else:
                    log.stretches[message.partition()].append(record)
        client.close()
        return log

    def read_up_to(self) -> dict[int, int]:
        """Per source partition, the offset after the last stretch."""
        return {one["source_partition"]: one["next_offset"] for one in self.stretches.get(0, [])}

    def events(self) -> int:
        """Events that the stretches say were profiled."""
        return sum(one["events"] for one in self.stretches.get(0, []))

    def dead_letters(self) -> int:
        """Messages that the stretches say were left to the dead letters."""
        return sum(one["dead_letters"] for one in self.stretches.get(0, []))

    def agrees(self) -> bool:
        """Whether every partition of sketches has the same stretches: of each transaction all had come when it was read, or nothing."""
        sums = self._sums()
        return all(one == sums[0] for one in sums)

    def _sums(self) -> list[dict[tuple[int, int], int]]:
        """For each partition of sketches, the events of each stretch, by source partition and first offset."""
        return [
            {(one["source_partition"], one["first_offset"]): one["events"] for one in stretches}
            for stretches in self.stretches.values()
        ]

    def check_tiling(self) -> None:
        """Stretches of each source partition tile the log from its start, the same in every partition of sketches, and deltas add up to them."""
        assert self.agrees(), "partitions of sketches disagree"
        for stretches in self.stretches.values():
            place: dict[int, int] = defaultdict(int)
            for one in stretches:
                assert one["first_offset"] == place[one["source_partition"]], "a gap or an overlap"
                place[one["source_partition"]] = one["next_offset"]
        counted: Counter[tuple[int, int]] = Counter()
        for delta in self.deltas:
            if delta["slice"] == "":
                counted[delta["source_partition"], delta["first_offset"]] += delta["events"]
        assert +counted == +Counter(self._sums()[0])

    def whole(self, **wanted: Any) -> MergedSketch:
        """All deltas with these fields (default: the whole of everything) as one."""
        fields = {"slice": "", **wanted}
        return MergedSketch(
            [d for d in self.deltas if all(d[name] == value for name, value in fields.items())]
        )


def writers(log: SketchLog) -> set[str]:
    """Who has written stretches."""
    return {one["profiler_id"] for one in log.stretches.get(0, [])}


class MergedSketch:
    """Several deltas added up."""

    def __init__(self, deltas: Sequence[Record]) -> None:
        self.deltas = deltas
        self.events = sum(delta["events"] for delta in deltas)
        self.errors = sum(delta["errors"] for delta in deltas)
        self.warnings = sum(delta["warnings"] for delta in deltas)

    def numeric(self, column: str) -> NumericSketch:
        """One numeric column; absent is derived from the events."""
        parts = [numeric_sketch(c) for d in self.deltas for c in d["numeric"] if c["column"] == column]
        return NumericSketch.merged(parts).of_events(self.events)

    def categorical(self, column: str) -> CategoricalSketch:
        """One categorical column; absent is derived from the events."""
        parts = [
            categorical_sketch(c) for d in self.deltas for c in d["categorical"] if c["column"] == column
        ]
        return CategoricalSketch.merged(parts).of_events(self.events)

    def columns(self) -> set[str]:
        """Names of all columns."""
        return {c["column"] for d in self.deltas for kind in ("numeric", "categorical") for c in d[kind]}


def assert_numeric(sketch: NumericSketch, values: Iterable[float | None], precision: int = 5) -> None:
    """The sketch counts exactly these values, worked out one by one."""
    bins: Counter[float] = Counter()
    nulls = nans = 0
    finite = []
    for value in values:
        if value is None:
            nulls += 1
        elif math.isnan(value):
            nans += 1
        else:
            finite.append(value)
            bins[float(histogram_bins(np.array([value]), precision)[0])] += 1
    assert dict(zip(sketch.bins.tolist(), sketch.counts.tolist(), strict=True)) == dict(bins)
    assert (sketch.nulls, sketch.nans) == (nulls, nans)
    assert sketch.sum == np.float64(sum(finite)) or abs(sketch.sum - sum(finite)) <= 1e-9 * abs(sum(finite))
    assert (sketch.minimum, sketch.maximum) == (min(finite), max(finite))


def assert_categorical(sketch: CategoricalSketch, values: Iterable[str | None]) -> None:
    """The sketch counts exactly these values, worked out one by one."""
    counted = Counter(values)
    nulls = counted.pop(None, 0)
    named: Mapping[str, int] = {v: c for v, c in zip(sketch.values, sketch.counts.tolist(), strict=True) if c}
    assert (named, sketch.nulls) == (dict(counted), nulls)
