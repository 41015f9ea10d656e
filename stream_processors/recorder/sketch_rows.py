"""Sketches as rows: ``@events`` in part 0, then one row per numeric and per categorical column. Pure, without a step per row."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from stream_processors.recorder.provenance import Provenance, constant

Ints = npt.NDArray[np.int64]

_IDENTITY = (
    "kind",
    "model",
    "model_version",
    "environment",
    "served",
    "sampling_rate",
    "shape",
    "slice",
    "window_start",
    "window_end",
    "topic_id",
    "source_partition",
    "first_offset",
    "next_offset",
    "up_to",
    "reference",
    "part",
    "parts",
)
_EVENTS = ("events", "errors", "warnings", "min_event_time", "max_event_time")
_NULL_WHERE_ABSENT = {"min_event_time", "max_event_time", "min", "max"}


def sketch_rows(batch: pa.RecordBatch, provenance: Provenance) -> pa.Table:
    """Rows of table ``sketches`` of decoded sketch.v1 messages.

    ``_row`` numbers a message's rows from 0 and ``_rows`` says how many there are, so that a message that was stored in
    part is told from a whole one. Figures that a row does not have are left to the table's defaults.
    """
    heads = np.asarray(pc.equal(batch.column("part"), 0)).astype(np.int64)
    numeric, of_numeric, numeric_counts = _exploded(batch.column("numeric"))
    categorical, of_categorical, categorical_counts = _exploded(batch.column("categorical"))
    rows = heads + numeric_counts + categorical_counts

    def part(kind: str, messages: Ints, row: Ints, own: dict[str, pa.Array]) -> pa.Table:
        origin = provenance.take(messages, row, rows[messages])
        identity = batch.select(_IDENTITY).take(pa.array(messages))
        shared = dict(zip(_IDENTITY, identity.columns, strict=True))
        shared["reference"] = shared["reference"].fill_null("")
        return pa.table(
            {**shared, "column_kind": constant(kind, pa.string(), len(messages)), **own, **origin.columns()}
        )

    first = np.flatnonzero(heads)
    events = {name: batch.column(name).take(pa.array(first)) for name in _EVENTS}
    events["column"] = constant("@events", pa.string(), len(first))
    return _stacked(
        [
            part("events", first, np.zeros(len(first), dtype=np.int64), events),
            part("numeric", of_numeric, heads[of_numeric] + _place(numeric_counts), numeric),
            part(
                "categorical",
                of_categorical,
                (heads + numeric_counts)[of_categorical] + _place(categorical_counts),
                categorical,
            ),
        ]
    )


def _exploded(lists: pa.ListArray) -> tuple[dict[str, pa.Array], Ints, Ints]:
    """The fields of all lists' structs end to end, the message that each is of, and how many each message has."""
    counts = pc.list_value_length(lists).to_numpy().astype(np.int64)
    structs = pc.list_flatten(lists)
    fields = dict(zip(structs.type.names, structs.flatten(), strict=True))
    return fields, np.repeat(np.arange(len(lists)), counts), counts


def _place(counts: Ints) -> Ints:
    """0, 1, … for each message's own items."""
    starts = np.cumsum(counts) - counts
    return np.asarray(np.arange(counts.sum()) - np.repeat(starts, counts))


def _stacked(parts: list[pa.Table]) -> pa.Table:
    """Tables under each other; a column that one lacks is empty, zero or null there."""
    types = {field.name: field.type for part in parts for field in part.schema}
    return pa.concat_tables(
        pa.table(
            {
                name: part.column(name) if name in part.column_names else _default(name, kind, part.num_rows)
                for name, kind in types.items()
            }
        )
        for part in parts
    )


def _default(name: str, kind: pa.DataType, rows: int) -> pa.Array:
    if name in _NULL_WHERE_ABSENT:
        return pa.nulls(rows, kind)
    if pa.types.is_list(kind):
        offsets = pa.array(np.zeros(rows + 1, dtype=np.int32))
        return pa.ListArray.from_arrays(offsets, pa.array([], kind.value_type))
    return constant(False if pa.types.is_boolean(kind) else 0, kind, rows)
