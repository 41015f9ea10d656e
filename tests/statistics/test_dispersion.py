"""Windows that differ among themselves when nothing is wrong do not raise alarms."""

from __future__ import annotations

import numpy as np
import pytest
from histograms import categories, gaussian

from stream_processors.sketches import CategoricalSketch, NumericSketch
from stream_processors.statistics import judge_column, reference_of
from stream_processors.statistics.dispersion import Dispersion, share_statistics

SEED = 5


def days(rng: np.random.Generator, n_days: int, spread: float) -> list[NumericSketch]:
    """Days of 500 rows whose mean differs by ``spread`` from day to day."""
    return [gaussian(rng, 500, mean=rng.normal(0, spread)) for _ in range(n_days)]


def test_fewer_than_twenty_windows_assume_independent_rows() -> None:
    """With 19 windows the verdict says so; with 20 it divides."""
    rng = np.random.default_rng(SEED)
    series = days(rng, 20, 0.3)
    window = gaussian(rng, 500)
    few, enough = judge_column(series[:19], window), judge_column(series, window)
    assert few.assumes_independent_rows
    assert few.dispersion is None
    assert not enough.assumes_independent_rows
    assert enough.dispersion is not None
    assert enough.dispersion > 5


def test_windows_too_small_to_tell_do_not_count() -> None:
    """Windows of a handful of rows do not make a series."""
    rng = np.random.default_rng(SEED)
    series = [*days(rng, 19, 0.0), *[gaussian(rng, 5) for _ in range(10)]]
    assert judge_column(series, gaussian(rng, 500)).assumes_independent_rows


def test_independent_windows_have_no_dispersion() -> None:
    """Independent rows have a dispersion near one, and it is never below."""
    rng = np.random.default_rng(SEED)
    reference = reference_of(days(rng, 60, 0.0))
    assert reference is not None
    for name in ("mann_whitney", "mood", "chi_squared"):
        assert 1.0 <= reference.dispersion.by_test[name] < 1.5


def test_days_that_differ_alarm_at_the_level() -> None:
    """Where every day has its own mean, a usual day is significant about as often as the level says, not nearly always."""
    rng = np.random.default_rng(SEED)
    hits = without = 0
    rounds = 300
    for _ in range(10):
        series = days(rng, 30, 0.3)
        reference, blob = reference_of(series), reference_of([NumericSketch.merged(series)])
        for window in days(rng, rounds // 10, 0.3):
            p, naive = judge_column(reference, window).p_value, judge_column(blob, window).p_value
            assert p is not None
            assert naive is not None
            hits += p <= 0.05
            without += naive <= 0.05
    assert hits / rounds < 0.11
    assert without / rounds > 0.6


def test_a_day_beyond_the_usual_is_still_found() -> None:
    """A shift larger than days differ is significant."""
    rng = np.random.default_rng(SEED)
    p = judge_column(days(rng, 30, 0.1), gaussian(rng, 500, mean=1.0)).p_value
    assert p is not None
    assert p < 1e-6


def test_null_rates_that_vary_from_day_to_day_are_allowed_for() -> None:
    """A null rate within the reference's usual range is not evidence."""
    rng = np.random.default_rng(SEED)

    def day(rate: float) -> NumericSketch:
        return NumericSketch.of(rng.normal(size=500), 5, valid=rng.random(500) >= rate)

    series = [day(rate) for rate in rng.uniform(0.0, 0.2, 40)]
    assert judge_column(series, day(0.17)).tests["@null"] > 0.05
    assert judge_column([NumericSketch.merged(series)], day(0.17)).tests["@null"] < 0.01
    assert judge_column(series, day(0.9)).tests["@null"] < 1e-6


def test_extremes_that_come_in_clusters_are_allowed_for() -> None:
    """Where one reference day reached far beyond all others with many rows, another such day is weaker evidence."""
    rng = np.random.default_rng(SEED)
    series = days(rng, 30, 0.0)
    stormy = [*series[:-1], NumericSketch.of(np.concatenate((rng.normal(size=470), np.full(30, 50.0))), 5)]
    beyond = NumericSketch.of(np.concatenate((rng.normal(size=490), np.full(10, 99.0))), 5)
    assert judge_column(stormy, beyond).tests["@above"] > 1e6 * judge_column(series, beyond).tests["@above"]


def test_categories_have_a_dispersion_as_well() -> None:
    """Shares that vary from day to day are divided by their dispersion; lists and buckets alike."""
    rng = np.random.default_rng(SEED)

    def day() -> CategoricalSketch:
        return categories(rng, 500, rng.dirichlet([20, 20, 20, 20, 20]))

    series = [day() for _ in range(30)]
    window = day()
    verdict = judge_column(series, window)
    assert verdict.dispersion is not None
    assert verdict.dispersion > 2
    naive = judge_column([CategoricalSketch.merged(series)], window)
    assert verdict.tests["chi_squared"] > naive.tests["chi_squared"]
    full = [CategoricalSketch.of(f"id{i}" for i in rng.integers(0, 10**9, 500)) for _ in range(25)]
    ids = reference_of(full)
    assert ids is not None
    assert ids.dispersion.by_test["chi_squared"] < 1.5


def test_share_statistics_are_pearsons() -> None:
    """Each window's share against the rest is Pearson's chi-squared; constant shares have none."""
    found = share_statistics(np.array([5.0, 10.0, 30.0]), np.array([100.0, 100.0, 200.0]))
    share = 45 / 400
    expected = (5 / 100 - 40 / 300) ** 2 / (share * (1 - share) * (1 / 100 + 1 / 300))
    assert found[0] == pytest.approx(expected)
    assert np.isnan(share_statistics(np.zeros(3), np.full(3, 10.0))).all()
    assert np.isnan(share_statistics(np.full(3, 10.0), np.full(3, 10.0))).all()


def test_no_dispersion_leaves_tests_as_they_are() -> None:
    """Below or at a dispersion of one, p-values are the plain ones."""
    plain = Dispersion()
    assert plain.rescaled("@null", 0.3) == 0.3
    assert plain.p_value("mood", 3.841458820694124, 1) == pytest.approx(0.05)
    assert Dispersion(30, {"mood": 4.0}).p_value("mood", 4 * 3.841458820694124, 1) == pytest.approx(
        0.0597, abs=1e-3
    )
    assert Dispersion(30, {"@null": 4.0}).rescaled("@null", 0.05) > 0.3
