"""Counts that add up later: (key, item, count) entries appended batch by batch and summed when they grow or are asked for."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from stream_processors.sketches.bins import Ints

# Below this many new entries summing them up is not worth the sort.
_SUM_UP_FROM = 100_000

Items = npt.NDArray[Any]


class Entries:
    """An append-only multiset of (key, item) with counts; items are float64 bins or int64 identifiers."""

    def __init__(self, items: np.dtype[Any]) -> None:
        self._keys: list[Ints] = []
        self._items: list[Items] = []
        self._counts: list[Ints] = []
        self._item_type = items
        self.size = 0
        self._summed = 0

    def append(self, keys: Ints, items: Items, counts: Ints) -> None:
        """Add entries: three arrays of one length."""
        self._keys.append(keys)
        self._items.append(items)
        self._counts.append(counts)
        self.size += keys.size

    @property
    def is_due(self) -> bool:
        """Whether enough was appended that summing up would free memory."""
        return self.size - self._summed > max(_SUM_UP_FROM, self._summed)

    def summed(self) -> tuple[Ints, Items, Ints]:
        """All entries as (keys, items, counts), sorted by key and item, each pair once."""
        if not self._keys:
            return (
                np.empty(0, dtype=np.int64),
                np.empty(0, dtype=self._item_type),
                np.empty(0, dtype=np.int64),
            )
        keys, items, counts = (np.concatenate(part) for part in (self._keys, self._items, self._counts))
        order = np.lexsort((items, keys))
        keys, items, counts = keys[order], items[order], counts[order]
        new = (keys[1:] != keys[:-1]) | (items[1:] != items[:-1])
        first = np.flatnonzero(np.concatenate(([True], new)))
        return keys[first], items[first], np.add.reduceat(counts, first)

    def replace(self, keys: Ints, items: Items, counts: Ints) -> None:
        """Hold these entries, each (key, item) once, instead of all before."""
        self._keys, self._items, self._counts = [keys], [items], [counts]
        self.size = self._summed = keys.size


def stretches(sorted_keys: Ints) -> tuple[Ints, Ints, Ints]:
    """Distinct keys of a sorted array, and where the stretch of each starts and ends."""
    if sorted_keys.size == 0:
        nothing = np.empty(0, dtype=np.int64)
        return nothing, nothing, nothing
    starts = np.flatnonzero(np.concatenate(([True], sorted_keys[1:] != sorted_keys[:-1])))
    ends = np.append(starts[1:], sorted_keys.size)
    return sorted_keys[starts], starts, ends


def grown(array: npt.NDArray[Any], size: int, fill: float) -> npt.NDArray[Any]:
    """Return the array with room for ``size`` rows at least; new rows hold ``fill``."""
    if array.shape[0] >= size:
        return array
    longer = np.full((max(size, 2 * array.shape[0]), *array.shape[1:]), fill, dtype=array.dtype)
    longer[: array.shape[0]] = array
    return longer
