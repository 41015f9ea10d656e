"""Simulation: usual windows of a column whose windows differ among themselves alarm at about the level, whatever their size; real drift is still found."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
from histograms import categories, gaussian

from stream_processors.sketches import CategoricalSketch, NumericSketch
from stream_processors.statistics import Sketch, judge_column, reference_of

Day = Callable[[np.random.Generator, int], Sketch]
SHARES = np.array([0.4, 0.25, 0.15, 0.12, 0.08])
# A column judged among 20 is decided at about this level.
STRICT = 0.05 / 20


def shifting(spread: float, shift: float = 0.0) -> Day:
    """A gaussian column whose mean differs by ``spread`` from day to day."""
    return lambda rng, n: gaussian(rng, n, mean=shift + rng.normal() * spread)


def shares_that_vary(rng: np.random.Generator, n: int) -> CategoricalSketch:
    """Five categories whose shares differ from day to day."""
    return categories(rng, n, rng.dirichlet(SHARES * 100))


def a_new_value_a_day(rng: np.random.Generator, n: int) -> CategoricalSketch:
    """Five categories, and every day another value of its own, on some days frequent."""
    new = min(0.9, 0.05 * rng.gamma(1.0))
    counts = rng.multinomial(n, [*SHARES * (1 - new), new])
    names = [*"abcde", f"new {rng.integers(10**12)}"]
    return CategoricalSketch.of(np.repeat(names, counts).tolist())


def a_campaign_now_and_then(rng: np.random.Generator, n: int) -> CategoricalSketch:
    """Three categories, and on one day of ten another that 5 % of its rows have."""
    share = 0.05 * (rng.random() < 0.1)
    counts = rng.multinomial(n, [*[(1 - share) / 3] * 3, share])
    return CategoricalSketch.of(np.repeat([*"abc", "campaign"], counts).tolist())


def p_values(
    day: Day,
    usual: Day,
    reference: tuple[int, int],
    n: int,
    *,
    seed: int = 1,
    references: int = 20,
    windows: int = 20,
    test: str | None = None,
) -> npt.NDArray[np.float64]:
    """P-values of windows of n rows of ``day`` against references of (days, rows) of ``usual``."""
    rng = np.random.default_rng(seed)
    found: list[float] = []
    for _ in range(references):
        prepared = reference_of([usual(rng, reference[1]) for _ in range(reference[0])])
        for _ in range(windows):
            verdict = judge_column(prepared, day(rng, n))
            p = verdict.tests[test] if test else verdict.p_value
            assert p is not None
            found.append(p)
    return np.array(found)


@pytest.mark.parametrize(
    "day",
    [shifting(0.2), shifting(0.03), shares_that_vary, a_new_value_a_day],
    ids=["shift", "small shift", "shares", "new value"],
)
@pytest.mark.parametrize(("reference", "n"), [((30, 500), 20_000), ((30, 5_000), 500)])
def test_usual_windows_of_another_size_alarm_at_the_level(
    day: Day, reference: tuple[int, int], n: int
) -> None:
    """The reference's windows need not have as many rows as the window judged: the level holds far above and far below."""
    found = p_values(day, day, reference, n)
    assert (found <= 0.05).mean() <= 0.085
    assert (found <= STRICT).mean() <= 0.015
    assert (found <= 1e-4).mean() <= 0.005


@pytest.mark.parametrize("reference", [(25, 2_000), (60, 2_000)])
@pytest.mark.parametrize(
    "day", [shifting(0.2), shares_that_vary, a_new_value_a_day], ids=["shift", "shares", "new value"]
)
def test_usual_windows_alarm_at_the_level_far_in_the_tail(day: Day, reference: tuple[int, int]) -> None:
    """Windows that differ in one direction, in few, or each in its own: the level holds where decisions over many columns are taken."""
    found = p_values(day, day, reference, reference[1])
    assert (found <= 0.05).mean() <= 0.085
    assert (found <= STRICT).mean() <= 0.015


def test_many_large_reference_windows_do_not_make_it_worse() -> None:
    """With 200 windows of 10,000 rows the shape test holds its level as well."""
    found = p_values(
        shifting(0.2), shifting(0.2), (200, 10_000), 10_000, references=2, windows=150, test="chi_squared"
    )
    assert (found <= 0.05).mean() <= 0.09
    assert (found <= STRICT).mean() <= 0.015


def test_the_level_is_not_held_by_finding_nothing() -> None:
    """Far smaller windows are not over-corrected: their p-values are spread as they should be, and a large shift is found."""
    usual = p_values(shifting(0.2), shifting(0.2), (30, 5_000), 500, test="mann_whitney")
    assert 0.02 <= (usual <= 0.05).mean() <= 0.08
    assert 0.4 <= (usual <= 0.5).mean() <= 0.6
    large = p_values(shifting(0.2, shift=1.0), shifting(0.2), (30, 5_000), 500)
    assert (large <= STRICT).mean() > 0.9


@pytest.mark.parametrize(("rows", "shift"), [(500, 0.2), (2_000, 0.1)])
def test_independent_windows_keep_their_power(rows: int, shift: float) -> None:
    """Where windows differ by chance alone, learning so from 30 of them costs at most a quarter of the power that assuming it has."""

    def found(split: bool) -> float:
        rng = np.random.default_rng(7)
        hits = 0
        for _ in range(10):
            series = [gaussian(rng, rows) for _ in range(30)]
            prepared = reference_of(series if split else [NumericSketch.merged(series)])
            p = [judge_column(prepared, gaussian(rng, rows, mean=shift)).p_value for _ in range(20)]
            hits += sum(value is not None and value <= STRICT for value in p)
        return hits / 200

    assert found(split=True) >= 0.75 * found(split=False)


def test_drift_that_matters_is_found_in_windows_far_larger_than_the_references() -> None:
    """Small reference windows leave open small differences in large windows, but nothing as large as what matters."""
    found = p_values(shifting(0.0, shift=0.35), shifting(0.0), (30, 500), 20_000, references=10)
    assert (found <= 1e-4).mean() == 1.0


def test_a_window_that_spans_many_of_the_references_is_more_evidence() -> None:
    """The differences of 30 days average out in a month: its level holds, and a shift is found that a single day could not show."""
    rng = np.random.default_rng(3)
    prepared = reference_of([shifting(0.2)(rng, 500) for _ in range(60)])

    def month(shift: float) -> NumericSketch:
        return NumericSketch.merged([gaussian(rng, 500, mean=shift + rng.normal() * 0.2) for _ in range(30)])

    def found(shift: float, spans: float) -> float:
        p = [judge_column(prepared, month(shift), spans=spans).p_value for _ in range(60)]
        return float(np.mean([value is not None and value <= 0.05 for value in p]))

    assert found(0.0, 30.0) <= 0.12
    assert found(0.25, 30.0) > 0.9
    assert found(0.25, 1.0) < 0.3


@pytest.mark.parametrize("n", [200, 500])
def test_a_rare_value_that_comes_in_bursts_is_allowed_for(n: int) -> None:
    """A value that most windows of the reference lack and some have often is no more evidence in a window with fewer rows than these."""
    day = a_campaign_now_and_then
    found = p_values(day, day, (60, 2_000), n)
    assert (found <= 0.05).mean() <= 0.085
    assert (found <= STRICT).mean() <= 0.015
