"""Columns encoded together: every value keeps its column and its bin, whichever table was used."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sketch_inputs import DOUBLES, numeric_counts

from stream_processors.sketches import Accumulator, Grouping, NumericColumn, encoding
from stream_processors.sketches.bins import bin_numbers
from stream_processors.sketches.encoding import MINUS_INF, NAN, NULL, PLUS_INF, SPECIALS, encode_numbers

NUMBERS = st.one_of(DOUBLES, st.floats(-3, 3), st.sampled_from([0.0, -0.0, 1.0, -1.0, 5e-324]))
COLUMNS = st.lists(st.lists(NUMBERS, max_size=12), min_size=1, max_size=5)


@pytest.mark.parametrize("free_slots", [-(10**18), 40, 10**18])
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(columns=COLUMNS, precision=st.sampled_from([0, 5, 20]))
def test_each_value_keeps_its_column_and_bin(
    free_slots: int, columns: list[list[float]], precision: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By hashing, by a table without the bins nearest zero, and by a whole one."""
    if free_slots > 40:
        columns = [[one for one in column if not 0 < abs(one) < 0.25] for column in columns]
        precision = 0  # a whole table of any doubles is large
    monkeypatch.setattr(encoding, "_FREE_TABLE_SLOTS", free_slots)
    arrays = [np.array(column, dtype=np.float64) for column in columns]
    given_columns = [
        NumericColumn(str(place), one, rows=np.arange(one.size)) for place, one in enumerate(arrays)
    ]
    encoded = encode_numbers(given_columns, precision, 12)
    values = np.concatenate(arrays)
    finite = np.isfinite(values)
    column_of = np.repeat(np.arange(len(arrays)), [one.size for one in arrays])
    assert encoded.code_columns[encoded.codes].tolist() == column_of.tolist()
    items, numbers = encoded.code_items[encoded.codes], bin_numbers(values[finite], precision)
    assert items[finite].tolist() == numbers.tolist()
    assert (encoded.codes < encoded.n_bins).tolist() == finite.tolist()
    special = {np.inf: PLUS_INF, -np.inf: MINUS_INF}
    assert items[~finite].tolist() == [special.get(one, NAN) for one in values[~finite].tolist()]
    assert encoded.code_items.size == encoded.n_bins + SPECIALS * len(arrays)
    assert (
        len(
            set(
                zip(encoded.code_columns[: encoded.n_bins], encoded.code_items[: encoded.n_bins], strict=True)
            )
        )
        == encoded.n_bins
    )


def test_a_null_is_no_nan() -> None:
    """What a null's place holds says nothing."""
    column = NumericColumn("x", np.array([np.nan, np.nan, 1.0]), np.array([True, False, False]))
    encoded = encode_numbers([column], 5, 3)
    assert encoded.code_items[encoded.codes].tolist() == [NAN, NULL, NULL]
    assert encoded.n_bins == 0


ROWS = st.lists(
    st.tuples(st.integers(-1, 2), st.lists(st.one_of(st.none(), NUMBERS), min_size=4, max_size=4)),
    min_size=1,
    max_size=25,
)


@given(
    batches=st.lists(ROWS, min_size=1, max_size=3), sparse=st.booleans(), precision=st.sampled_from([0, 6])
)
def test_columns_together_equal_columns_one_by_one(
    batches: list[list[tuple[int, list[float | None]]]], sparse: bool, precision: int
) -> None:
    """Columns that few, all or no rows carry are counted together as each would be alone."""
    one, other = Accumulator(), Accumulator()
    for batch in batches:
        groupings = [Grouping.whole(len(batch), "all"), Grouping(np.array([row[0] for row in batch]), "abc")]
        columns = []
        for place in range(4):
            carried = np.flatnonzero([row[1][place] is not None for row in batch])
            values = np.array([row[1][place] for row in batch], dtype=np.float64)[carried]
            columns.append(
                NumericColumn(f"c{place}", values, rows=None if carried.size == len(batch) else carried)
            )
        together = one.begin(groupings, sparse=sparse)
        alone = other.begin(groupings, sparse=sparse)
        together.add_numbers(columns, precision)
        for column in columns:
            alone.add_numeric(column.name, column.values, precision, column.valid, column.rows)
    assert one.entries == other.entries
    found, expected = one.drain(), other.drain()
    assert found.keys() == expected.keys()
    for key, sketches in expected.items():
        assert found[key].numeric.keys() == sketches.numeric.keys()
        for name, sketch in sketches.numeric.items():
            got = found[key].numeric[name]
            assert numeric_counts(got) == numeric_counts(sketch)
            assert (got.minimum, got.maximum) == (sketch.minimum, sketch.maximum)
            if abs(sketch.minimum or 0) < 1e150 and abs(sketch.maximum or 0) < 1e150:
                assert got.sum == pytest.approx(
                    sketch.sum, rel=1e-9, abs=1e-9 * (sketch.sum_of_squares**0.5 + 1)
                )
                assert got.sum_of_squares == pytest.approx(sketch.sum_of_squares, rel=1e-9)


def test_a_sparse_column_is_of_the_keys_that_carried_it() -> None:
    """In a sparse batch a key has no sketch of a column that none of its rows carried; the other keys' absences are right."""
    accumulator = Accumulator()
    batch = accumulator.begin([Grouping(np.array([0, 0, 1]), ["a", "b"])], sparse=True)
    batch.add_numeric("x", np.array([1.0]), 5, rows=np.array([0]))
    drained = accumulator.drain()
    assert drained["a"].numeric["x"].absent == 1
    assert (drained["b"].events, drained["b"].numeric) == (1, {})
