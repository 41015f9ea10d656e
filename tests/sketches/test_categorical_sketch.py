"""A categorical sketch names what its rule keeps, buckets the rest, and merges exactly."""

from __future__ import annotations

from itertools import pairwise, permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sketch_inputs import WORDS, categorical_counts

from stream_processors.sketches import CategoricalSketch, align, bucket, hashes

ROWS = st.lists(st.one_of(WORDS, st.none()), max_size=60)
LISTS = st.one_of(st.none(), st.just(("JFK", "v1", "v2")), st.just(()))


@given(rows=ROWS, listed=LISTS, cuts=st.lists(st.integers(0, 60), max_size=4), random=st.randoms())
def test_any_split_in_any_order_merges_to_the_whole(
    rows: list[str | None], listed: tuple[str, ...] | None, cuts: list[int], random: object
) -> None:
    """However rows are split and parts ordered, the merged sketch equals that of all rows."""
    edges = [0, *sorted(min(cut, len(rows)) for cut in cuts), len(rows)]
    parts = [CategoricalSketch.of(rows[a:b], listed, absent=1) for a, b in pairwise(edges)]
    random.shuffle(parts)  # type: ignore[attr-defined]  # hypothesis' random.Random
    whole = CategoricalSketch.of(rows, listed, absent=len(parts))
    assert categorical_counts(CategoricalSketch.merged(parts)) == categorical_counts(whole)


@settings(max_examples=15)
@given(seed=st.integers(0, 2**32), pieces=st.integers(2, 5))
def test_more_values_than_names_merge_exactly(seed: int, pieces: int) -> None:
    """With thousands of distinct values each part keeps other names, and still they merge to the whole."""
    rng = np.random.default_rng(seed)
    rows = [f"user{i}" for i in rng.zipf(1.3, 6000) % 5000]
    owner = rng.integers(0, pieces, len(rows))
    parts = [
        CategoricalSketch.of(row for row, o in zip(rows, owner, strict=True) if o == i) for i in range(pieces)
    ]
    merged, whole = CategoricalSketch.merged(parts), CategoricalSketch.of(rows)
    assert categorical_counts(merged) == categorical_counts(whole)
    assert categorical_counts(parts[0].merge(parts[1])) == categorical_counts(parts[1].merge(parts[0]))
    if len(set(rows)) > 1000:
        kept = sorted(set(rows), key=lambda value: hashes([value])[0])[:1000]
        assert set(whole.values) == set(kept)


@given(rows=ROWS, listed=LISTS)
def test_every_row_is_counted_once(rows: list[str | None], listed: tuple[str, ...] | None) -> None:
    """Names, buckets, nulls and absences add up to the rows."""
    sketch = CategoricalSketch.of(rows, listed, absent=2)
    assert sketch.n == len(rows) + 2
    assert sketch.nulls == rows.count(None)
    assert sketch.of_events(len(rows) + 9).absent == 9
    if rows:
        with pytest.raises(ValueError, match="more than all"):
            sketch.of_events(len(rows) - 1)


def test_a_list_is_named_whole() -> None:
    """A listed sketch names its list, zeros included, and nothing else."""
    sketch = CategoricalSketch.of(["JFK", "XXX", "JFK", None], listed=("LGA", "JFK"))
    assert sketch.values == ("JFK", "LGA")
    assert sketch.counts.tolist() == [2, 0]
    assert sketch.buckets[bucket(hashes(["XXX"]))[0]] == 1


def test_long_values_never_stand_by_name() -> None:
    """A value of more than 64 characters counts in its bucket, even if a list has it; 64 characters are short enough."""
    sketch = CategoricalSketch.of(["é" * 64, "é" * 65])
    assert sketch.values == ("é" * 64,)
    assert sketch.buckets.sum() == 1
    assert CategoricalSketch.of(["y" * 65], listed=["y" * 65]).values == ()


@given(one=ROWS, other=ROWS, lists=st.tuples(LISTS, LISTS))
def test_different_rules_merge_by_bucket(
    one: list[str | None], other: list[str | None], lists: tuple[tuple[str, ...] | None, ...]
) -> None:
    """Sketches of two rules lose names, never rows, and the order does not matter."""
    a, b = CategoricalSketch.of(one, lists[0]), CategoricalSketch.of(other, lists[1])
    merged = a.merge(b)
    assert merged.n == len(one) + len(other)
    assert categorical_counts(merged) == categorical_counts(b.merge(a))
    for value, count in zip(merged.values, merged.counts.tolist(), strict=True):
        assert count == one.count(value) + other.count(value)


def test_several_rules_merge_in_any_order() -> None:
    """What sketches without a list keep together is settled before a list has its say, and every name has its whole count."""
    rows = [[f"id{i}" for i in np.random.default_rng(seed).integers(0, 1_500, 2_500)] for seed in range(3)]
    lists = [None, None, [f"id{i}" for i in range(900)]]
    parts = [CategoricalSketch.of(each, listed) for each, listed in zip(rows, lists, strict=True)]
    merged = [CategoricalSketch.merged(order) for order in permutations(parts)]
    assert all(categorical_counts(one) == categorical_counts(merged[0]) for one in merged)
    counts = [sum(each.count(value) for each in rows) for value in merged[0].values]
    assert merged[0].counts.tolist() == counts


def test_a_name_only_one_side_keeps_goes_into_its_bucket_on_both() -> None:
    """Aligning a listed with an unlisted sketch buckets, on both sides, what the list does not have."""
    listed = CategoricalSketch.of(["a", "b", "c"], listed=("a", "b"))
    free = CategoricalSketch.of(["a", "c", "c", "d"])
    aligned = align(listed, free)
    assert aligned.values == ("a", "b")
    assert aligned.counts.tolist() == [[1, 1], [1, 0]]
    assert aligned.buckets.sum(axis=1).tolist() == [1, 3]
    assert aligned.buckets[:, bucket(hashes(["c"]))[0]].tolist() == [1, 2]


def test_a_full_sketch_keeps_only_below_its_greatest_hash() -> None:
    """A value whose hash lies above a full sketch's names may be in its buckets, so it is bucketed on both sides."""
    full = CategoricalSketch.of(f"id{i}" for i in range(3000))
    greatest = hashes(full.values).max()
    few = CategoricalSketch.of([f"other{i}" for i in range(50)])
    aligned = align(few, full)
    below = [value for value in few.values if hashes([value])[0] <= greatest]
    assert set(aligned.values) == set(full.values) | set(below)
    assert aligned.counts[0].sum() == len(below)
    assert aligned.counts.sum() + aligned.buckets.sum() == 3050


def test_near_unique_columns_are_flagged() -> None:
    """Identifiers and free text are flagged; categories, lists and few rows are not."""
    assert CategoricalSketch.of(f"id{i}" for i in range(1500)).near_unique
    assert CategoricalSketch.of(f"id{i}" for i in range(900)).near_unique is False
    assert CategoricalSketch.of([f"{i}" + "x" * 70 for i in range(1500)]).near_unique
    assert not CategoricalSketch.of([f"c{i % 300}" for i in range(1500)]).near_unique
    assert not CategoricalSketch.of([f"id{i}" for i in range(1500)], listed=("a",)).near_unique


def test_distinct_values_are_estimated() -> None:
    """Up to 999 distinct values are counted, more are estimated within a few percent."""
    assert CategoricalSketch.of(f"c{i % 300}" for i in range(5000)).distinct == 300
    assert CategoricalSketch.of(f"id{i}" for i in range(20_000)).distinct == pytest.approx(20_000, rel=0.12)
    assert CategoricalSketch.empty(("a",)).distinct is None
    assert CategoricalSketch.empty().distinct == 0


def test_nothing_to_merge_is_an_error() -> None:
    """Without a sketch there is no rule, so nothing can be merged."""
    with pytest.raises(ValueError, match="no sketch"):
        CategoricalSketch.merged([])
