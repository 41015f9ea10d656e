"""Counts that add up later: (key, item, count) entries appended batch by batch and summed when they grow or are asked for."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from stream_processors.sketches.bins import Ints

# Below this many new entries summing them up is not worth the sort.
_SUM_UP_FROM = 100_000

# Key and item share one int64, so that one sort orders both: the key in the upper half, the item, shifted to be positive, in the lower.
_HALF = 32
_ITEM_SHIFT = 1 << 31


class Entries:
    """An append-only multiset of (key, item) with counts; keys are integers from 0 to 2^31 - 1, items from -2^31 to 2^31 - 1."""

    def __init__(self) -> None:
        self._pairs: list[Ints] = []
        self._counts: list[Ints] = []
        self.size = 0
        self._summed = 0

    def append(self, keys: Ints, items: Ints, counts: Ints) -> None:
        """Add entries: three int64 arrays of one length."""
        self._pairs.append((keys << _HALF) + (items + _ITEM_SHIFT))
        self._counts.append(counts)
        self.size += keys.size
        if self.size - self._summed > max(_SUM_UP_FROM, self._summed):
            self._sum_up()

    def _sum_up(self) -> tuple[Ints, Ints]:
        """Bring all entries to one per (key, item), in order, and return (pairs, counts)."""
        if len(self._pairs) == 1 and self._summed == self.size:
            return self._pairs[0], self._counts[0]
        # each array is let go as soon as the next is made: there may be millions of entries
        pairs, self._pairs = np.concatenate([*self._pairs, np.empty(0, dtype=np.int64)]), []
        # Stable, because that sort merges the runs a batch's tables come in.
        order = np.argsort(pairs, kind="stable")
        pairs = pairs[order]
        counts, self._counts = np.concatenate([*self._counts, np.empty(0, dtype=np.int64)]), []
        counts = counts[order]
        del order
        first = np.flatnonzero(np.concatenate(([pairs.size > 0], pairs[1:] != pairs[:-1])))
        if pairs.size:
            pairs, counts = pairs[first], np.add.reduceat(counts, first)
        self._pairs, self._counts = [pairs], [counts]
        self.size = self._summed = pairs.size
        return pairs, counts

    def summed(self) -> tuple[Ints, Ints, Ints]:
        """All entries as (keys, items, counts), sorted by key and item, each pair once."""
        pairs, counts = self._sum_up()
        keys = pairs >> _HALF
        return keys, pairs - (keys << _HALF) - _ITEM_SHIFT, counts

    def taken(self) -> tuple[Ints, Ints, Ints]:
        """The same, and hold nothing any more."""
        summed = self.summed()
        self._pairs, self._counts, self.size, self._summed = [], [], 0, 0
        return summed

    def replace(self, keys: Ints, items: Ints, counts: Ints) -> None:
        """Hold these entries instead of all before."""
        self._pairs, self._counts, self.size, self._summed = [], [], 0, 0
        self.append(keys, items, counts)


def stretches(sorted_keys: Ints) -> tuple[Ints, Ints, Ints]:
    """Distinct keys of a sorted array, and where the stretch of each starts and ends."""
    if sorted_keys.size == 0:
        nothing = np.empty(0, dtype=np.int64)
        return nothing, nothing, nothing
    starts = np.flatnonzero(np.concatenate(([True], sorted_keys[1:] != sorted_keys[:-1])))
    ends = np.append(starts[1:], sorted_keys.size)
    return sorted_keys[starts], starts, ends


def places(sorted_keys: Ints) -> dict[int, tuple[int, int]]:
    """Where the stretch of each key starts and ends."""
    return {
        key: (start, end)
        for key, start, end in zip(*(s.tolist() for s in stretches(sorted_keys)), strict=True)
    }


def grown(array: npt.NDArray[Any], size: int, fill: float) -> npt.NDArray[Any]:
    """Return the array with room for ``size`` rows at least; new rows hold ``fill``."""
    if array.shape[0] >= size:
        return array
    longer = np.full((max(size, 2 * array.shape[0]), *array.shape[1:]), fill, dtype=array.dtype)
    longer[: array.shape[0]] = array
    return longer
