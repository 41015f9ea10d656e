"""Sketches of many columns to and from an Arrow table with a row each, named as ClickHouse's table ``sketches`` names them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import pyarrow as pa

from stream_processors.sketches.categorical import CategoricalSketch
from stream_processors.sketches.column_rows import CATEGORICAL_ROW, NUMERIC_ROW
from stream_processors.sketches.columns import (
    categorical_record,
    categorical_sketch,
    numeric_record,
    numeric_sketch,
)
from stream_processors.sketches.numeric import NumericSketch

NUMERIC, CATEGORICAL, EVENTS = "numeric", "categorical", "events"
# ClickHouse gives an Enum8 to Arrow as its number.
_BY_NUMBER = {1: EVENTS, 2: NUMERIC, 3: CATEGORICAL}

# The fields of both kinds of rows; those of the other kind hold 0, false or an empty list, and min and max null.
SKETCH_SCHEMA = pa.schema(
    [
        ("column", pa.string()),
        ("column_kind", pa.string()),
        ("events", pa.int64()),
        *((one.name, one.type) for one in NUMERIC_ROW if one.name != "column"),
        *((one.name, one.type) for one in CATEGORICAL_ROW if NUMERIC_ROW.get_field_index(one.name) < 0),
    ]
)
_EMPTY: Mapping[str, Any] = {
    **{one.name: [] if pa.types.is_list(one.type) else 0 for one in SKETCH_SCHEMA},
    "sum": 0.0,
    "sum_of_squares": 0.0,
    "min": None,
    "max": None,
    "degraded": False,
    "listed": False,
    "near_unique": False,
}
_NEEDED: Mapping[str, Collection[str]] = {
    NUMERIC: NUMERIC_ROW.names,
    CATEGORICAL: set(CATEGORICAL_ROW.names) - {"near_unique"},
    EVENTS: ("events",),
}


def sketch_rows(events: int, columns: Mapping[str, NumericSketch | CategoricalSketch]) -> pa.Table:
    """A row of `SKETCH_SCHEMA` per column."""
    rows = []
    for name, one in columns.items():
        if isinstance(one, NumericSketch):
            kind, record = NUMERIC, numeric_record(name, one)
        else:
            kind, record = CATEGORICAL, categorical_record(name, one)
        rows.append({**_EMPTY, **record, "column_kind": kind, "events": events})
    return pa.Table.from_pylist(rows, schema=SKETCH_SCHEMA)


def sketches_of_rows(
    table: pa.Table,
) -> tuple[int | None, list[tuple[str, NumericSketch | CategoricalSketch]]]:
    """The number of events, where rows of kind ``events`` say it by counts that add up, and each row's column and sketch, in order.

    A sketch accounts for all events that its own row states, such as those of the table that `sketch_rows` wrote; ClickHouse's rows of
    columns state 0.

    Raises:
        ValueError: a column that the rows' kind needs is missing, or a kind is unknown.
    """
    _need(table, ("column", "column_kind"))
    kinds = [_BY_NUMBER.get(kind, kind) for kind in table.column("column_kind").to_pylist()]
    unknown = [kind for kind in kinds if kind not in _BY_NUMBER.values()]
    if unknown:
        raise ValueError(f"column_kind is {NUMERIC}, {CATEGORICAL} or {EVENTS}, not {unknown[0]}")
    for kind, names in _NEEDED.items():
        if kind in kinds:
            _need(table, names)
    sketches: list[tuple[str, NumericSketch | CategoricalSketch]] = []
    events: int | None = None
    for kind, row in zip(kinds, table.to_pylist(), strict=True):
        if kind == EVENTS:
            events = (events or 0) + row["events"]
        else:
            sketches.append((str(row["column"]), _sketch(kind, row)))
    return events, sketches


def _sketch(kind: str, row: Mapping[str, Any]) -> NumericSketch | CategoricalSketch:
    sketch = numeric_sketch(row) if kind == NUMERIC else categorical_sketch(row)
    return sketch.of_events(max(sketch.n, row.get("events", 0)))


def _need(table: pa.Table, names: Collection[str]) -> None:
    missing = sorted(set(names) - set(table.column_names))
    if missing:
        # only whoever has each flush's rows knows which values were asked for by name
        advice = ": rows of a view are sums; select from the table sketches" if missing == ["listed"] else ""
        raise ValueError(f"the table of sketches has no column {missing[0]}{advice}")
