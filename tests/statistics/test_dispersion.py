"""Windows that differ among themselves when nothing is wrong do not raise alarms."""

from __future__ import annotations

import numpy as np
import pytest
from histograms import categories, gaussian

from stream_processors.sketches import CategoricalSketch, NumericSketch
from stream_processors.statistics import judge_column, reference_of
from stream_processors.statistics.between_windows import between_windows
from stream_processors.statistics.dispersion import Dispersion

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
        assert 1.0 <= reference.dispersion.factor(name, 500, 30_000) < 1.5


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
    assert ids.dispersion.factor("chi_squared", 500, 12_500) < 1.5


def test_new_values_that_every_window_brings_are_allowed_for() -> None:
    """A value of its own in each of the reference's windows makes one more such value no evidence; without, it is."""
    usual = ["a"] * 300 + ["b"] * 180
    window = CategoricalSketch.of([*usual, *["new"] * 20])
    series = [CategoricalSketch.of([*usual, *[f"day {i}"] * 20]) for i in range(60)]
    plain = [CategoricalSketch.of([*usual, *["c"] * 20]) for _ in range(60)]
    assert judge_column(series, window).tests["@unseen"] > 0.3
    assert judge_column(plain, window).tests["@unseen"] < 0.05


def test_a_window_without_values_has_a_dispersion_of_its_nulls() -> None:
    """With nothing but nulls in the window, or in the reference, a verdict is reached all the same."""
    rng = np.random.default_rng(SEED)
    series = days(rng, 30, 0.2)
    empty = NumericSketch.of(np.zeros(500), 5, valid=np.zeros(500, dtype=np.bool_))
    assert judge_column(series, empty).dispersion == 1.0
    assert judge_column([empty] * 30, series[0]).tests["@null"] < 1e-6


def test_too_few_windows_leave_tests_as_they_are() -> None:
    """Without a reference's windows, and for a test that they say nothing about, p-values are the plain ones."""
    for plain in (Dispersion(), Dispersion(30)):
        assert plain.rescaled("@null", 0.3, 500, 15_000) == 0.3
        assert plain.p_value("mood", 3.841458820694124, 1, 500, 15_000) == pytest.approx(0.05)
        assert plain.factor("mood", 500, 15_000) == 1.0


def test_dispersion_raises_p_values_with_the_size_of_the_window() -> None:
    """The same statistic is weaker evidence the more rows the window has, and so is an exact test's p-value."""
    rows = np.full(30, 500.0)
    between = between_windows(4 * np.random.default_rng(1).chisquare(1, 30), 1, rows)
    dispersion = Dispersion.of(30, {"mood": between, "@null": between, "@absent": None})
    p = [dispersion.p_value("mood", 16.0, 1, n, 15_000) for n in (5, 500, 50_000)]
    assert 6e-5 < p[0] < p[1] < p[2]
    assert 0.01 < p[1] < 0.2
    assert dispersion.rescaled("@null", 0.05, 500, 15_000) > 0.2
    assert dispersion.rescaled("@absent", 0.05, 500, 15_000) == 0.05
