"""The histogram's bin is the value with all but the first mantissa bits cleared."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sketch_inputs import FINITE, PRECISIONS

from stream_processors.sketches.bins import (
    bin_numbers,
    bin_upper_edge,
    check_precision,
    coarsen,
    histogram_bins,
    midpoint,
    numbered_bins,
)


def bin_of(x: float, precision: int) -> float:
    """The same definition by struct, without numpy."""
    bits = struct.unpack("<Q", struct.pack("<d", x))[0]
    cleared = bits >> (52 - precision) << (52 - precision)
    return float(struct.unpack("<d", struct.pack("<Q", cleared))[0]) + 0.0


@pytest.mark.parametrize(
    ("x", "precision", "expected"),
    [
        (3.14159, 4, 3.125),
        (-3.14159, 4, -3.125),
        (2021.0, 10, 2021.0),
        (2021.0, 4, 1984.0),
        (288.37, 7, 288.0),
        (0.0, 5, 0.0),
        (-0.0, 5, 0.0),
    ],
)
def test_the_table_of_the_design(x: float, precision: int, expected: float) -> None:
    """The examples of the specification hold."""
    found = histogram_bins(np.array([x]), precision)
    assert found.tolist() == [expected]
    assert not np.signbit(found[0]) or expected < 0


@given(x=FINITE, precision=PRECISIONS)
def test_any_bit_pattern_falls_into_its_bin(x: float, precision: int) -> None:
    """Every finite double, subnormals included, has the bin that clearing its bits gives."""
    assert histogram_bins(np.array([x]), precision)[0] == bin_of(x, precision)


@given(x=FINITE, precision=PRECISIONS)
def test_a_value_lies_between_its_bins_edges(x: float, precision: int) -> None:
    """A value is at least as far from zero as its bin, nearer than the far edge, and near the midpoint."""
    edge = histogram_bins(np.array([x]), precision)
    far = bin_upper_edge(edge, precision)
    assert abs(edge[0]) <= abs(x) < abs(far[0])
    middle = midpoint(edge, precision)[0]
    if edge[0] != 0.0 and np.isfinite(far[0]):
        assert abs(x / 2 - middle / 2) <= abs(far[0] / 2 - edge[0] / 2)


@given(values=st.lists(FINITE, min_size=1), precision=PRECISIONS)
def test_bin_numbers_order_and_name_bins(values: list[float], precision: int) -> None:
    """Numbers stand for exactly one bin each, in the bins' order, within 32 bits."""
    x = np.array(sorted(values))
    numbers = bin_numbers(x, precision)
    assert (np.diff(numbers) >= 0).all()
    assert np.abs(numbers).max() < 2**31
    named = numbered_bins(numbers, precision)
    assert named.tolist() == histogram_bins(x, precision).tolist()
    assert not np.signbit(named[named == 0]).any()


@given(values=st.lists(FINITE), fine=PRECISIONS, coarse=PRECISIONS)
def test_coarsening_is_exact(values: list[float], fine: int, coarse: int) -> None:
    """Coarsening a histogram gives the histogram taken at the smaller precision."""
    fine, coarse = max(fine, coarse), min(fine, coarse)
    x = np.array(values, dtype=np.float64)
    ones = np.ones(x.size, dtype=np.int64)
    bins, counts = coarsen(*coarsen(x, ones, fine), coarse)
    direct_bins, direct_counts = coarsen(x, ones, coarse)
    assert bins.tolist() == direct_bins.tolist()
    assert counts.tolist() == direct_counts.tolist()


@pytest.mark.parametrize("precision", [-1, 21])
def test_a_precision_out_of_range_is_refused(precision: int) -> None:
    """A precision is 0 to 20 bits."""
    with pytest.raises(ValueError, match="precision"):
        check_precision(precision)
