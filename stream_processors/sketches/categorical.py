"""The sketch of a categorical column: counts by name for some values, by hash bucket for all others.

Kept by name are the contract's list (``listed``), or without a list the 1,000 values with the smallest hash: a rule that depends on the
values alone, so that sketches of one rule add exactly for any split and order of the rows. Values of more than 64 characters never stand by
name: free text and identifiers do not belong in a sketch.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce

import numpy as np

from stream_processors.sketches.bins import Ints
from stream_processors.sketches.hashing import BUCKETS, Hashes, bucket, hashes

MAX_NAMES = 1_000
MAX_NAME_LENGTH = 64

# Fewer events than this say little about uniqueness.
NEAR_UNIQUE_EVENTS = 1_000


def no_buckets() -> Ints:
    """Return empty hash buckets: 64 zeros."""
    return np.zeros(BUCKETS, dtype=np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class CategoricalSketch:
    """Counts of one categorical column over some events.

    ``values`` (rising, without repeats) are counted by name in ``counts``; all others in the 64 ``buckets`` by hash (int64 both). A ``listed``
    sketch names its whole list, counts of 0 included; any other names only values it saw. ``nulls`` are null values, ``absent`` the events that
    did not carry the column.
    """

    values: tuple[str, ...]
    counts: Ints
    buckets: Ints = field(default_factory=no_buckets)
    nulls: int = 0
    absent: int = 0
    listed: bool = False

    @classmethod
    def empty(cls, listed: Iterable[str] | None = None) -> CategoricalSketch:
        """Return the sketch of no events, by the contract's list or without one."""
        names = () if listed is None else names_of(listed)
        return cls(names, np.zeros(len(names), dtype=np.int64), listed=listed is not None)

    @classmethod
    def of(
        cls, values: Iterable[str | None], listed: Iterable[str] | None = None, absent: int = 0
    ) -> CategoricalSketch:
        """Sketch the values; None is a null."""
        totals: dict[str | None, int] = {}
        for value in values:
            totals[value] = totals.get(value, 0) + 1
        nulls = totals.pop(None, 0)
        seen = {value: count for value, count in totals.items() if value is not None}
        names = None if listed is None else names_of(listed)
        sketch = _sketch_of_counts(seen, names)
        return replace(sketch, nulls=nulls, absent=absent)

    @classmethod
    def merged(cls, sketches: Iterable[CategoricalSketch]) -> CategoricalSketch:
        """Add the sketches up; ``ValueError`` without any. Exact for sketches of one rule, whatever the order.

        Where the rules differ (two lists, a list and none), a value that one of the lists, or all sketches without a list together, do not
        keep by name goes into its bucket: the same in any order, where all are merged at once.
        """
        parts = list(sketches)
        if not parts:
            raise ValueError("there is no sketch to merge")
        lists = [part for part in parts if part.listed]
        unlisted = [part for part in parts if not part.listed]
        if not lists:
            return _merge_unlisted(unlisted)
        first = lists[0]
        if not unlisted and all(part.values == first.values for part in lists):
            counts, buckets = (
                _sum_of([part.counts for part in parts]),
                _sum_of([part.buckets for part in parts]),
            )
            return _with_missing(CategoricalSketch(first.values, counts, buckets, listed=True), parts)
        # what those without a list keep together hangs on all of them, so they come first, whatever the order given
        return reduce(_merge_with_list, [*lists, _merge_unlisted(unlisted)] if unlisted else lists)

    def merge(self, other: CategoricalSketch) -> CategoricalSketch:
        """Add two sketches."""
        return CategoricalSketch.merged((self, other))

    def of_events(self, events: int) -> CategoricalSketch:
        """Set ``absent`` so that the sketch accounts for ``events`` events. ``ValueError`` where it holds more already."""
        carried = self.n - self.absent
        if events < carried:
            raise ValueError(f"the column was carried by {carried} events, more than all {events}")
        return replace(self, absent=events - carried)

    @property
    def n(self) -> int:
        """Number of events: values, nulls and absences."""
        return int(self.counts.sum()) + int(self.buckets.sum()) + self.nulls + self.absent

    @property
    def distinct(self) -> int | None:
        """Estimated number of distinct values of at most 64 characters; None for a listed sketch, which cannot know.

        Exact up to 999; beyond, the k minimum values estimate (k - 1) / (k-th smallest hash as a fraction), standard error about 3 %
        (Bar-Yossef et al. 2002).
        """
        if self.listed:
            return None
        if len(self.values) < MAX_NAMES:
            return len(self.values)
        return round((MAX_NAMES - 1) / (float(hashes(self.values).max()) / 2.0**64))

    @property
    def near_unique(self) -> bool:
        """Whether most values differ, as identifiers and free text do; needs 1,000 values, and no list.

        Each value too long to be named counts as one of its own.
        """
        named, bucketed = int(self.counts.sum()), int(self.buckets.sum())
        if self.listed or named + bucketed < NEAR_UNIQUE_EVENTS:
            return False
        too_long = bucketed if len(self.values) < MAX_NAMES else 0
        return (self.distinct or 0) + too_long > (named + bucketed) / 2

    def keeps(
        self, value_hashes: Hashes, values: Sequence[str]
    ) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        """Whether this sketch counts each value by name, also where the count is zero."""
        if self.listed:
            names = set(self.values)
            return np.fromiter((value in names for value in values), dtype=np.bool_, count=len(values))
        short = np.fromiter(
            (len(value) <= MAX_NAME_LENGTH for value in values), dtype=np.bool_, count=len(values)
        )
        if len(self.values) < MAX_NAMES:
            return short
        return np.asarray(short & (value_hashes <= hashes(self.values).max()), dtype=np.bool_)


def names_of(listed: Iterable[str]) -> tuple[str, ...]:
    """Return the values of a contract's list that can stand by name, in order: those of at most 64 characters."""
    return tuple(sorted({value for value in listed if len(value) <= MAX_NAME_LENGTH}))


def _sum_of(arrays: Sequence[Ints]) -> Ints:
    return np.asarray(np.sum(arrays, axis=0), dtype=np.int64)


def _with_missing(sketch: CategoricalSketch, parts: Sequence[CategoricalSketch]) -> CategoricalSketch:
    """Give the sketch the parts' nulls and absences."""
    return replace(sketch, nulls=sum(part.nulls for part in parts), absent=sum(part.absent for part in parts))


def _sketch_of_counts(seen: dict[str, int], names: tuple[str, ...] | None) -> CategoricalSketch:
    """Sketch values with their counts, by a list or without one."""
    if names is None:
        ordered = sorted(seen)
        return keep_smallest(ordered, np.array([seen[value] for value in ordered], dtype=np.int64))
    kept = set(names)
    others = [value for value in seen if value not in kept]
    buckets = no_buckets()
    np.add.at(buckets, bucket(hashes(others)), np.array([seen[value] for value in others], dtype=np.int64))
    counts = np.array([seen.get(value, 0) for value in names], dtype=np.int64)
    return CategoricalSketch(names, counts, buckets, listed=True)


def keep_smallest(values: Sequence[str], counts: Ints, buckets: Ints | None = None) -> CategoricalSketch:
    """Keep the 1,000 short values with the smallest hash by name, and add all others to their buckets.

    ``values`` must rise and not repeat; ``counts`` belongs to them; ``buckets`` are counts that have lost their names before.
    """
    buckets = no_buckets() if buckets is None else buckets.copy()
    short = [len(value) <= MAX_NAME_LENGTH for value in values]
    if len(values) <= MAX_NAMES and all(short):
        return CategoricalSketch(tuple(values), counts, buckets)
    value_hashes = hashes(values)
    kept = np.array(short)
    candidates = np.flatnonzero(kept)
    if candidates.size > MAX_NAMES:
        order = np.argsort(value_hashes[candidates], kind="stable")
        kept[candidates[order[MAX_NAMES:]]] = False
    np.add.at(buckets, bucket(value_hashes[~kept]), counts[~kept])
    return CategoricalSketch(tuple(values[i] for i in np.flatnonzero(kept).tolist()), counts[kept], buckets)


def _merge_unlisted(parts: Sequence[CategoricalSketch]) -> CategoricalSketch:
    totals: dict[str, int] = {}
    for part in parts:
        for value, count in zip(part.values, part.counts.tolist(), strict=True):
            totals[value] = totals.get(value, 0) + count
    ordered = sorted(totals)
    counts = np.array([totals[value] for value in ordered], dtype=np.int64)
    return _with_missing(keep_smallest(ordered, counts, _sum_of([part.buckets for part in parts])), parts)


def _merge_with_list(one: CategoricalSketch, other: CategoricalSketch) -> CategoricalSketch:
    aligned = align(one, other)
    counts, buckets = aligned.counts.sum(axis=0), aligned.buckets.sum(axis=0)
    return _with_missing(CategoricalSketch(aligned.values, counts, buckets, listed=True), (one, other))


@dataclass(frozen=True, slots=True, eq=False)
class AlignedCounts:
    """Two sketches over the same categories: ``counts`` (2, values) by name, ``buckets`` (2, 64) of all others, ``value_hashes`` of the names."""

    values: tuple[str, ...]
    value_hashes: Hashes
    counts: Ints
    buckets: Ints


def align(one: CategoricalSketch, other: CategoricalSketch) -> AlignedCounts:
    """Bring two sketches onto the same categories: a value that either does not keep by name goes into its bucket on both sides."""
    values = sorted({*one.values, *other.values})
    value_hashes = hashes(values)
    kept = one.keeps(value_hashes, values) & other.keeps(value_hashes, values)
    counts = np.zeros((2, len(values)), dtype=np.int64)
    place = {value: i for i, value in enumerate(values)}
    for side, sketch in enumerate((one, other)):
        counts[side, [place[value] for value in sketch.values]] = sketch.counts
    buckets = np.stack([one.buckets, other.buckets])
    for side in (0, 1):
        np.add.at(buckets[side], bucket(value_hashes[~kept]), counts[side, ~kept])
    names = tuple(values[i] for i in np.flatnonzero(kept).tolist())
    return AlignedCounts(names, value_hashes[kept], counts[:, kept], buckets)
