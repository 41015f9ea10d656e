"""The profiling job as a stream framework's user writes it: one event after the other, in plain Python. The three peers share it.

Less than what the profiler does (no sums, no extremes, no contracts, no transaction), so that ratios err on the peers' side.
"""

from __future__ import annotations

import io
import json
import struct
from collections import defaultdict
from pathlib import Path
from typing import Any

from fastavro import schemaless_reader
from fastavro.schema import load_schema

Event = dict[str, Any]
Key = tuple[str, str, int]

SCHEMA = load_schema(str(Path(__file__).parents[2] / "schemas" / "prediction.v1.avsc"))
SINGLE_OBJECT_HEADER = 10
WINDOW_S = 60
FLUSH_S = 5.0
PRECISION = 5

_DOUBLE, _BITS = struct.Struct("<d"), struct.Struct("<q")
_KEPT = -(1 << (52 - PRECISION))


def decoded(value: bytes) -> Event:
    """The prediction in a message."""
    event: Event = schemaless_reader(io.BytesIO(value[SINGLE_OBJECT_HEADER:]), SCHEMA, None)
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
    """(model, version, start of the window in seconds)."""
    seconds = int(event["event_time"].timestamp())
    return event["model"], event["model_version"], seconds - seconds % WINDOW_S


class Sketch:
    """Counts of one model, version and window."""

    def __init__(self) -> None:
        self.events = 0
        self.numeric: defaultdict[str, defaultdict[int, int]] = defaultdict(lambda: defaultdict(int))
        self.categorical: defaultdict[str, defaultdict[str, int]] = defaultdict(lambda: defaultdict(int))

    def count(self, event: Event) -> None:
        """Count every column of an event."""
        self.events += 1
        numeric, categorical = self.numeric, self.categorical
        for name, x in event["numeric_features"].items():
            if x is not None:
                numeric[name][truncated(x)] += 1
        for name, category in event["categorical_features"].items():
            if category is not None:
                categorical[name][category] += 1
        if event["score"] is not None:
            numeric["@score"][truncated(event["score"])] += 1
        if event["latency_ms"] is not None:
            numeric["@latency_ms"][truncated(event["latency_ms"])] += 1
        if event["decision"] is not None:
            categorical["@decision"][event["decision"]] += 1

    def message(self, key: Key) -> bytes:
        """The sketch as JSON; histograms are lists of (bin, count)."""
        model, version, start = key
        sketch = {
            "model": model,
            "model_version": version,
            "window_start": start,
            "events": self.events,
            "numeric": {
                column: [(bin_of(bits), n) for bits, n in bins.items()]
                for column, bins in self.numeric.items()
            },
            "categorical": {column: list(values.items()) for column, values in self.categorical.items()},
        }
        return json.dumps(sketch).encode()


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
