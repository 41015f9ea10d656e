"""What differs between windows is estimated whatever their sizes, and its uncertainty is part of the p-value."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from scipy.stats import chi2, f

from stream_processors.statistics.between_windows import (
    BetweenWindows,
    between_histograms,
    between_shares,
    between_windows,
    share_statistics,
)

Floats = np.ndarray[tuple[int, ...], np.dtype[np.float64]]


def against_the_rest(means: Floats, rows: Floats) -> Floats:
    """Squared z of each window's mean, of rows of variance one, against that of all others."""
    total, others = float(rows @ means), rows.sum() - rows
    return np.asarray(np.square(means - (total - rows * means) / others) / (1 / rows + 1 / others))


def estimated(rng: np.random.Generator, rows: Floats, spread: float) -> BetweenWindows:
    """Estimate from windows whose means differ by ``spread``."""
    means = rng.normal(0, np.sqrt(spread**2 + 1 / rows))
    found = between_windows(against_the_rest(means, rows), 1, rows)
    assert found is not None
    return found


@pytest.mark.parametrize("sizes", [(500, 500), (50, 50_000)])
def test_the_excess_is_the_variance_between_windows(sizes: tuple[int, int]) -> None:
    """Windows of one size, or of very different ones: the excess estimates the variance of their means."""
    rng = np.random.default_rng(2)
    rows = np.geomspace(*sizes, 40)
    found = [estimated(rng, rows, 0.2).excess for _ in range(200)]
    assert np.mean(found) == pytest.approx(0.04, rel=0.1)


def test_independent_windows_have_no_excess() -> None:
    """Without any difference the excess is zero about half of the time, and small otherwise."""
    rng = np.random.default_rng(2)
    found = np.array([estimated(rng, np.full(40, 500.0), 0.0).excess for _ in range(200)])
    assert 0.35 < (found == 0).mean() < 0.65
    assert found.max() * 500 < 1.5


@pytest.mark.parametrize("windows", [20, 60])
@pytest.mark.parametrize("p", [0.05, 0.0025, 1e-6])
def test_at_the_references_own_size_it_is_an_f_test(windows: int, p: float) -> None:
    """Where windows differ greatly and all have one size, the p-value is that of the F distribution with k - 1 degrees of freedom."""
    rng = np.random.default_rng(4)
    squares = 100 * np.square(rng.normal(size=windows))
    found = between_windows(squares, 1, np.full(windows, 500.0), sparse=True)
    assert found is not None
    statistic = float(f.isf(p, 1, windows - 1) * squares.mean())
    assert found.p_value(statistic, 1, 500, 500 * (windows - 1)) == pytest.approx(p, rel=0.15)


@pytest.mark.parametrize("spread", [0.0, 0.05])
def test_it_is_never_easier_than_independent_rows(spread: float) -> None:
    """Whatever the windows say, the p-value is at least that of chi-squared."""
    found = estimated(np.random.default_rng(8), np.full(25, 500.0), spread)
    for n in (50, 500, 50_000):
        for statistic in (0.1, 1.0, 4.0, 20.0):
            assert found.p_value(statistic, 1, n, 12_500) >= chi2.sf(statistic, 1) * (1 - 1e-12)
        assert found.factor(n, 12_500) >= 1.0


def test_windows_that_differ_in_one_direction_have_rank_one() -> None:
    """The rank counts directions: about one where a share moves, more where all shares vary."""
    rng = np.random.default_rng(6)
    moving = np.array([0.05 * rng.normal() for _ in range(60)])
    one = np.array(
        [rng.multinomial(5_000, np.full(20, 0.05) + 0.01 * a * np.arange(-9.5, 10)) for a in moving]
    )
    all_of_them = np.array([rng.multinomial(5_000, rng.dirichlet(np.full(20, 20.0))) for _ in range(60)])
    first, second = between_histograms(one), between_histograms(all_of_them)
    assert first is not None
    assert second is not None
    assert first.rank < 2
    assert second.rank > 6


def test_what_cannot_differ_has_no_estimate() -> None:
    """Shares that are constant, and histograms of a single bin, say nothing."""
    rows = np.full(30, 100.0)
    assert between_shares(np.zeros(30), rows) is None
    assert between_histograms(np.full((30, 1), 100)) is None


def test_share_statistics_are_pearsons() -> None:
    """Each window's share against the rest is Pearson's chi-squared; constant shares have none."""
    found = share_statistics(np.array([5.0, 10.0, 30.0]), np.array([100.0, 100.0, 200.0]))
    share = 45 / 400
    expected = (5 / 100 - 40 / 300) ** 2 / (share * (1 - share) * (1 / 100 + 1 / 300))
    assert found[0] == pytest.approx(expected)
    assert np.isnan(share_statistics(np.zeros(3), np.full(3, 10.0))).all()
    assert np.isnan(share_statistics(np.full(3, 10.0), np.full(3, 10.0))).all()


def test_tens_of_thousands_of_windows_fit_in_memory() -> None:
    """Two weeks of minutes: a number for each pair of them would be 3 GB."""
    rng = np.random.default_rng(3)
    shares = rng.dirichlet(np.full(12, 40.0), size=20_000)
    groups = rng.multinomial(300, shares)
    tracemalloc.start()
    try:
        found = between_histograms(groups)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 200e6
    assert found is not None
    # shares of a Dirichlet distribution of weight 480 vary as those of 481 rows do
    assert found.excess / 11 == pytest.approx(1 / 481, rel=0.05)
    assert found.rank == pytest.approx(11, rel=0.1)
