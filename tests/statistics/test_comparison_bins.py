"""Comparison bins are fixed by the reference, nearly equal in mass, and never hide what is rare."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_processors.sketches import CategoricalSketch, NumericSketch, bucket, hashes
from stream_processors.statistics.category_bins import Cells, bins_for_test, category_bins
from stream_processors.statistics.chi_squared import merged_neighbours
from stream_processors.statistics.comparison_bins import ComparedBins, equal_mass_starts
from stream_processors.statistics.numeric_reference import NumericReference

RNG_SEED = 7


def compared(reference: NumericSketch, window: NumericSketch) -> ComparedBins:
    """The bins of a reference without times."""
    return NumericReference.of([reference]).binning(window.n).compare(window)


def test_a_continuous_reference_has_twenty_nearly_equal_bins() -> None:
    """Twenty bins hold about a twentieth each, whatever the window is."""
    reference = NumericSketch.of(np.random.default_rng(RNG_SEED).normal(size=50_000), 7)
    bins = compared(reference, NumericSketch.of(np.full(500, 0.1), 7))
    assert len(bins.labels) == 20
    assert bins.reference.min() > 0.8 * 2500
    assert bins.reference.max() < 1.2 * 2500
    assert bins.window.max() == 500
    assert bins.labels[0].startswith("[-")


def test_neighbours_are_merged_until_the_window_expects_five() -> None:
    """A window of 40 rows expects at least five in each bin of values."""
    reference = NumericSketch.of(np.random.default_rng(RNG_SEED).normal(size=50_000), 7)
    window = NumericSketch.of(np.random.default_rng(1).normal(size=40), 7)
    values, expected = compared(reference, window).of_values()
    assert 2 <= values.size <= 8
    assert (expected * 40 / 50_000 >= 5).all()


def test_a_dominant_value_keeps_to_itself() -> None:
    """What lies off a value that holds nearly everything is not merged into it, so that growth there shows."""
    reference = NumericSketch.of(np.array([0.0] * 9_990 + [1.0] * 5 + [-1.0] * 5), 5)
    bins = compared(reference, NumericSketch.of(np.array([0.0] * 100 + [1.0] * 100), 5))
    assert bins.labels == ("[-1.0, 0.0)", "[0.0, 1.0)", "[1.0, 1.0]")
    assert bins.window.tolist() == [0, 100, 100]


def test_what_has_no_place_has_a_bin_of_its_own() -> None:
    """Below, above, null, NaN/inf and absent stand alone however rare, and empty ones do not stand at all."""
    reference = NumericSketch.of(np.repeat([1.0, 2.0], 500), 5)
    odd = np.array([0.5, 3.0, 3.5, np.nan, np.inf, -np.inf, 1.0])
    window = NumericSketch.of(odd, 5, valid=np.array([True] * 6 + [False]), absent=4)
    bins = compared(reference, window)
    found = dict(zip(bins.labels, bins.window.tolist(), strict=True))
    assert found == {
        "@below": 1,
        "[1.0, 2.0)": 0,
        "[2.0, 2.0]": 0,
        "@above": 2,
        "@nan_inf": 3,
        "@null": 1,
        "@absent": 4,
    }
    assert not set(compared(reference, reference).labels) & {
        "@below",
        "@above",
        "@null",
        "@nan_inf",
        "@absent",
    }


def test_a_reference_without_values_compares_rates() -> None:
    """Where the reference was null throughout, any value lies above it."""
    reference = NumericSketch.of(np.zeros(300), 5, valid=np.zeros(300, dtype=np.bool_))
    bins = compared(reference, NumericSketch.of(np.ones(300), 5))
    assert dict(zip(bins.labels, bins.window.tolist(), strict=True)) == {"@above": 300, "@null": 0}


@given(
    reference=st.lists(st.integers(-40, 40), min_size=1, max_size=200),
    window=st.lists(st.integers(-60, 60), min_size=1, max_size=100),
)
def test_every_event_is_in_exactly_one_bin(reference: list[int], window: list[int]) -> None:
    """Both sides' counts add up to their events."""
    ours, theirs = (NumericSketch.of(np.array(side, dtype=np.float64), 5) for side in (window, reference))
    bins = compared(theirs, ours)
    assert bins.window.sum() == len(window)
    assert bins.reference.sum() == len(reference)
    assert len(set(bins.labels)) == len(bins.labels) <= 24
    assert ((bins.window + bins.reference) > 0).all()


@given(st.lists(st.integers(1, 1000), min_size=1, max_size=300))
def test_groups_are_at_most_twenty_or_the_dominant_value_apart(counts: list[int]) -> None:
    """Groups start in rising order at the first bin, and a value of more than half the mass is alone."""
    masses = np.array(counts)
    starts = equal_mass_starts(masses)
    assert starts[0] == 0
    assert (np.diff(starts) > 0).all()
    assert starts.size <= 20
    mode = int(masses.argmax())
    if 2 * masses[mode] > masses.sum():
        assert mode in starts
        assert mode + 1 in starts or mode + 1 == masses.size


@given(st.lists(st.floats(0, 20), min_size=1, max_size=30))
def test_merged_neighbours_expect_enough(expected: list[float]) -> None:
    """Every merged group expects five, unless all together do not."""
    groups = merged_neighbours(np.array(expected))
    assert set(np.diff(groups)) <= {0, 1}
    masses = np.bincount(groups, weights=expected)
    assert masses.min() >= 5 - 1e-9 or masses.size == 1


def cells_of(window: Sequence[str | None], reference: Sequence[str | None]) -> tuple[Cells, ComparedBins]:
    """Cells and bins of two categorical columns."""
    ours, theirs = CategoricalSketch.of(window), CategoricalSketch.of(reference)
    cells = Cells.of(ours, theirs)
    return cells, category_bins(cells, ours, theirs)


def test_frequent_categories_stand_by_name() -> None:
    """Values of which the window expects five are named, most frequent first, then null and unseen."""
    window: list[str | None] = ["a"] * 50 + ["b"] * 30 + ["new"] * 15 + [None] * 5
    _, bins = cells_of(window, ["a"] * 300 + ["b"] * 400 + [None] * 10)
    assert bins.labels == ("b", "a", "@null", "@unseen")
    assert bins.window.tolist() == [30, 50, 5, 15]
    assert bins.reference.tolist() == [400, 300, 10, 0]


def test_rare_categories_are_pooled_by_hash() -> None:
    """With 500 values at most 20 bins of values remain, the rare ones pooled by their bucket alike on both sides."""
    rng = np.random.default_rng(RNG_SEED)
    window, reference = ([f"c{i}" for i in rng.zipf(1.5, n) % 500] for n in (1_000, 50_000))
    _, bins = cells_of(list(window), list(reference))
    pooled = [label for label in bins.labels if label.startswith("@hash")]
    assert len([label for label in bins.labels if label != "@unseen"]) <= 20
    assert pooled == [f"@hash {i}/{len(pooled)}" for i in range(len(pooled))]
    named = {label for label in bins.labels if not label.startswith("@")}
    rare = [value for value in window if value not in named and value in set(reference)]
    place = bucket(hashes(rare)) % len(pooled)
    counts = dict(zip(bins.labels, bins.window.tolist(), strict=True))
    assert [counts[label] for label in pooled] == np.bincount(place, minlength=len(pooled)).tolist()


def test_a_value_that_looks_like_a_special_bin_does_not_collide() -> None:
    """A category named like one of our bins is percent-encoded."""
    _, bins = cells_of(["@null"] * 50 + [None] * 50, ["@null"] * 500 + [None] * 500)
    assert bins.labels == ("%40null", "@null")
    _, bins = cells_of(["%40null"] * 50 + ["@null"] * 50, ["%40null"] * 600 + ["@null"] * 500)
    assert bins.labels == ("%2540null", "%40null")


@given(
    window=st.lists(st.integers(0, 80), min_size=30, max_size=300),
    reference=st.lists(st.integers(0, 80), min_size=30, max_size=300),
)
def test_the_tests_bins_expect_enough(window: list[int], reference: list[int]) -> None:
    """Pooling loses no row, and each pooled bin expects five rows in the smaller sample."""
    cells, _ = cells_of([f"v{i}" for i in window], [f"v{i}" for i in reference])
    pooled = bins_for_test(cells)
    if pooled is None:
        return
    ours, theirs = pooled
    assert (ours.sum(), theirs.sum()) == (len(window), len(reference))
    share = min(len(window), len(reference)) / (len(window) + len(reference))
    assert ((ours + theirs) * share).min() >= 5 - 1e-9


def test_pooling_does_not_depend_on_which_side_is_which() -> None:
    """What is rare and where it goes is decided on both samples together."""
    rng = np.random.default_rng(RNG_SEED)
    one, other = ([f"c{i}" for i in rng.zipf(1.5, 800) % 300] for _ in range(2))
    forth, back = (
        bins_for_test(cells_of(list(one), list(other))[0]),
        bins_for_test(cells_of(list(other), list(one))[0]),
    )
    assert forth is not None
    assert back is not None
    assert [side.tolist() for side in forth] == [side.tolist() for side in back[::-1]]


def test_one_category_is_no_test() -> None:
    """With a single category on both sides there is nothing to compare."""
    cells, _ = cells_of(["a"] * 50, ["a"] * 500)
    assert bins_for_test(cells) is None
    assert pytest.approx(cells.reference.sum()) == 500
