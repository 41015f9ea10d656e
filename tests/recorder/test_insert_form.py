"""Rows in fewer bytes are the same rows in ClickHouse."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime

import pyarrow as pa
import pytest

from stream_processors.clickhouse import Store
from stream_processors.recorder.insert_form import in_few_bytes
from stream_processors.settings import ClickHouseSettings

ROWS = 500
TABLE = """
CREATE TABLE {name}
(
    place UInt32, id String, model LowCardinality(String), version LowCardinality(String), note Nullable(String), decision LowCardinality(Nullable(String)),
    never Nullable(Float64), many String, numbers Map(LowCardinality(String), Nullable(Float64)), none Map(LowCardinality(String), Float64),
    warnings Array(LowCardinality(String)), contract LowCardinality(String), at DateTime64(6, 'UTC'), made UInt64 DEFAULT cityHash64(id, model)
)
ENGINE = MergeTree ORDER BY place
"""


def _rows() -> pa.Table:
    """Every kind of column that recorded tables have: repeated, few, many, never said, and nulls in between."""
    numbers = [{"a": float(row), "b": None} if row % 3 else {"b": 0.5} for row in range(ROWS)]
    maps = pa.array([list(entry.items()) for entry in numbers], pa.map_(pa.string(), pa.float64()))
    keys = pa.MapArray.from_arrays(maps.offsets, maps.keys.dictionary_encode(), maps.items)
    return pa.table(
        {
            "place": pa.array(range(ROWS), pa.uint32()),
            "id": [f"id-{row}" for row in range(ROWS)],
            "model": ["flights"] * ROWS,
            "version": ["1" if row < 300 else f"late-{row}" for row in range(ROWS)],
            "note": [None if row % 2 else "said" for row in range(ROWS)],
            "decision": ["yes" if row % 5 else None for row in range(ROWS)],
            "never": pa.nulls(ROWS, pa.float64()),
            "many": [f"m{row % 200}" for row in range(ROWS)],
            "numbers": keys,
            "none": pa.array([[]] * ROWS, pa.map_(pa.string(), pa.float64())),
            "warnings": pa.array([[]] * ROWS, pa.list_(pa.string())),
            "contract": pa.DictionaryArray.from_arrays(
                pa.array([row % 2 for row in range(ROWS)], pa.int64()), ["", "digest"]
            ),
            "at": pa.array([datetime(2024, 9, 9, tzinfo=UTC)] * ROWS, pa.timestamp("us", "UTC")),
        }
    )


@pytest.fixture
def store(clickhouse: str, database: str) -> Iterator[Store]:
    """An empty database."""
    settings = ClickHouseSettings(clickhouse, database)
    anywhere = Store(settings, database="default")
    anywhere.command(f"CREATE DATABASE {database} ENGINE = Atomic")
    anywhere.close()
    made = Store(settings)
    yield made
    made.close()


def test_clickhouse_reads_the_same_rows(store: Store) -> None:
    """What was left out is null or empty, what was packed has its texts, and defaults are made of what was said."""
    contents = []
    for rows in (
        _rows(),
        in_few_bytes(_rows()),
        in_few_bytes(pa.concat_tables([_rows()[:250], _rows()[250:]])),
    ):
        name = f"form_{uuid.uuid4().hex[:8]}"
        store.command(TABLE.format(name=name))
        store.insert(name, rows, query_id=uuid.uuid4().hex)
        contents.append(store.rows(f"SELECT * FROM {name} ORDER BY place"))
    assert contents[0] == contents[1] == contents[2]
    assert len(contents[0]) == ROWS


def test_they_are_fewer_bytes() -> None:
    """What says nothing is not sent, and a text that repeats is sent once."""
    rows, packed = _rows(), in_few_bytes(_rows())
    assert {"never", "none", "warnings"} == set(rows.column_names) - set(packed.column_names)
    assert packed.nbytes < rows.nbytes * 0.6
    assert packed.column("id").type == pa.string()


def test_no_rows_stay_no_rows() -> None:
    """An empty table keeps its columns."""
    assert in_few_bytes(_rows()[:0]).num_rows == 0
    assert in_few_bytes(_rows()[:0]).column_names == _rows().column_names
