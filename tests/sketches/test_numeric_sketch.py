"""A numeric sketch counts every value, merges exactly, and answers within its stated error."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sketch_inputs import DOUBLES, PRECISIONS, numeric_counts

from stream_processors.sketches import NumericSketch

ROWS = st.lists(st.tuples(DOUBLES, st.booleans()), max_size=60)


def sketch_of(rows: list[tuple[float, bool]], precision: int, absent: int = 0) -> NumericSketch:
    """Sketch rows of (value, is valid)."""
    values = np.array([value for value, _ in rows], dtype=np.float64)
    return NumericSketch.of(values, precision, np.array([valid for _, valid in rows], dtype=np.bool_), absent)


@given(rows=ROWS, precision=PRECISIONS, cuts=st.lists(st.integers(0, 60), max_size=4), random=st.randoms())
def test_any_split_in_any_order_merges_to_the_whole(
    rows: list[tuple[float, bool]], precision: int, cuts: list[int], random: object
) -> None:
    """However rows are split and parts ordered, the merged sketch equals that of all rows."""
    edges = [0, *sorted(min(cut, len(rows)) for cut in cuts), len(rows)]
    parts = [sketch_of(rows[a:b], precision, absent=1) for a, b in pairwise(edges)]
    random.shuffle(parts)  # type: ignore[attr-defined]  # hypothesis' random.Random
    merged = NumericSketch.merged(parts)
    whole = sketch_of(rows, precision, absent=len(parts))
    assert numeric_counts(merged) == numeric_counts(whole)
    finite = [v for v, valid in rows if valid and math.isfinite(v)]
    if all(abs(v) < 1e150 for v in finite):
        assert merged.sum == pytest.approx(whole.sum, rel=1e-9, abs=1e-9 * sum(map(abs, finite)))
        assert merged.sum_of_squares == pytest.approx(whole.sum_of_squares, rel=1e-9)


@given(rows=ROWS, one=PRECISIONS, other=PRECISIONS)
def test_different_precisions_merge_at_the_smaller(
    rows: list[tuple[float, bool]], one: int, other: int
) -> None:
    """Sketches of two precisions merge to what the smaller one would have counted."""
    half = len(rows) // 2
    merged = sketch_of(rows[:half], one).merge(sketch_of(rows[half:], other))
    assert numeric_counts(merged) == numeric_counts(sketch_of(rows, min(one, other)))


@given(rows=ROWS, precision=PRECISIONS)
def test_every_row_is_counted_once(rows: list[tuple[float, bool]], precision: int) -> None:
    """Finite values, nulls, NaN and infinities add up to the rows."""
    sketch = sketch_of(rows, precision, absent=3)
    assert sketch.n == len(rows) + 3
    assert sketch.of_events(len(rows) + 10).absent == 10
    if rows:
        with pytest.raises(ValueError, match="more than all"):
            sketch.of_events(len(rows) - 1)


@given(
    values=st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=80),
    precision=PRECISIONS,
    q=st.floats(0, 1),
)
def test_a_quantile_is_within_half_a_bin(values: list[float], precision: int, q: float) -> None:
    """The quantile is off by at most a share of 2^-(p+1) of the value, and never beyond the least and greatest value."""
    x = np.array(values)
    true = float(np.quantile(x, q, method="inverted_cdf"))
    found = NumericSketch.of(x, precision).quantile(q)
    assert found is not None
    assert abs(found - true) <= abs(true) * 2.0 ** -(precision + 1) + 1e-300
    assert x.min() <= found <= x.max()


HOSTILE = {
    "lognormal": lambda chance: chance.lognormal(3, 1.5, 20_000),
    "cauchy": lambda chance: chance.standard_cauchy(20_000) ** 3,
    "mixed sign": lambda chance: chance.normal(0, 1, 20_000),
    "powers of two, and the doubles just below": lambda chance: np.nextafter(
        2.0 ** chance.integers(-60, 60, 20_000), chance.choice([-np.inf, np.inf], 20_000)
    ),
    "one heavy value among subnormals": lambda chance: np.where(
        chance.random(20_000) < 0.5, 0.1, chance.integers(1, 2**52, 20_000) * 5e-324
    ),
    "far from zero, close together": lambda chance: 1e15 + chance.random(20_000),
    "all exponents": lambda chance: chance.integers(0, 2**64, 20_000, dtype=np.uint64).view(np.float64),
}


@pytest.mark.parametrize("precision", [0, 5, 7, 10, 20])
@pytest.mark.parametrize("shape", HOSTILE)
def test_the_stated_bound_holds_on_hostile_data(shape: str, precision: int) -> None:
    """At every quantile the answer is off by at most 2^-(p+1) of numpy's, and 2^-(1022+p) where that is below the least normal double."""
    x = HOSTILE[shape](np.random.default_rng(precision))
    x = x[np.isfinite(x)]
    sketch = NumericSketch.of(x, precision)
    for q in (0.0, 0.001, 0.01, 0.25, 0.5, 0.75, 0.9, 0.99, 0.999, 1.0):
        true = float(np.quantile(x, q, method="inverted_cdf"))
        found = sketch.quantile(q)
        assert found is not None
        least = np.ldexp(1.0, -1022 - precision) if abs(true) < 2.0**-1022 else 0.0
        assert abs(found - true) <= max(np.ldexp(abs(true), -precision - 1), least), (q, found, true)


def test_the_stated_bound_is_reached() -> None:
    """A value at the beginning of its octave, whose bin reaches further, is off by just that share: no smaller bound would be true."""
    sketch = NumericSketch.of(np.array([0.5, 1.0, 1.99]), 5)
    assert sketch.quantile(0.5) == 1.0 + 2.0**-6


def test_the_distribution_function_counts_whole_bins() -> None:
    """At values that begin a bin of their own, the distribution function is exact."""
    sketch = NumericSketch.of(np.array([-2.0, 0.0, 1.0, 1.0, 4.0]), 5)
    assert [sketch.cdf(x) for x in (-math.inf, -3.0, -2.0, 0.5, 1.0, math.inf)] == [0, 0, 0.2, 0.4, 0.8, 1]
    assert NumericSketch.empty(5).cdf(1.0) is None


def test_the_ends_are_exact() -> None:
    """The quantiles 0 and 1 are the least and the greatest value, not the middles of their bins."""
    sketch = NumericSketch.of(np.array([1.0, 1.02]), 5)
    assert (sketch.quantile(0), sketch.quantile(1)) == (1.0, 1.02)
    assert sketch.quantile(0.5) == 1.0 + 2.0**-6


def test_a_share_of_no_number_is_refused() -> None:
    """NaN is no value that others lie below, and no share."""
    sketch = NumericSketch.of(np.array([1.0]), 5)
    with pytest.raises(ValueError, match="NaN"):
        sketch.cdf(math.nan)
    with pytest.raises(ValueError, match="between 0 and 1"):
        sketch.quantile(math.nan)


@pytest.mark.parametrize("precision", [5.5, 7.5, "5", None, -1, 21])
def test_a_precision_is_whole_bits(precision: Any) -> None:
    """Anything else is refused, whoever is asked."""
    sketch = NumericSketch.of(np.array([1.0]), np.int64(7))  # type: ignore[arg-type]  # numpy's are whole too
    asked: list[Callable[[], object]] = [
        lambda: NumericSketch.of(np.array([1.0]), precision),
        lambda: NumericSketch.empty(precision),
        lambda: sketch.coarsen(precision),
    ]
    for ask in asked:
        with pytest.raises(ValueError, match="a precision is 0 to 20 bits, not"):
            ask()


@pytest.mark.parametrize("offset", [0.0, 300.0, 1.7e9, -1.7e15])
def test_mean_comes_from_exact_sums(offset: float) -> None:
    """The mean agrees with numpy's, far from zero too."""
    x = np.random.default_rng(1).normal(offset, 1000.0, 5000)
    assert NumericSketch.of(x, 20).mean == pytest.approx(x.mean(), rel=1e-12)


# values close together and far from zero: pressures, times of an hour and of a day, years, and what no double tells apart well
NARROW = [(101_325.0, 1.0), (1.7e9, 1000.0), (1.7e9, 25_000.0), (-2021.0, 0.05), (0.0, 3.0), (1.7e15, 1000.0)]


@pytest.mark.parametrize("precision", [5, 7, 20])
@pytest.mark.parametrize(("offset", "spread"), NARROW)
def test_deviation_errs_no_more_than_promised(offset: float, spread: float, precision: int) -> None:
    """However the values were added and merged, the variance is within the bound of what numpy says, and within their range's."""
    x = np.random.default_rng(1).normal(offset, spread, 20_000)
    one_by_one = NumericSketch.merged(NumericSketch.of(x[at : at + 1], precision) for at in range(5000))
    pieces = NumericSketch.merged(NumericSketch.of(piece, precision) for piece in np.split(x, 500))
    for sketch, values in ((one_by_one, x[:5000]), (pieces, x), (NumericSketch.of(x, precision), x)):
        assert sketch.std is not None
        n, spread_of = values.size, float(np.ptp(values))
        assert abs(sketch.std**2 - values.var()) <= 3 * (n + 1) * 2.0**-53 * np.square(values).mean()
        assert spread_of / math.sqrt(2 * n) <= sketch.std <= spread_of / 2


@pytest.mark.parametrize(("offset", "spread"), NARROW[:-1])
def test_deviation_of_narrow_columns(offset: float, spread: float) -> None:
    """A column that varies has the deviation that numpy says, also where all of it is in one bin."""
    x = np.random.default_rng(2).normal(offset, spread, 10_000)
    assert NumericSketch.of(x, 5).std == pytest.approx(x.std(), rel=1e-3)


@pytest.mark.parametrize("scale", [1e300, 1e-200])
def test_deviation_where_squares_are_no_doubles(scale: float) -> None:
    """Where squares overflow or vanish the bins say how much a column varies."""
    x = scale * np.random.default_rng(3).normal(1.0, 2.0, 1000)
    assert NumericSketch.of(x, 7).std == pytest.approx(scale * (x / scale).std(), rel=0.01)


def test_a_constant_column_has_no_deviation() -> None:
    """The deviation of equal values is exactly zero, whatever rounding does to the sums."""
    assert NumericSketch.of(np.full(1000, 0.1), 5).std == 0.0


def test_nothing_has_no_mean() -> None:
    """A sketch without finite values answers None, not a number."""
    empty = NumericSketch.of(np.array([np.nan, np.inf]), 5)
    assert (empty.mean, empty.std, empty.quantile(0.5), empty.minimum, empty.maximum) == (None,) * 5
    with pytest.raises(ValueError, match="no sketch"):
        NumericSketch.merged([])


def test_too_many_bins_are_coarsened_and_said_so() -> None:
    """More than 4,096 bins are coarsened until they fit; the counts are those of the smaller precision."""
    x = np.random.default_rng(2).lognormal(0, 3, 60_000)
    full = NumericSketch.of(x, 20)
    fitted = full.fitted()
    assert full.bins.size > 4096 >= fitted.bins.size
    assert fitted.degraded
    assert not full.degraded
    assert fitted.bins.tolist() == NumericSketch.of(x, fitted.precision).bins.tolist()
    assert full.coarsen(fitted.precision + 1).bins.size > 4096
    assert fitted.merge(NumericSketch.of(x, 20)).degraded


def test_even_all_exponents_fit_at_precision_zero() -> None:
    """Doubles of every exponent and both signs fit into 4,096 bins, so that coarsening always ends."""
    magnitudes = np.ldexp(1.0, np.arange(-1074, 1024))
    fitted = NumericSketch.of(np.concatenate((magnitudes, -magnitudes, [0.0])), 20).fitted()
    assert fitted.bins.size <= 4096
