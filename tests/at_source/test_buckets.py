"""Buckets: every number goes to the lower edge of its bucket, one by one and by columns, and stays there."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from generated_contracts import edges
from hypothesis import example, given
from hypothesis import strategies as st

from producers.at_source.buckets import bucket_problem, bucketing
from producers.at_source.columns import bucketed

WIDTHS = st.one_of(
    st.integers(1, 1000).map(float), st.floats(1e-6, 1e6), st.sampled_from([0.1, 0.01, 1e-300, 1e300])
)


@pytest.mark.parametrize(
    ("value", "edge"),
    [(37.0, 30.0), (30.0, 30.0), (-3.0, -10.0), (-0.0, 0.0), (0.0, 0.0), (9.999, 0.0), (-10.0, -10.0)],
)
def test_a_width(value: float, edge: float) -> None:
    """The last multiple of the width that is not above the number; zero has no sign."""
    found = bucketing(10.0)(value)
    assert found == edge
    assert math.copysign(1, found) == (1 if edge == 0 else math.copysign(1, edge))


@pytest.mark.parametrize(
    ("value", "edge"),
    [(-5.0, 0.0), (0.0, 0.0), (17.9, 0.0), (18.0, 18.0), (70.0, 65.0), (math.inf, 65.0), (-math.inf, 0.0)],
)
def test_edges(value: float, edge: float) -> None:
    """The last edge that is not above the number; below the first there is only the first."""
    assert bucketing((0.0, 18.0, 65.0))(value) == edge


@given(WIDTHS, st.floats(allow_nan=False, allow_infinity=False))
def test_the_edge_of_a_width_is_the_last_below(width: float, value: float) -> None:
    """Within the reach of doubles, a number lies between the edge and the next, and what is bucketed stays."""
    edge = bucketing(width)(value)
    assert bucketing(width)(edge) == edge
    if abs(value) < width * 2**50 and math.isfinite(edge):
        step = round(edge / width)
        assert step * width == edge
        assert edge <= value < (step + 1) * width


@given(edges(), st.floats())
def test_the_edge_of_a_list_stays(given_edges: list[float], value: float) -> None:
    """It is one of the list, the same for what is bucketed again, and NaN is NaN."""
    lower_edge = bucketing(tuple(given_edges))
    edge = lower_edge(value)
    assert (math.isnan(edge) and math.isnan(value)) or edge in given_edges
    assert math.isnan(edge) or lower_edge(edge) == edge
    assert math.isnan(value) or all(
        not low <= value < high or edge == low for low, high in pairwise(given_edges)
    )


@example(10.0, [-0.0, 0.0, -1e-320])
@given(st.one_of(WIDTHS, edges().map(tuple)), st.lists(st.floats(), max_size=20))
def test_columns_are_bucketed_alike_to_the_bit(
    bucket: float | tuple[float, ...], values: list[float]
) -> None:
    """A column gets the very doubles that its numbers get one by one."""
    one_by_one = np.array([bucketing(bucket)(value) for value in values], dtype=np.float64)
    by_column = bucketed(np.array(values, dtype=np.float64), bucket)
    finite = ~np.isnan(one_by_one)
    assert (np.isnan(by_column) == ~finite).all()
    assert by_column[finite].tobytes() == one_by_one[finite].tobytes()


@pytest.mark.parametrize(
    "bucket", [0.0, -1.0, math.inf, math.nan, (), (1.0, 1.0), (2.0, 1.0), (math.nan,), (0.0, math.inf)]
)
def test_what_is_no_bucket(bucket: float | tuple[float, ...]) -> None:
    """A width is positive, edges rise, and all are finite."""
    assert bucket_problem(bucket)


@pytest.mark.parametrize("bucket", [10.0, 1e-300, (5.0,), (-1.0, 0.0, 1e300)])
def test_what_is_a_bucket(bucket: float | tuple[float, ...]) -> None:
    """Anything else will do."""
    assert bucket_problem(bucket) is None
