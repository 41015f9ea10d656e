"""Everything counted as a batch of sketch.v1 records, a row per message, none too large for the broker. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyruhvro

from producers.codec import Registry, frame
from producers.schema_files import newest
from stream_processors.profiler.counting import Counted
from stream_processors.sketches import ColumnRows

Ints = npt.NDArray[np.int64]

# The broker's default limit is 1 MB; parts stay well below it, and no single column takes more than a third of this.
MAX_PART_BYTES = 800_000
_LARGEST_COLUMN = 300_000
_NO_TIME = np.iinfo(np.int64).max


@dataclass(frozen=True, slots=True)
class Stretch:
    """Offsets that a delta was made from."""

    first_offset: int
    next_offset: int


def sketch_batch(
    counted: Counted, kind: Literal["delta", "reference"], topic_id: str, stretches: Mapping[int, Stretch]
) -> pa.RecordBatch:
    """One row per key and part, columns as in sketch.v1; ``stretches`` by source partition."""
    message_of_numeric, message_of_categorical, key_of, part_of, parts_of = _split(counted)
    n = key_of.size
    first = part_of == 0
    keys = [counted.keys[number] for number in key_of.tolist()]
    offsets = [stretches[key.source_partition] for key in keys]
    version = [key.model_version for key in keys]
    columns = {
        "kind": pa.repeat(kind, n),
        "model": [key.model for key in keys],
        "model_version": version,
        "environment": [key.environment for key in keys],
        "served": [key.served for key in keys],
        "sampling_rate": [key.sampling_rate for key in keys],
        "shape": [key.shape for key in keys],
        "slice": [key.slice for key in keys],
        "window_start": _times(np.array([key.window_start for key in keys], dtype=np.int64)),
        "window_end": _times(np.array([key.window_end for key in keys], dtype=np.int64)),
        "topic_id": pa.repeat(topic_id, n),
        "source_partition": [key.source_partition for key in keys],
        "first_offset": [one.first_offset for one in offsets],
        "next_offset": [one.next_offset for one in offsets],
        "part": part_of,
        "parts": parts_of,
        "events": np.where(first, counted.events[key_of], 0),
        "errors": np.where(first, counted.errors[key_of], 0),
        "warnings": np.where(first, counted.warnings[key_of], 0),
        "min_event_time": _times(counted.min_event_time[key_of], ~first),
        "max_event_time": _times(counted.max_event_time[key_of], ~first),
        "numeric": _column_lists(counted.numeric, message_of_numeric, n),
        "categorical": _column_lists(counted.categorical, message_of_categorical, n),
    }
    schema = _schema()
    no_offsets = pa.MapArray.from_arrays([0] * (n + 1), pa.array([], pa.string()), pa.array([], pa.int64()))
    empty = {"up_to": no_offsets, "reference": pa.nulls(n, pa.string())}
    arrays = [_array({**columns, **empty}[field.name], field.type) for field in schema]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def encoded(batch: pa.RecordBatch, registry: Registry | None = None) -> list[bytes]:
    """Each row framed and in Avro: byte for byte what `producers.codec.encode` makes of it."""
    schema = newest("sketch")
    head = frame(schema, registry)
    return [
        head + body.as_py()
        for chunk in pyruhvro.serialize_record_batch(batch, schema.text, 1)
        for body in chunk
    ]


@cache
def _schema() -> pa.Schema:
    return pyruhvro.deserialize_array([], newest("sketch").text).schema


def _array(values: object, kind: pa.DataType) -> pa.Array:
    if isinstance(values, pa.Array):
        return values if values.type == kind else values.cast(kind)
    return pa.array(values, kind)


def _times(micros: Ints, missing: npt.NDArray[np.bool_] | None = None) -> pa.Array:
    return pa.array(micros, pa.int64(), mask=missing).view(pa.timestamp("us"))


def _split(counted: Counted) -> tuple[Ints, Ints, Ints, Ints, Ints]:
    """Message numbers of the numeric and categorical rows; and each message's key, part and number of parts.

    Columns of a key go into parts in order, a new part whenever the next column might not fit.
    """
    numeric, categorical = counted.numeric, counted.categorical
    rows_key = np.concatenate([numeric.keys, categorical.keys])
    sizes = np.concatenate([numeric.sizes, categorical.sizes])
    n_keys = len(counted.keys)
    per_key = np.zeros(n_keys, dtype=np.int64)
    np.add.at(per_key, rows_key, sizes)
    part = np.zeros(rows_key.size, dtype=np.int64)
    room = MAX_PART_BYTES - _LARGEST_COLUMN
    if (per_key > room).any():
        # by key, the numeric columns first, each kind by name
        order = np.lexsort(
            (np.concatenate([numeric.columns, len(numeric.names) + categorical.columns]), rows_key)
        )
        before = np.cumsum(sizes[order]) - sizes[order]
        starts = np.cumsum(per_key) - per_key
        # a part begins in each stretch of `room` bytes and ends at most one column beyond it
        part[order] = (before - starts[rows_key[order]]) // room
    parts = np.ones(n_keys, dtype=np.int64)
    np.maximum.at(parts, rows_key, part + 1)
    first_message = np.cumsum(parts) - parts
    message = first_message[rows_key] + part
    key_of = np.repeat(np.arange(n_keys), parts)
    part_of = np.arange(key_of.size) - first_message[key_of]
    return message[: numeric.keys.size], message[numeric.keys.size :], key_of, part_of, parts[key_of]


def _column_lists(columns: ColumnRows, message: Ints, n: int) -> pa.ListArray:
    """Per message the list of its columns, in the order of their names."""
    ordered = columns.rows.take(pa.array(np.lexsort((columns.columns, message))))
    ends = np.concatenate(([0], np.cumsum(np.bincount(message, minlength=n))))
    return pa.ListArray.from_arrays(pa.array(ends, pa.int32()), ordered)
