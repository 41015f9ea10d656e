"""The accumulator's sketches equal those of the rows, for any batches and groupings."""

from __future__ import annotations

from collections.abc import Hashable

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sketch_inputs import DOUBLES, WORDS, categorical_counts, numeric_counts

from stream_processors.sketches import Accumulator, CategoricalSketch, Grouping, KeySketches, NumericSketch
from stream_processors.sketches.entries import Entries

Row = tuple[int, bool, bool, float, str | None]

KEYS = ["a", "b", "c"]
# A row: its group (or none), its number (carried, valid, value), its word.
ROW = st.tuples(st.integers(-1, 2), st.booleans(), st.booleans(), DOUBLES, st.one_of(WORDS, st.none()))
BATCHES = st.lists(st.lists(ROW, max_size=30), min_size=1, max_size=4)
LISTS = st.one_of(st.none(), st.just(("JFK", "v1")))


def rows_of(key: Hashable, batches: list[list[Row]]) -> list[Row]:
    """The rows that belong to a key; ``all`` has every row."""
    return [
        row for batch in batches for row in batch if key == "all" or (row[0] >= 0 and KEYS[row[0]] == key)
    ]


@given(batches=BATCHES, precision=st.sampled_from([0, 5, 7, 20]), listed=LISTS)
def test_batches_under_groupings_equal_the_rows(
    batches: list[list[Row]], precision: int, listed: tuple[str, ...] | None
) -> None:
    """Each key's sketches equal the sketches of its rows, nulls, NaN, infinities and absent rows included."""
    accumulator = Accumulator()
    for batch in batches:
        groups = np.array([row[0] for row in batch], dtype=np.int32)
        carried = np.flatnonzero([row[1] for row in batch])
        values = np.array([row[3] for row in batch], dtype=np.float64)
        words = pa.array([row[4] for row in batch], type=pa.string())
        under = accumulator.begin([Grouping.whole(len(batch), "all"), Grouping(groups, KEYS)])
        valid = np.array([row[2] for row in batch], dtype=np.bool_)
        under.add_numeric("x", values[carried], precision, valid[carried], carried)
        under.add_numeric("y", values, precision)
        under.add_categorical("word", words.take(pa.array(carried)), listed, carried)
        under.add_categorical("all_words", words, listed)
    drained = accumulator.drain()
    assert set(drained) == {key for key in ("all", *KEYS) if rows_of(key, batches)}
    for key, sketches in drained.items():
        assert_counts(sketches, rows_of(key, batches), precision, listed)


def assert_counts(
    sketches: KeySketches, rows: list[Row], precision: int, listed: tuple[str, ...] | None
) -> None:
    """A key's sketches equal those of its rows taken one by one."""
    carrying = [row for row in rows if row[1]]
    absent = len(rows) - len(carrying)
    assert sketches.events == len(rows)
    numbers = np.array([row[3] for row in carrying], dtype=np.float64)
    valid = np.array([row[2] for row in carrying], dtype=np.bool_)
    x, y = sketches.numeric["x"], sketches.numeric["y"]
    assert numeric_counts(x) == numeric_counts(NumericSketch.of(numbers, precision, valid, absent))
    whole = NumericSketch.of(np.array([row[3] for row in rows]), precision)
    assert numeric_counts(y) == numeric_counts(whole)
    if abs(whole.minimum or 0) < 1e150 and abs(whole.maximum or 0) < 1e150:
        assert y.sum == pytest.approx(whole.sum, rel=1e-9, abs=1e-9 * (whole.sum_of_squares**0.5 + 1))
        assert y.sum_of_squares == pytest.approx(whole.sum_of_squares, rel=1e-9)
    words, all_words = sketches.categorical["word"], sketches.categorical["all_words"]
    expected = CategoricalSketch.of([row[4] for row in carrying], listed, absent)
    assert categorical_counts(words) == categorical_counts(expected)
    assert categorical_counts(all_words) == categorical_counts(
        CategoricalSketch.of([row[4] for row in rows], listed)
    )


@settings(max_examples=10)
@given(seed=st.integers(0, 2**32))
def test_large_batches_take_the_same_road(seed: int) -> None:
    """Sparse tables, hashed bins, near-unique words, pruning and summing up change nothing."""
    rng = np.random.default_rng(seed)
    accumulator, all_values, all_words, all_groups = Accumulator(), [], [], []
    for _ in range(3):
        rows = 20_000
        groups = rng.integers(0, 700, rows)
        values = rng.normal(0, 1, rows) * 10.0 ** rng.integers(-200, 200, rows)
        words = [f"user{i}" for i in rng.zipf(1.2, rows) % 100_000]
        batch = accumulator.begin([Grouping(groups, range(700)), Grouping.whole(rows, "all")])
        batch.add_numeric("x", values, 7)
        batch.add_categorical("word", pa.array(words))
        all_values.append(values)
        all_words += words
        all_groups.append(groups)
    drained = accumulator.drain()
    values, groups = np.concatenate(all_values), np.concatenate(all_groups)
    assert numeric_counts(drained["all"].numeric["x"]) == numeric_counts(NumericSketch.of(values, 7).fitted())
    assert categorical_counts(drained["all"].categorical["word"]) == categorical_counts(
        CategoricalSketch.of(all_words)
    )
    for key in (0, 350, 699):
        mine = np.flatnonzero(groups == key)
        assert numeric_counts(drained[key].numeric["x"]) == numeric_counts(NumericSketch.of(values[mine], 7))
        assert categorical_counts(drained[key].categorical["word"]) == categorical_counts(
            CategoricalSketch.of([all_words[i] for i in mine])
        )


def test_draining_starts_again_from_nothing() -> None:
    """What was drained is gone, and what comes later is counted afresh."""
    accumulator = Accumulator()
    accumulator.begin([Grouping.whole(2, "k")]).add_numeric("x", np.array([1.0, 2.0]), 5)
    assert accumulator.entries == 2
    assert accumulator.keys == 1
    assert accumulator.drain()["k"].numeric["x"].finite == 2
    assert (accumulator.entries, accumulator.keys, accumulator.drain()) == (0, 0, {})


def test_a_column_that_comes_late_was_absent_before() -> None:
    """Events counted before a column first came did not carry it."""
    accumulator = Accumulator()
    accumulator.begin([Grouping.whole(3, "k")])
    batch = accumulator.begin([Grouping.whole(2, "k")])
    batch.add_numeric("x", np.array([1.0, 2.0]), 5)
    batch.add_categorical("c", pa.array(["u", None]))
    sketches = accumulator.drain()["k"]
    assert (sketches.events, sketches.numeric["x"].absent, sketches.categorical["c"].absent) == (5, 3, 3)


def test_a_column_no_row_carries_is_all_absent() -> None:
    """A column added without rows is reported, so that its absence can be seen."""
    accumulator = Accumulator()
    batch = accumulator.begin([Grouping.whole(3, "k")])
    nobody = np.empty(0, dtype=np.int64)
    batch.add_numeric("x", np.empty(0), 5, rows=nobody)
    batch.add_categorical("c", pa.array([], type=pa.string()), rows=nobody)
    sketches = accumulator.drain()["k"]
    assert (sketches.numeric["x"].absent, sketches.categorical["c"].absent) == (3, 3)


def test_dictionaries_and_chunks_are_strings_too() -> None:
    """An Arrow dictionary array, and a chunked one, count as their strings do."""
    words = pa.array(["a", None, "b", "a"])
    for form in (words, words.dictionary_encode(), pa.chunked_array([words.slice(0, 2), words.slice(2)])):
        accumulator = Accumulator()
        accumulator.begin([Grouping.whole(4, "k")]).add_categorical("c", form)
        found = accumulator.drain()["k"].categorical["c"]
        assert categorical_counts(found) == categorical_counts(CategoricalSketch.of(["a", None, "b", "a"]))


def test_groupings_of_one_batch_have_equal_rows() -> None:
    """A grouping of another batch is refused before anything is counted."""
    with pytest.raises(ValueError, match="equal rows"):
        Accumulator().begin([Grouping.whole(2, "a"), Grouping.whole(3, "b")])


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(-(2**31), 2**31 - 1), st.integers(1, 9))))
def test_entries_add_up(entries: list[tuple[int, int, int]]) -> None:
    """Entries of one key and item are summed, in order, over the whole range of items."""
    totals: dict[tuple[int, int], int] = {}
    held = Entries()
    for key, item, count in entries:
        totals[key, item] = totals.get((key, item), 0) + count
        held.append(*(np.array([number], dtype=np.int64) for number in (key, item, count)))
    keys, items, counts = held.summed()
    assert [
        ((k, i), c) for k, i, c in zip(keys.tolist(), items.tolist(), counts.tolist(), strict=True)
    ] == sorted(totals.items())
