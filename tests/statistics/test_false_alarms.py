"""Simulation: alarms without drift at the stated level, and power at least that of the best valid peer.

Columns, sizes and levels are those that evidently, nannyml, alibi-detect and scouter were measured with: 20 columns, of which 12 gaussian, 2 lognormal,
2 zero-inflated, 1 Poisson and categories of 5, 50 and 500 values; a single column at the level .05/20.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from histograms import categories, gaussian, zipf

from stream_processors.sketches import CategoricalSketch, NumericSketch
from stream_processors.statistics import Sketch, Thresholds, adjust, judge_column, reference_of

Column = Callable[[np.random.Generator, int], Sketch]
ANY_SIZE = Thresholds(minimum_sample=1)


def lognormal(rng: np.random.Generator, n: int) -> NumericSketch:
    """A skewed column."""
    return NumericSketch.of(rng.lognormal(size=n), 5)


def zero_inflated(share: float) -> Column:
    """A column that is zero except for a share of its rows."""
    return lambda rng, n: NumericSketch.of(np.where(rng.random(n) < share, rng.gamma(2, size=n), 0.0), 5)


def poisson(rng: np.random.Generator, n: int) -> NumericSketch:
    """A column of small counts."""
    return NumericSketch.of(rng.poisson(3, n).astype(np.float64), 5)


def zipfian(k: int) -> Column:
    """A categorical column of k values with a long tail."""
    return lambda rng, n: categories(rng, n, zipf(k))


COLUMNS: list[Column] = [
    *[gaussian] * 12,
    lognormal,
    lognormal,
    zero_inflated(0.1),
    zero_inflated(0.005),
    poisson,
    zipfian(5),
    zipfian(50),
    zipfian(500),
]


@pytest.mark.parametrize(
    ("n", "reference_n", "references", "windows"),
    [(100, 50_000, 3, 60), (500, 50_000, 3, 60), (2_000, 50_000, 3, 60), (500, 1_000, 36, 5)],
)
def test_windows_without_drift_seldom_alarm(n: int, reference_n: int, references: int, windows: int) -> None:
    """At most about 5 % of windows have any significant column among 20, whatever the size of window and reference."""
    rng = np.random.default_rng(n + reference_n)
    alarms = 0
    for _ in range(references):
        prepared = [reference_of([column(rng, reference_n)]) for column in COLUMNS]
        for _ in range(windows):
            verdicts = adjust(
                [
                    judge_column(reference, column(rng, n), ANY_SIZE)
                    for reference, column in zip(prepared, COLUMNS, strict=True)
                ]
            )
            alarms += any(verdict.significant for verdict in verdicts)
    # 180 windows at 5 % give at most 16 with probability .99.
    assert alarms <= 16


def test_the_simulation_would_see_a_test_that_alarms_too_often() -> None:
    """The guard bites: unadjusted, the same windows alarm far more often."""
    rng = np.random.default_rng(3)
    prepared = [reference_of([column(rng, 50_000)]) for column in COLUMNS]
    alarms = 0
    for _ in range(60):
        p_values = [
            judge_column(reference, column(rng, 500), ANY_SIZE).p_value
            for reference, column in zip(prepared, COLUMNS, strict=True)
        ]
        alarms += any(p is not None and p <= 0.05 for p in p_values)
    assert alarms > 16


# Shift of mean, deviation, window size, and the power measured for the design (the best valid peer: .12, .82, .80, 1, .15, .97).
CELLS = [
    (0.1, 1.0, 500, 0.13),
    (0.1, 1.0, 2_000, 0.84),
    (0.2, 1.0, 500, 0.82),
    (0.2, 1.0, 2_000, 1.0),
    (0.0, 1.2, 500, 0.95),
    (0.0, 1.2, 2_000, 1.0),
]


@pytest.mark.parametrize(("mean", "sd", "n", "power"), CELLS)
def test_drift_is_found_as_often_as_measured(mean: float, sd: float, n: int, power: float) -> None:
    """At the level .05/20 each kind of drift is found as often as the design says, within the simulation's error."""
    rng = np.random.default_rng(round(1000 * (mean + sd)) + n)
    reference = reference_of([gaussian(rng, 50_000)])
    rounds = 200
    p_values = [judge_column(reference, gaussian(rng, n, mean, sd)).p_value for _ in range(rounds)]
    found = sum(p is not None and p <= 0.05 / 20 for p in p_values) / rounds
    assert found >= power - 2.6 * np.sqrt(power * (1 - power) / rounds) - 0.01


def test_a_category_that_loses_share_is_found() -> None:
    """The top of five categories losing 5 points is found at n = 2,000 about as often as alibi-detect does (.75)."""
    rng = np.random.default_rng(9)
    shares = np.array([0.4, 0.25, 0.15, 0.12, 0.08])
    moved = shares + np.array([-0.05, 0.0125, 0.0125, 0.0125, 0.0125])
    reference = reference_of([categories(rng, 50_000, shares)])
    windows: list[CategoricalSketch] = [categories(rng, 2_000, moved) for _ in range(200)]
    p_values = [judge_column(reference, window).p_value for window in windows]
    assert sum(p is not None and p <= 0.05 / 20 for p in p_values) / 200 >= 0.67
