"""Sketches drained as Arrow rows are the sketches drained one by one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sketch_inputs import DOUBLES, WORDS

from stream_processors.sketches import Accumulator, Grouping, categorical_record, numeric_record

ROWS = st.lists(
    st.tuples(st.integers(-1, 2), st.booleans(), st.one_of(st.none(), DOUBLES), st.one_of(st.none(), WORDS)),
    min_size=1,
    max_size=60,
)
KEYS = ("a", "b", "c")


def one_by_one(accumulator: Accumulator) -> dict[Any, Any]:
    """Column records per key, from the sketches."""
    return {
        key: {
            **{("n", name): numeric_record(name, one) for name, one in sketches.numeric.items()},
            **{("c", name): categorical_record(name, one) for name, one in sketches.categorical.items()},
        }
        for key, sketches in accumulator.drain().items()
    }


def as_rows(accumulator: Accumulator) -> dict[Any, Any]:
    """Column records per key, from the Arrow rows."""
    drained = accumulator.drain_rows()
    found: dict[Any, Any] = {
        key: {} for key, events in zip(drained.keys, drained.events.tolist(), strict=True) if events
    }
    for kind, columns in (("n", drained.numeric), ("c", drained.categorical)):
        columns.rows.validate(full=True)
        assert list(columns.names) == sorted(set(columns.names))
        for number, place, record, carried in zip(
            columns.keys.tolist(),
            columns.columns.tolist(),
            columns.rows.to_pylist(),
            columns.carried.tolist(),
            strict=True,
        ):
            assert carried + record["absent"] == drained.events[number]
            assert columns.names[place] == record["column"]
            found[drained.keys[number]][kind, record["column"]] = record
    return found


def assert_same(fill: Callable[[Accumulator], None]) -> None:
    """Both ways of draining give the same."""
    one, other = Accumulator(), Accumulator()
    fill(one)
    fill(other)
    rows, records = as_rows(other), one_by_one(one)
    assert rows.keys() == records.keys()
    for key, columns in records.items():
        # -0.0 and 0.0 compare, their text does not
        assert {name: repr(one) for name, one in rows[key].items()} == {
            n: repr(o) for n, o in columns.items()
        }


@given(
    batches=st.lists(ROWS, min_size=1, max_size=3),
    listed=st.sampled_from([None, (), ("JFK", "v1", "x" * 65)]),
)
def test_any_batches(batches: list[Any], listed: tuple[str, ...] | None) -> None:
    """Nulls, NaN, infinities, absent rows, lists and hash buckets are in both the same."""

    def fill(accumulator: Accumulator) -> None:
        for batch in batches:
            groups = np.array([row[0] for row in batch], dtype=np.int64)
            carried = np.flatnonzero([row[1] for row in batch])
            values = np.array([np.nan if row[2] is None else row[2] for row in batch])
            valid = np.array([row[2] is not None for row in batch])
            words = pa.array([row[3] for row in batch], type=pa.string())
            under = accumulator.begin([Grouping.whole(len(batch), "all"), Grouping(groups, KEYS)])
            under.add_numeric("x", values[carried], 6, valid[carried], carried)
            under.add_numeric("y", values, 0, valid)
            under.add_categorical("word", words.take(pa.array(carried)), listed, carried)
            under.add_categorical("any_word", words)

    assert_same(fill)


@pytest.mark.parametrize("seed", range(3))
def test_crowded_columns(seed: int) -> None:
    """Columns that the safety valve coarsens, and those with too many names, are in both the same."""
    chance = np.random.default_rng(seed)
    n = 20_000
    values = chance.normal(0, 1, n) * 10.0 ** chance.integers(-200, 200, n)
    words = pa.array([f"user{i}" for i in chance.integers(0, 15_000, n)])
    codes = chance.integers(0, 3, n) ** 2 // 2

    def fill(accumulator: Accumulator) -> None:
        batch = accumulator.begin([Grouping.whole(n, "all"), Grouping(codes, KEYS)])
        batch.add_numeric("x", values, 7)
        batch.add_categorical("word", words)
        batch.add_categorical("few", pa.array((codes % 2).astype(str)))
        batch.add_categorical("long", pa.array([f"{i:080}" for i in range(n)]))

    assert_same(fill)


def test_sizes_are_never_too_small() -> None:
    """The size stated for a row is at least what it takes in Avro, and not many times as much."""
    import io

    import fastavro

    from producers.schema_files import newest

    chance = np.random.default_rng(1)
    n = 5_000
    accumulator = Accumulator()
    batch = accumulator.begin([Grouping(chance.integers(0, 5, n), range(5))])
    batch.add_numeric("x" * 100, chance.lognormal(0, 3, n), 9)
    batch.add_categorical(
        "ж" * 50, pa.array(["ж" * int(i % 60) + str(i) for i in chance.integers(0, 900, n)])
    )
    batch.add_categorical("free", pa.array([f"{i:070}" for i in range(n)]))
    drained = accumulator.drain_rows()
    fields = {field["name"]: field["type"] for field in newest("sketch").parsed["fields"]}
    for name, columns in (("numeric", drained.numeric), ("categorical", drained.categorical)):
        for record, stated in zip(columns.rows.to_pylist(), columns.sizes.tolist(), strict=True):
            body = io.BytesIO()
            fastavro.schemaless_writer(body, fastavro.parse_schema(fields[name]["items"]), record)
            assert body.tell() <= stated <= 3 * body.tell() + 400
