"""Writes what profilers write, by hand: deltas, then a stretch per source into every partition of ``sketches``, in one transaction."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from producers.codec import encode
from producers.settings import KafkaSettings
from producers.topics import topics
from stream_processors.contracts.model import Contract, Feature, Slice, Windows
from stream_processors.kafka import (
    admin,
    create_topics,
    latest_offsets,
    partition_counts,
    transactional_producer,
)
from stream_processors.sketches import CategoricalSketch, NumericSketch, categorical_record, numeric_record
from stream_processors.topic_ids import topic_ids

DAY = timedelta(days=1)
MODEL = "delays"
FIRST_DAY = datetime(2013, 1, 1, tzinfo=UTC)

Columns = Mapping[str, Any]


@dataclass(frozen=True)
class Events:
    """Events of one slice of one window; each column a float array or a list of strings, one value an event."""

    start: datetime
    columns: Columns
    slice: str = ""
    version: str = "1"
    served: bool = True
    model: str = MODEL
    width: timedelta = DAY
    errors: int = 0
    sampling_rate: float = 1.0

    @property
    def count(self) -> int:
        """How many events."""
        return max(len(values) for values in self.columns.values())

    def record(self, contract: Contract, **more: Any) -> dict[str, Any]:
        """As sketch.v1, with a delta's or a reference's own fields."""
        numeric, categorical = [], []
        for name, values in self.columns.items():
            feature = contract.features.get(name)
            if isinstance(values, np.ndarray):
                precision = feature.precision if feature else contract.prediction.score_precision
                sketch = NumericSketch.of(values, precision).of_events(self.count)
                numeric.append(numeric_record(name, sketch))
            else:
                listed = feature.values if feature else None
                categorical.append(
                    categorical_record(name, CategoricalSketch.of(values, listed).of_events(self.count))
                )
        return {
            "kind": "delta",
            "model": self.model,
            "model_version": self.version,
            "environment": "production",
            "served": self.served,
            "sampling_rate": self.sampling_rate,
            "shape": contract.shape(),
            "slice": self.slice,
            "window_start": self.start,
            "window_end": self.start + self.width,
            "part": 0,
            "parts": 1,
            "events": self.count,
            "errors": self.errors,
            "warnings": 0,
            "min_event_time": self.start,
            "max_event_time": self.start,
            "numeric": numeric,
            "categorical": categorical,
            **more,
        }


def contract(**more: Any) -> Contract:
    """Two features, slices by origin, a day as base window."""
    fields: dict[str, Any] = {
        "model": MODEL,
        "owner": "flights@example.org",
        "features": {
            "distance": Feature(kind="numeric", precision=7),
            "carrier": Feature(kind="categorical"),
        },
        "slices": (Slice(by=("origin",), values=(("JFK",), ("LGA",))),),
        "windows": Windows(base=86400, rollups=()),
    }
    return Contract(**{**fields, **more})


def ordinary(
    rng: np.random.Generator, start: datetime, n: int = 600, *, shift: float = 0.0, **more: Any
) -> Events:
    """A day like any other; ``shift`` moves ``distance`` by so many standard deviations."""
    columns = {
        "distance": rng.normal(1000 + 300 * shift, 300, n),
        "carrier": rng.choice(["UA", "DL", "B6"], n, p=[0.5, 0.3, 0.2]).tolist(),
    }
    return Events(start, columns, **more)


def reference(of: Contract, rng: np.random.Generator, days: int = 25, n: int = 600) -> list[dict[str, Any]]:
    """Reference sketches of ``days`` ordinary days, the whole and slice ``origin=JFK``."""
    own = {
        "kind": "reference",
        "model_version": "",
        "topic_id": "",
        "source_partition": -1,
        "first_offset": 0,
        "next_offset": 0,
    }
    return [
        ordinary(rng, FIRST_DAY + day * DAY, n, slice=name, model=of.model).record(of, **own)
        for day in range(days)
        for name in ("", "origin=JFK")
    ]


@dataclass
class Flushes:
    """The profilers' output on one prefix; keeps each source's position."""

    kafka: KafkaSettings
    contract: Contract
    partitions: int = 2
    positions: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        create_topics(self.kafka, topics().values(), partitions=self.partitions)
        name = self.kafka.topic("predictions")
        self.topic_id = topic_ids(self.kafka, [name])[name]
        self.sources = partition_counts(self.kafka)[name]
        self.positions = dict.fromkeys(range(self.sources), 0)
        self._producer = transactional_producer(self.kafka, f"profiler-{uuid.uuid4().hex}")
        self._producer.init_transactions(10)

    def flush(
        self,
        events: Sequence[Events] = (),
        *,
        source: int = 0,
        time: datetime | None = None,
        reached_end: bool = True,
        abort: bool = False,
    ) -> None:
        """One flush of all sources: ``source`` read these events, the others nothing. ``time``: the greatest event time told."""
        self._producer.begin_transaction()
        taken = sum(one.count for one in events if one.slice == "")
        begin = self.positions[source]
        place = {"topic_id": self.topic_id, "source_partition": source}
        span = {"first_offset": begin, "next_offset": begin + taken}
        for one in events:
            key = json.dumps([one.model, "production"], separators=(",", ":"))
            self._produce(encode("sketch", one.record(self.contract, **place, **span)), key=key)
        for partition, position in self.positions.items():
            moved = taken if partition == source else 0
            stretch = encode(
                "stretch",
                {
                    "topic_id": self.topic_id,
                    "source_partition": partition,
                    "first_offset": position,
                    "next_offset": position + moved,
                    "events": moved,
                    "dead_letters": 0,
                    "max_event_time": time,
                    "newest_append_time": None,
                    "reached_end": reached_end,
                    "profiler_id": "profiler-0",
                },
            )
            for sketches_partition in range(self.partitions):
                self._produce(stretch, partition=sketches_partition)
            if not abort:
                self.positions[partition] = position + moved
        self._producer.flush(10)
        if abort:
            self._producer.abort_transaction(10)
        else:
            self._producer.commit_transaction(10)

    def idle(self, times: int = 1) -> None:
        """Stretches without messages, at the log's end."""
        for _ in range(times):
            self.flush()

    def ends(self) -> dict[int, int]:
        """Where each partition of sketches ends."""
        topic = self.kafka.topic("sketches")
        return latest_offsets(admin(self.kafka), topic, range(self.partitions))

    def _produce(self, value: bytes, **more: Any) -> None:
        self._producer.produce(self.kafka.topic("sketches"), value, **more)
        self._producer.poll(0)
