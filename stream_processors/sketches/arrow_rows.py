"""Sketches of many columns to and from an Arrow table with a row each, named as ClickHouse's table ``sketches`` names them."""

from __future__ import annotations

from collections.abc import Mapping
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
    """The number of events, where rows say it, and each row's column and sketch, in order.

    Rows of kind ``events`` have a count of their own events, which add up. Else every row states the events of all.

    Raises:
        ValueError: a column that the rows' kind needs is missing, or a kind is unknown.
    """
    _need(table, ("column", "column_kind"))
    kinds = [_BY_NUMBER.get(kind, kind) for kind in table.column("column_kind").to_pylist()]
    unknown = [kind for kind in kinds if kind not in _BY_NUMBER.values()]
    if unknown:
        raise ValueError(f"column_kind is {NUMERIC}, {CATEGORICAL} or {EVENTS}, not {unknown[0]}")
    for kind, row_type in ((NUMERIC, NUMERIC_ROW), (CATEGORICAL, CATEGORICAL_ROW)):
        if kind in kinds:
            _need(table, (one.name for one in row_type if one.name != "near_unique"))
    sketches: list[tuple[str, NumericSketch | CategoricalSketch]] = []
    for kind, row in zip(kinds, table.to_pylist(), strict=True):
        if kind == NUMERIC:
            sketches.append((str(row["column"]), numeric_sketch(row)))
        elif kind == CATEGORICAL:
            sketches.append((str(row["column"]), categorical_sketch(row)))
    return _events(table, kinds), sketches


def _events(table: pa.Table, kinds: list[str]) -> int | None:
    if "events" not in table.column_names:
        return None
    stated: list[int] = table.column("events").to_pylist()
    if EVENTS in kinds:
        return sum(count for kind, count in zip(kinds, stated, strict=True) if kind == EVENTS)
    # ClickHouse's rows of other kinds say 0: nobody states the number then
    return max(stated, default=0) or None


def _need(table: pa.Table, names: Any) -> None:
    missing = sorted(set(names) - set(table.column_names))
    if missing:
        raise ValueError(f"the table of sketches has no column {missing[0]}")
