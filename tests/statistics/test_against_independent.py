"""Each statistic equals an independent implementation on the raw samples, where ties and bins make both the same thing."""

from __future__ import annotations

import numpy as np
import pytest
from histograms import counted
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.spatial.distance import jensenshannon

from stream_processors.statistics.benjamini_hochberg import benjamini_hochberg
from stream_processors.statistics.cauchy import cauchy
from stream_processors.statistics.chi_squared import chi_squared
from stream_processors.statistics.fisher import fisher, fisher_greater
from stream_processors.statistics.jensen_shannon import jensen_shannon
from stream_processors.statistics.kolmogorov_smirnov import kolmogorov_smirnov
from stream_processors.statistics.mann_whitney import mann_whitney
from stream_processors.statistics.mood import mood
from stream_processors.statistics.psi import psi, psi_expected
from stream_processors.statistics.wasserstein import wasserstein

SAMPLES = st.lists(st.integers(-8, 8), min_size=3, max_size=80)
TABLES = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), min_size=2, max_size=12).filter(
    lambda table: all(map(sum, zip(*table, strict=True)))
)
P_VALUES = st.lists(st.floats(1e-6, 0.98), min_size=1, max_size=20)


@given(one=SAMPLES, other=SAMPLES)
def test_mann_whitney_is_scipys(one: list[int], other: list[int]) -> None:
    """Mann-Whitney from counts has scipy's p-value on the raw samples, ties included."""
    ours, theirs = counted(one, other)
    z = float(mann_whitney(ours, ours + theirs))
    if len({*one, *other}) == 1:
        assert np.isnan(z)
        return
    expected = stats.mannwhitneyu(one, other, use_continuity=False, method="asymptotic").pvalue
    assert 2 * stats.norm.sf(abs(z)) == pytest.approx(expected, rel=1e-9)
    assert np.sign(round(z, 9)) == np.sign(
        round(np.mean(stats.rankdata([*one, *other])[: len(one)]) - (len(one) + len(other) + 1) / 2, 9)
    )


@given(one=SAMPLES, other=SAMPLES)
def test_mood_is_scipys(one: list[int], other: list[int]) -> None:
    """Mood's z from counts is scipy's on the raw samples, ties included."""
    ours, theirs = counted(one, other)
    z = float(mood(ours, ours + theirs))
    if len({*one, *other}) == 1:
        assert np.isnan(z)
        return
    if np.isnan(z):
        # Two values, equally often: every rank is equally far from the middle.
        assert len(set(np.bincount(np.array([*one, *other]) + 8).tolist()) - {0}) == 1
        return
    assert z == pytest.approx(stats.mood(one, other).statistic, rel=1e-6, abs=1e-6)


@given(one=SAMPLES, other=SAMPLES)
def test_distances_are_scipys(one: list[int], other: list[int]) -> None:
    """Kolmogorov-Smirnov, Wasserstein and Jensen-Shannon distances are scipy's."""
    a, b = counted(one, other)
    values = np.unique([*one, *other]).astype(np.float64)
    assert kolmogorov_smirnov(a, b) == pytest.approx(
        stats.ks_2samp(one, other, method="asymp").statistic, abs=1e-12
    )
    expected = stats.wasserstein_distance(one, other)
    assert wasserstein(a, b, values, 2.0) == pytest.approx(expected / 2.0, abs=1e-12)
    assert jensen_shannon(a, b) == pytest.approx(jensenshannon(a / a.sum(), b / b.sum(), base=2), abs=1e-7)


def test_wasserstein_needs_a_reference_that_varies() -> None:
    """Over a deviation of zero, or of nothing, there is no distance."""
    a, b = counted([1.0, 2.0], [1.0, 1.0])
    assert wasserstein(a, b, np.array([1.0, 2.0]), 0.0) is None
    assert wasserstein(a, b, np.array([1.0, 2.0]), None) is None


@given(TABLES)
def test_chi_squared_is_scipys(table: list[tuple[int, int]]) -> None:
    """Porter's two-sample chi-squared is Pearson's on the contingency table."""
    a, b = (np.array(side) for side in zip(*[row for row in table if sum(row)], strict=True))
    if a.size < 2:
        return
    expected = stats.chi2_contingency(np.stack([a, b]), correction=False)
    assert float(chi_squared(a, b)) == pytest.approx(expected.statistic, rel=1e-9, abs=1e-9)


@given(st.tuples(st.integers(0, 40), st.integers(1, 60), st.integers(0, 80), st.integers(1, 5000)))
def test_fisher_is_scipys(table: tuple[int, int, int, int]) -> None:
    """Fisher's exact test, two-sided and one-sided, is scipy's."""
    a, n, b, m = table
    a, b = min(a, n), min(b, m)
    counts = [[a, n - a], [b, m - b]]
    assert fisher(a, n, b, m) == pytest.approx(stats.fisher_exact(counts).pvalue, rel=1e-6, abs=1e-300)
    greater = stats.fisher_exact(counts, alternative="greater").pvalue
    assert fisher_greater(a, n, b, m) == pytest.approx(greater, rel=1e-6, abs=1e-300)


def test_fisher_of_great_counts_is_near_its_approximation() -> None:
    """Where the exact sum is left out the normal approximation takes over without a step."""
    exact, approximate = fisher(9_800, 40_000, 10_200, 40_000), fisher(10_290, 42_000, 10_710, 42_000)
    assert exact == pytest.approx(
        stats.chi2_contingency([[9_800, 30_200], [10_200, 29_800]]).pvalue, rel=0.05
    )
    assert approximate == pytest.approx(
        stats.fisher_exact([[10_290, 31_710], [10_710, 31_290]]).pvalue, rel=0.05
    )
    assert fisher_greater(10_710, 42_000, 10_290, 42_000) == pytest.approx(approximate / 2)
    assert fisher_greater(10_290, 42_000, 10_710, 42_000) == pytest.approx(1 - approximate / 2)


@given(P_VALUES)
def test_benjamini_hochberg_is_scipys(p_values: list[float]) -> None:
    """The adjusted p-values are scipy's."""
    assert benjamini_hochberg(p_values).tolist() == pytest.approx(
        stats.false_discovery_control(p_values).tolist()
    )


def test_benjamini_hochberg_of_nothing() -> None:
    """Without a test nothing is adjusted."""
    assert benjamini_hochberg([]).size == 0


@given(P_VALUES)
def test_cauchy_is_the_cauchy_distributions_tail(p_values: list[float]) -> None:
    """The combination is the survival of the mean of Cauchy quantiles."""
    expected = stats.cauchy.sf(np.mean(stats.cauchy.isf(p_values)))
    assert cauchy(p_values) == pytest.approx(expected, rel=1e-6)


def test_cauchy_keeps_small_p_values_and_is_not_cancelled() -> None:
    """A tiny p-value survives another test's p-value of 1, and one of 0 stays finite."""
    assert cauchy([]) is None
    assert cauchy([1e-12, 1.0]) == pytest.approx(2e-12, rel=1e-3)
    combined = cauchy([0.0, 0.5])
    assert combined is not None
    assert 0 <= combined < 1e-290
    assert cauchy([1.0]) == pytest.approx(0.99)


@pytest.mark.parametrize(
    ("bins", "n", "m"), [(10, 500, 500), (20, 500, 500), (20, 200, 100_000), (50, 500, 500)]
)
def test_psi_without_drift_is_what_chance_explains(bins: int, n: int, m: int) -> None:
    """The mean index of equal distributions is the expected one, within the smoothing's few percent."""
    rng = np.random.default_rng(bins)
    shares = np.full(bins, 1 / bins)
    found = [
        psi(w, r)
        for w, r in zip(rng.multinomial(n, shares, 2000), rng.multinomial(m, shares, 2000), strict=True)
    ]
    assert np.mean(found) == pytest.approx(psi_expected(n, m, bins), rel=0.07)
