"""Rows for the real tables, as a recorder would insert them: what a test does not name has the type's empty value."""

from __future__ import annotations

import itertools
import re
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from stream_processors.clickhouse import Store
from stream_processors.migrations import migrate
from stream_processors.settings import ClickHouseSettings

TOPIC_ID = "dG9waWMtb2YtdGhlLXRlc3Q"

_SCALARS = {
    "String": (pa.string(), ""),
    "Float64": (pa.float64(), 0.0),
    "Bool": (pa.bool_(), False),
    "Int8": (pa.int8(), 0),
    "Int32": (pa.int32(), 0),
    "Int64": (pa.int64(), 0),
    "UInt8": (pa.uint8(), 0),
    "UInt16": (pa.uint16(), 0),
    "UInt32": (pa.uint32(), 0),
    "UInt64": (pa.uint64(), 0),
    "DateTime64(6, 'UTC')": (pa.timestamp("us", "UTC"), datetime(1970, 1, 1, tzinfo=UTC)),
}


# with this in place of a column's own, a row of sketches is the one that every window has: its events
EVENTS = {"column": "@events", "column_kind": "events", "bins": [], "counts": [], "values": []}


def utc(text: str) -> datetime:
    """A moment from ISO text without an offset, taken as UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def arrow_type(name: str) -> tuple[pa.DataType, Any]:
    """Arrow's type for a ClickHouse type, and the value of a column nobody names."""
    if name in _SCALARS:
        return _SCALARS[name]
    outer, _, inner = name.partition("(")
    parts = _split(inner[:-1])
    match outer:
        case "LowCardinality":
            found = arrow_type(inner[:-1])
        case "Nullable":
            found = arrow_type(inner[:-1])[0], None
        case "Array":
            found = pa.list_(arrow_type(inner[:-1])[0]), []
        case "Map":
            found = pa.map_(arrow_type(parts[0])[0], arrow_type(parts[1])[0]), []
        case "Tuple":
            fields = [part.split(" ", 1) for part in parts]
            found = pa.struct([(field, arrow_type(kind)[0]) for field, kind in fields]), None
        case "Enum8":
            found = pa.string(), re.findall(r"'([^']+)'", inner)[0]
        case _:
            raise ValueError(f"no Arrow type for {name}")
    return found


def _split(text: str) -> list[str]:
    """The parts between commas that stand in no bracket."""
    depth, parts = 0, [""]
    for letter in text:
        depth += (letter == "(") - (letter == ")")
        if letter == "," and not depth:
            parts.append("")
        else:
            parts[-1] += letter
    return [part.strip() for part in parts]


class Recorder:
    """Inserts rows into one database; offsets rise by themselves, one partition, in the order of the calls."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._offsets = itertools.count()
        self._types: dict[str, dict[str, str]] = {}
        self._filled: set[str] = set()

    def insert(self, table: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Insert rows; a name that is no column of the table is an error."""
        self._filled.add(table)
        types = self._columns(table)
        complete = [{**self._log_columns(), **row} for row in rows]
        unknown = {name for row in complete for name in row} - set(types)
        if unknown:
            raise ValueError(f"{table} has no column {', '.join(sorted(unknown))}")
        columns = {name: arrow_type(kind) for name, kind in types.items()}
        table_rows = pa.table(
            {
                name: pa.array([_value(row.get(name, empty)) for row in complete], kind)
                for name, (kind, empty) in columns.items()
            }
        )
        self.store.insert(table, table_rows, query_id=f"test-{self.store.database}-{next(self._offsets)}")

    def clear(self) -> None:
        """Take all rows out again."""
        for table in self._filled:
            self.store.command(f"TRUNCATE TABLE {table} SYNC")
        self._filled.clear()

    def _columns(self, table: str) -> dict[str, str]:
        if table not in self._types:
            found = self.store.rows(
                "SELECT name, type FROM system.columns WHERE database = {database:String} AND table = {table:String}"
                " AND default_kind != 'MATERIALIZED' ORDER BY position",
                {"database": self.store.database, "table": table},
            )
            self._types[table] = {row["name"]: row["type"] for row in found}
        return self._types[table]

    def _log_columns(self) -> dict[str, Any]:
        return {"_topic_id": TOPIC_ID, "_partition": 0, "_offset": next(self._offsets), "_row": 0, "_rows": 1}


@contextmanager
def migrated_record(clickhouse: str) -> Iterator[Recorder]:
    """A database of one's own with every table, function and view, dropped at the end."""
    store = Store(ClickHouseSettings(url=clickhouse, database=f"t_{uuid.uuid4().hex[:12]}"))
    migrate(store)
    yield Recorder(store)
    store.command(f"DROP DATABASE {store.database} SYNC")
    store.close()


def is_local_engine(store: Store) -> bool:
    """Whether this is the engine of the local stack, which has no users that SQL could make."""
    directories = store.rows("SELECT type FROM system.user_directories")
    return not any(row["type"] == "local_directory" for row in directories)


def _value(value: Any) -> Any:
    return list(value.items()) if isinstance(value, Mapping) else value


def prediction(prediction_id: str, event_time: datetime, **more: Any) -> dict[str, Any]:
    """A row of predictions: known and appended when it was made, served, model `m`, version `1`, unless said otherwise."""
    row = {
        "prediction_id": prediction_id,
        "event_time": event_time,
        "model": "m",
        "model_version": "1",
        "environment": "production",
        "served": True,
        "status": "ok",
        "sampling_rate": 1.0,
        "known_at": event_time,
        "_appended_at": event_time,
    }
    return {**row, **more}


def label(
    prediction_id: str, reported_at: datetime, truth: str | None = "true", **more: Any
) -> dict[str, Any]:
    """A row of labels: a truth for every version, known and appended when reported, unless said otherwise."""
    row = {
        "label_id": f"label-of-{prediction_id}-at-{reported_at.isoformat()}",
        "prediction_id": prediction_id,
        "model": "m",
        "kind": "truth",
        "truth": truth,
        "true_at": reported_at,
        "reported_at": reported_at,
        "known_at": reported_at,
        "_appended_at": reported_at,
    }
    return {**row, **more}
