"""Sketches and stretches as the records of their Avro schemas, no message too large for the broker. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from stream_processors.profiler.counting import EventFacts, SketchKey
from stream_processors.sketches import KeySketches, categorical_record, numeric_record

Record = dict[str, Any]

# The broker's default limit is 1 MB; parts stay well below it.
MAX_PART_BYTES = 800_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def message_key(model: str, environment: str) -> bytes:
    """The key of ``sketches``, ``quality``, ``drift`` and ``alerts``: ``["model","environment"]``."""
    return json.dumps([model, environment], separators=(",", ":")).encode()


def at(micros: int) -> datetime:
    """Microseconds since the epoch as an aware datetime."""
    return _EPOCH + timedelta(microseconds=micros)


def delta_records(
    key: SketchKey,
    sketches: KeySketches,
    facts: EventFacts,
    *,
    topic_id: str,
    first_offset: int,
    next_offset: int,
) -> Iterator[Record]:
    """The parts of one delta."""
    origin = {"topic_id": topic_id, "first_offset": first_offset, "next_offset": next_offset}
    yield from _parts({**_head(key), **origin, "kind": "delta"}, sketches, facts)


def reference_records(key: SketchKey, sketches: KeySketches, facts: EventFacts) -> Iterator[Record]:
    """The parts of one window of a reference; its digest is filled in when it is published."""
    origin = {"topic_id": "", "source_partition": -1, "first_offset": 0, "next_offset": 0}
    yield from _parts({**_head(key), **origin, "kind": "reference", "model_version": ""}, sketches, facts)


def _head(key: SketchKey) -> Record:
    return {**key._asdict(), "window_start": at(key.window_start), "window_end": at(key.window_end)}


def _parts(head: Record, sketches: KeySketches, facts: EventFacts) -> Iterator[Record]:
    columns = [("numeric", numeric_record(name, one)) for name, one in sketches.numeric.items()]
    columns += [("categorical", categorical_record(name, one)) for name, one in sketches.categorical.items()]
    parts: list[Record] = [{"numeric": [], "categorical": []}]
    size = 0
    for kind, column in columns:
        more = _size(column)
        if size + more > MAX_PART_BYTES - 2_000 and size:
            parts.append({"numeric": [], "categorical": []})
            size = 0
        parts[-1][kind].append(column)
        size += more
    none = {"events": 0, "errors": 0, "warnings": 0}
    counted = {
        "events": sketches.events,
        "errors": facts.errors,
        "warnings": facts.warnings,
        "min_event_time": at(facts.min_event_time),
        "max_event_time": at(facts.max_event_time),
    }
    for number, part in enumerate(parts):
        yield {**head, **(counted if number == 0 else none), **part, "part": number, "parts": len(parts)}


def _size(column: Record) -> int:
    """At most how many bytes the column takes in Avro; counts of less than 2^34 take 5 at most."""
    numbers = len(column["counts"]) + len(column.get("buckets", ()))
    values = 8 * len(column.get("bins", ())) + sum(
        3 + len(value.encode()) for value in column.get("values", ())
    )
    return 200 + len(column["column"].encode()) + 5 * numbers + values
