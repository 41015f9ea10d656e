"""The profiling job as a stream framework's user writes it: one event after the other, in plain Python. The three peers share it.

The same sketches as the profiler's, in the same schema. What is left out errs on the peers' side: no contracts, no slices, no bound on categories,
no transaction, and so no offsets.
"""

from __future__ import annotations

import io
import math
import struct
from collections import defaultdict
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fastavro import schemaless_reader, schemaless_writer
from fastavro.schema import load_schema

Event = dict[str, Any]
# model, version, environment, served, sampling rate, start of the window in seconds
Key = tuple[str, str, str, bool, float, int]

SCHEMAS = Path(__file__).parents[2] / "schemas"
PREDICTION = load_schema(str(SCHEMAS / "prediction.v1.avsc"))
SKETCH = load_schema(str(SCHEMAS / "sketch.v1.avsc"))
SINGLE_OBJECT_HEADER = 10
# of sketch.v1 (Avro specification, "Single-object encoding")
SKETCH_HEADER = bytes.fromhex("c301fb0d8b8e2fecf805")
WINDOW_S = 60
FLUSH_S = 5.0
PRECISION = 5

_DOUBLE, _BITS = struct.Struct("<d"), struct.Struct("<q")
_KEPT = -(1 << (52 - PRECISION))


def decoded(value: bytes) -> Event:
    """The prediction in a message."""
    event: Event = schemaless_reader(io.BytesIO(value[SINGLE_OBJECT_HEADER:]), PREDICTION, None)
    return event


def truncated(x: float) -> int:
    """The bits of a double less all but the first significant ones: the key of its bin."""
    bits: int = _BITS.unpack(_DOUBLE.pack(x))[0]
    return bits & _KEPT


def bin_of(bits: int) -> float:
    """The bin of such a key, as a double; one zero of both."""
    x: float = _DOUBLE.unpack(_BITS.pack(bits))[0]
    return x + 0.0


def key_of(event: Event) -> Key:
    """Which sketch counts an event."""
    seconds = int(event["event_time"].timestamp())
    return (
        event["model"],
        event["model_version"],
        event["environment"],
        event["served"],
        event["sampling_rate"],
        seconds - seconds % WINDOW_S,
    )


class NumericColumn:
    """A histogram, sums and extremes of one column."""

    __slots__ = ("bins", "max", "min", "minus_inf", "nans", "nulls", "plus_inf", "seen", "squares", "sum")

    def __init__(self) -> None:
        self.bins: defaultdict[int, int] = defaultdict(int)
        self.seen = self.nulls = self.nans = self.plus_inf = self.minus_inf = 0
        self.sum = self.squares = 0.0
        self.min, self.max = math.inf, -math.inf

    def count(self, x: float | None) -> None:
        """Count one value."""
        self.seen += 1
        if x is None:
            self.nulls += 1
        elif math.isfinite(x):
            self.bins[truncated(x)] += 1
            self.sum += x
            self.squares += x * x
            if x < self.min:  # noqa: PLR1730 - quicker than min(), which is a call
                self.min = x
            if x > self.max:  # noqa: PLR1730
                self.max = x
        elif x > 0:
            self.plus_inf += 1
        elif x < 0:
            self.minus_inf += 1
        else:
            self.nans += 1

    def record(self, name: str, events: int) -> dict[str, Any]:
        """The column as sketch.v1 writes it, among so many events."""
        counts: defaultdict[float, int] = defaultdict(int)
        for bits, n in self.bins.items():
            counts[bin_of(bits)] += n
        bins = sorted(counts)
        return {
            "column": name,
            "precision": PRECISION,
            "bins": bins,
            "counts": [counts[one] for one in bins],
            "nulls": self.nulls,
            "nans": self.nans,
            "plus_inf": self.plus_inf,
            "minus_inf": self.minus_inf,
            "absent": events - self.seen,
            "sum": self.sum,
            "sum_of_squares": self.squares,
            "min": self.min if bins else None,
            "max": self.max if bins else None,
            "degraded": False,
        }


class CategoricalColumn:
    """Counts of one column's values."""

    __slots__ = ("counts", "nulls", "seen")

    def __init__(self) -> None:
        self.counts: defaultdict[str, int] = defaultdict(int)
        self.seen = self.nulls = 0

    def count(self, value: str | None) -> None:
        """Count one value."""
        self.seen += 1
        if value is None:
            self.nulls += 1
        else:
            self.counts[value] += 1

    def record(self, name: str, events: int) -> dict[str, Any]:
        """The column as sketch.v1 writes it, among so many events."""
        values = sorted(self.counts)
        return {
            "column": name,
            "values": values,
            "counts": [self.counts[value] for value in values],
            "buckets": [],
            "nulls": self.nulls,
            "absent": events - self.seen,
            "listed": False,
            "near_unique": False,
        }


class Sketch:
    """Counts of one key."""

    def __init__(self) -> None:
        self.events = self.errors = 0
        self.first, self.last = datetime.max.replace(tzinfo=UTC), datetime.min.replace(tzinfo=UTC)
        self.numeric: defaultdict[str, NumericColumn] = defaultdict(NumericColumn)
        self.categorical: defaultdict[str, CategoricalColumn] = defaultdict(CategoricalColumn)

    def count(self, event: Event) -> None:
        """Count every column of an event."""
        self.events += 1
        if event["status"] != "ok":
            self.errors += 1
        self.first, self.last = min(self.first, event["event_time"]), max(self.last, event["event_time"])
        numeric, categorical = self.numeric, self.categorical
        for name, x in event["numeric_features"].items():
            numeric[name].count(x)
        for name, category in event["categorical_features"].items():
            categorical[name].count(category)
        for name, p in event["probabilities"].items():
            numeric[f"@probability:{name}"].count(p)
        if event["score"] is not None:
            numeric["@score"].count(event["score"])
        if event["latency_ms"] is not None:
            numeric["@latency_ms"].count(event["latency_ms"])
        if event["decision"] is not None:
            categorical["@decision"].count(event["decision"])

    def message(self, key: Key) -> bytes:
        """The sketch as a message of sketch.v1."""
        model, version, environment, served, sampling_rate, start = key
        record = {
            "kind": "delta",
            "model": model,
            "model_version": version,
            "environment": environment,
            "served": served,
            "sampling_rate": sampling_rate,
            "shape": "",
            "slice": "",
            "window_start": datetime.fromtimestamp(start, UTC),
            "window_end": datetime.fromtimestamp(start + WINDOW_S, UTC),
            "topic_id": "",
            "source_partition": 0,
            "first_offset": 0,
            "next_offset": 0,
            "up_to": {},
            "reference": None,
            "part": 0,
            "parts": 1,
            "events": self.events,
            "errors": self.errors,
            "warnings": 0,
            "min_event_time": self.first,
            "max_event_time": self.last,
            "numeric": _records(self.numeric, self.events),
            "categorical": _records(self.categorical, self.events),
        }
        out = io.BytesIO(SKETCH_HEADER)
        out.seek(0, io.SEEK_END)
        schemaless_writer(out, SKETCH, record)
        return out.getvalue()


def _records(
    columns: Mapping[str, NumericColumn] | Mapping[str, CategoricalColumn], events: int
) -> list[dict[str, Any]]:
    return [column.record(name, events) for name, column in sorted(columns.items())]


class Sketches:
    """Every sketch since the last flush."""

    def __init__(self) -> None:
        self._sketches: defaultdict[Key, Sketch] = defaultdict(Sketch)

    def count(self, value: bytes) -> None:
        """Count the event in a message."""
        event = decoded(value)
        self._sketches[key_of(event)].count(event)

    def drain(self) -> list[bytes]:
        """A message per sketch, and start again from nothing."""
        drained, self._sketches = self._sketches, defaultdict(Sketch)
        return [sketch.message(key) for key, sketch in drained.items()]
