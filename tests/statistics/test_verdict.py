"""A verdict says what changed, whether chance explains it, and whether it matters."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from histograms import categories, gaussian, zipf

from stream_processors.sketches import CategoricalSketch, NumericSketch
from stream_processors.statistics import ColumnVerdict, Thresholds, adjust, judge_column, reference_of

SEED = 11


def judged(
    reference: NumericSketch | CategoricalSketch, window: NumericSketch | CategoricalSketch
) -> ColumnVerdict:
    """The finished verdict on a column judged alone."""
    return adjust([judge_column([reference], window)])[0]


def numbers(values: object, **missing: int) -> NumericSketch:
    """A numeric sketch with so many nulls and absences."""
    array = np.asarray(values, dtype=np.float64)
    nulls = missing.get("nulls", 0)
    valid = np.arange(array.size + nulls) < array.size
    return NumericSketch.of(np.append(array, np.zeros(nulls)), 5, valid, missing.get("absent", 0))


def test_a_shifted_column_has_drifted() -> None:
    """A mean that moves by a deviation is significant, material, and measured by every distance."""
    rng = np.random.default_rng(SEED)
    verdict = judged(gaussian(rng, 20_000), gaussian(rng, 1_000, mean=1.0))
    assert (verdict.state, verdict.material, verdict.significant) == ("drifted", "severe", True)
    assert (verdict.n, verdict.reference_n, verdict.excluded) == (1_000, 20_000, 0)
    assert verdict.wasserstein == pytest.approx(1.0, abs=0.15)
    assert verdict.kolmogorov_smirnov == pytest.approx(0.383, abs=0.05)
    assert verdict.psi is not None
    assert verdict.psi_expected is not None
    assert verdict.psi_excess == verdict.psi - verdict.psi_expected
    assert set(verdict.tests) >= {"mann_whitney", "mood", "chi_squared"}
    assert sum(verdict.counts) == 1_000
    assert sum(verdict.reference_counts) == 20_000
    assert verdict.assumes_independent_rows


def test_the_same_distribution_has_not() -> None:
    """Equal distributions are ok."""
    rng = np.random.default_rng(SEED)
    verdict = judged(gaussian(rng, 20_000), gaussian(rng, 1_000))
    assert (verdict.state, verdict.material, verdict.significant) == ("ok", "none", False)


def test_significant_alone_is_not_drift() -> None:
    """With many rows a small change is certain, and still does not matter."""
    rng = np.random.default_rng(SEED)
    verdict = judged(gaussian(rng, 200_000), gaussian(rng, 100_000, mean=0.05))
    assert (verdict.state, verdict.material, verdict.significant) == ("ok", "none", True)


def test_material_alone_is_not_drift() -> None:
    """A change of which chance is a fair explanation does not count, however large it looks."""
    reference = numbers([0.0] * 150 + [1.0] * 50)
    strict = Thresholds(warn=0.01, minimum_sample=10)
    verdict = adjust([judge_column([reference], numbers([0.0] * 15 + [1.0] * 9), strict)])[0]
    assert verdict.material == "warn"
    assert (verdict.state, verdict.significant) == ("ok", False)


@pytest.mark.parametrize(("excess", "material"), [(0.05, "none"), (0.15, "warn"), (0.4, "severe")])
def test_materiality_is_the_columns_own(excess: float, material: str) -> None:
    """The thresholds decide what matters: the same excess is nothing, a warning or severe."""
    rng = np.random.default_rng(SEED)
    reference, window = gaussian(rng, 20_000), gaussian(rng, 2_000, mean=0.7)
    found = judge_column([reference], window).psi_excess
    assert found is not None
    scale = found / excess
    limits = Thresholds(warn=0.1 * scale, severe=0.25 * scale)
    assert judge_column([reference], window, limits).material == material


def test_too_few_rows_are_insufficient() -> None:
    """Below the minimum sample, of window or reference, nothing is tested."""
    rng = np.random.default_rng(SEED)
    for n, m in ((199, 5_000), (5_000, 199)):
        verdict = judged(gaussian(rng, m), gaussian(rng, n, mean=5.0))
        assert (verdict.state, verdict.p_value, verdict.n, verdict.reference_n) == (
            "insufficient",
            None,
            n,
            m,
        )
    assert judged(gaussian(rng, 200), gaussian(rng, 200)).state == "ok"
    limits = Thresholds(minimum_sample=100)
    assert judge_column([gaussian(rng, 5_000)], gaussian(rng, 100), limits).p_value is not None


def test_without_a_reference_there_is_no_verdict() -> None:
    """No reference, an empty series and a series without events are one state."""
    window = gaussian(np.random.default_rng(SEED), 500)
    for reference in (None, [], [NumericSketch.empty(5)]):
        assert judge_column(reference, window).state == "no_reference"


def test_a_constant_column_is_untestable() -> None:
    """One value on both sides can show nothing; another value shows."""
    assert judged(numbers([0.0] * 500), numbers([0.0] * 300)).state == "untestable"
    assert judged(CategoricalSketch.of(["a"] * 500), CategoricalSketch.of(["a"] * 300)).state == "untestable"
    assert judged(numbers([0.0] * 500), numbers([1.0] * 300)).state == "drifted"
    assert judged(CategoricalSketch.of(["a"] * 500), CategoricalSketch.of(["b"] * 300)).state == "drifted"


def test_nulls_and_absences_are_drift_of_their_own() -> None:
    """A feature that arrives null, or not at all, has drifted even if no value is left to compare."""
    rng = np.random.default_rng(SEED)
    reference = gaussian(rng, 20_000)
    for window, name, test in (
        (numbers([], nulls=500), "null_rate_change", "@null"),
        (numbers([], absent=500), "absent_rate_change", "@absent"),
    ):
        verdict = judged(reference, window)
        assert (verdict.state, verdict.material, verdict.excluded) == ("drifted", "severe", 500)
        assert getattr(verdict, name) == 1.0
        assert verdict.tests[test] < 1e-100
        assert (verdict.kolmogorov_smirnov, verdict.wasserstein) == (None, None)


def test_rare_nulls_are_tested_exactly() -> None:
    """Five nulls where there never were any are significant; one is not evidence enough beside other tests."""
    rng = np.random.default_rng(SEED)
    reference, values = gaussian(rng, 20_000), rng.normal(size=500)
    assert judged(reference, numbers(values, nulls=5)).significant
    assert judged(reference, numbers(values, nulls=5)).tests["@null"] < 1e-6
    assert not judged(reference, numbers(values)).significant


@pytest.mark.parametrize(("outlier", "test"), [(1e6, "@above"), (-1e6, "@below"), (np.inf, "@nan_inf")])
def test_values_never_seen_are_significant(outlier: float, test: str) -> None:
    """A few values beyond all the reference's are found by the bin they fall into."""
    rng = np.random.default_rng(SEED)
    values = rng.normal(size=500)
    values[:6] = outlier
    verdict = judged(gaussian(rng, 20_000), numbers(values))
    assert verdict.significant
    assert verdict.tests[test] == min(verdict.tests.values())


def test_few_rows_off_the_mode_are_tested_exactly() -> None:
    """Where nearly all is one value, the share of that value is tested by Fisher, and growth off it is drift."""
    reference = numbers([0.0] * 9_980 + [1.0] * 10 + [2.0] * 10)
    quiet = judged(reference, numbers([0.0] * 499 + [1.0]))
    assert set(quiet.tests) == {"mode"}
    assert quiet.state == "ok"
    assert judged(reference, numbers([0.0] * 480 + [1.0] * 20)).significant


def test_the_shape_is_tested_too() -> None:
    """A change that moves neither location nor scale is found on the bins."""
    rng = np.random.default_rng(SEED)
    three = rng.choice([-1.0, 0.0, 1.0], 20_000, p=[0.25, 0.5, 0.25])
    skewed = numbers(rng.choice([-1.5, 0.0, 0.5, 1.5], 2_000, p=[0.25, 0.25, 0.25, 0.25]))
    verdict = judged(numbers(three), skewed)
    assert verdict.significant
    assert verdict.tests["chi_squared"] < 1e-10


def test_categories_drift_by_share_and_by_novelty() -> None:
    """A share that moves, and values that never came before, are drift; a long tail's unseen values are not."""
    rng = np.random.default_rng(SEED)
    shares = np.array([0.5, 0.3, 0.2])
    reference = categories(rng, 20_000, shares)
    assert judged(reference, categories(rng, 1_000, shares)).state == "ok"
    moved = judged(reference, categories(rng, 1_000, np.array([0.2, 0.3, 0.5])))
    assert (moved.state, moved.kolmogorov_smirnov, moved.wasserstein) == ("drifted", None, None)
    garbage = CategoricalSketch.of([f"c{i % 3}" for i in range(980)] + [f"?{i}" for i in range(20)])
    assert judged(reference, garbage).tests["@unseen"] < 1e-10
    tail = zipf(5_000)
    assert not judged(categories(rng, 2_000, tail), categories(rng, 1_000, tail)).significant


@pytest.mark.parametrize("n", [500, 5_000])
def test_the_values_that_a_long_tail_always_brings_are_no_change(n: int) -> None:
    """The reference's side of unseen values is empty by definition: what they add to PSI without any drift is expected, and what is new beyond that is not."""
    rng = np.random.default_rng(SEED)
    tail = zipf(100_000)
    reference = reference_of([categories(rng, 20_000, tail)])
    usual = [judge_column(reference, categories(rng, n, tail)) for _ in range(20)]
    assert np.mean([verdict.psi or 0.0 for verdict in usual]) > 0.25
    assert abs(np.mean([verdict.psi_excess or 0.0 for verdict in usual])) < 0.03
    assert {verdict.material for verdict in usual} == {"none"}
    renamed = CategoricalSketch.of([f"new {i}" for i in rng.choice(tail.size, n, p=tail)])
    assert judge_column(reference, renamed).material == "severe"


@pytest.mark.parametrize("name", ["never seen", "rare"])
def test_one_value_that_was_not_there_is_found_beside_any_reference(name: str) -> None:
    """A new value, or one that was rare, is drift at 5 % of a small window, however much larger the reference is."""
    rng = np.random.default_rng(SEED)
    values = [*"abc", "rare"]
    usual = np.repeat(values, rng.multinomial(100_000, [0.3333, 0.3333, 0.3333, 0.0001])).tolist()
    window = np.repeat([*"abc", name], rng.multinomial(500, [0.95 / 3] * 3 + [0.05])).tolist()
    verdict = judged(CategoricalSketch.of(usual), CategoricalSketch.of(window))
    assert verdict.state == "drifted"
    assert verdict.tests["rare"] < 1e-20


def test_identifiers_do_not_drift() -> None:
    """A column that is new in every row is new in the reference's rows as well."""
    reference = CategoricalSketch.of(f"id{i}" for i in range(20_000))
    assert judged(reference, CategoricalSketch.of(f"id{i}" for i in range(50_000, 51_000))).state == "ok"


def test_free_text_is_compared_by_hash() -> None:
    """Values too long to be named are compared in their buckets."""
    texts = ["x" * 70 + str(i) for i in range(3)]
    reference = CategoricalSketch.of(texts[i % 2] for i in range(5_000))
    assert judged(reference, CategoricalSketch.of(texts[i % 2] for i in range(500))).state == "ok"
    assert judged(reference, CategoricalSketch.of(texts[2] for _ in range(500))).state == "drifted"


def test_precisions_meet_at_the_smaller() -> None:
    """A window or a reference with coarser bins is compared at its own precision, with the same verdict as if both were."""
    rng = np.random.default_rng(SEED)
    reference = NumericSketch.of(rng.normal(size=20_000), 10)
    window = NumericSketch.of(rng.normal(0.3, size=1_000), 10)
    coarse = judge_column([reference.coarsen(4)], window.coarsen(4))
    assert judge_column([reference], window.coarsen(4)) == coarse
    assert judge_column([reference.coarsen(4)], window) == coarse


def test_a_reference_is_made_ready_once() -> None:
    """A prepared reference gives the verdict the series gives, split or not."""
    rng = np.random.default_rng(SEED)
    series = [gaussian(rng, 1_000) for _ in range(5)]
    window = gaussian(rng, 500, mean=0.2)
    prepared = reference_of(series)
    assert judge_column(prepared, window) == judge_column(series, window) == judge_column(prepared, window)
    assert judge_column([NumericSketch.merged(series)], window).counts == judge_column(series, window).counts


def test_kinds_are_not_mixed() -> None:
    """A categorical window cannot be judged by a numeric reference, nor can a reference be of both kinds."""
    reference, window = numbers([1.0] * 500), CategoricalSketch.of(["a"] * 500)
    with pytest.raises(TypeError, match="kind"):
        judge_column([reference], window)
    with pytest.raises(TypeError, match="not both"):
        reference_of([reference, window])


def test_significance_is_adjusted_over_all_that_was_tested() -> None:
    """Among many quiet columns a p-value just below the level is not significant, and what was not tested does not count."""
    verdicts = [
        ColumnVerdict(state="ok", material="warn", n=1, reference_n=1, p_value=p)
        for p in (0.04, 0.3, 0.6, 0.9)
    ]
    idle = ColumnVerdict(state="insufficient", material="none", n=1, reference_n=1)
    assert adjust(verdicts[:1])[0].state == "drifted"
    finished = adjust([idle, *verdicts])
    assert [verdict.state for verdict in finished] == ["insufficient", "ok", "ok", "ok", "ok"]
    assert finished[0] == idle
    assert finished[1].p_adjusted == pytest.approx(0.16)
    assert adjust(verdicts, level=0.2)[0].significant
    assert adjust([]) == []


def test_a_verdicts_fields_are_those_of_the_schema() -> None:
    """Every number of a verdict has a field in the drift schema."""
    schema = json.loads((Path(__file__).parents[2] / "schemas" / "drift.v1.avsc").read_text())
    assert {field.name for field in fields(ColumnVerdict)} <= {field["name"] for field in schema["fields"]}
