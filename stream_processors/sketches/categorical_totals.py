"""Running sketches of one categorical column for many keys at once.

An entry's item is a number: that of a value in the column's vocabulary, or -1 - b for hash bucket b.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from stream_processors.sketches.bins import Ints
from stream_processors.sketches.categorical import (
    MAX_NAME_LENGTH,
    MAX_NAMES,
    NEAR_UNIQUE_EVENTS,
    CategoricalSketch,
    names_of,
)
from stream_processors.sketches.column_rows import CATEGORICAL_ROW, ColumnRows, buckets_lists, lists, struct
from stream_processors.sketches.encoding import EncodedStrings
from stream_processors.sketches.entries import Entries, grown, stretches
from stream_processors.sketches.grouping import Grouping
from stream_processors.sketches.hashing import BUCKETS, Hashes, bucket, hashes

Mask = npt.NDArray[np.bool_]

# Fewer entries than this are not worth looking for names that can no longer stay.
_PRUNE_FROM = 100_000


class CategoricalTotals:
    """Adds up one categorical column under one rule: the values ``listed``, or None for the 1,000 smallest hashes."""

    def __init__(self, listed: tuple[str, ...] | None) -> None:
        self.listed = None if listed is None else names_of(listed)
        self.entries = Entries()
        self._prune_above = _PRUNE_FROM
        self._vocabulary: dict[str, int] = {}
        self._hashes: list[int] = []
        for value in self.listed or ():
            self._number(value, 0)
        self._nulls = np.zeros(0, dtype=np.int64)
        self._added = np.zeros(0, dtype=np.bool_)

    def add(self, column: EncodedStrings, grouping: Grouping, key_ids: Ints, *, sparse: bool) -> None:
        """Add a batch under one grouping.

        ``key_ids`` are the numbers of the grouping's keys; ``sparse``: those of whose rows none carried the column get no sketch of it.
        """
        if grouping.present.size == 0:
            return
        self._grow(int(key_ids.max()) + 1)
        groups, codes, counts = grouping.table(column.codes, column.n_codes, column.rows)
        keys, n_values = key_ids[groups], len(column.values)
        nulls = codes == n_values
        self._nulls[keys[nulls]] += counts[nulls]
        self._added[keys if sparse else key_ids[grouping.present]] = True
        keys, codes, counts = keys[~nulls], codes[~nulls], counts[~nulls]
        self.entries.append(keys, self._items(column.values, keys, codes), counts)
        if self.listed is None and self.entries.size > self._prune_above:
            self._pruned()
            self._prune_above = 2 * self.entries.size + _PRUNE_FROM

    def promise(self, key_ids: Ints) -> None:
        """Have a sketch for each of the keys."""
        if key_ids.size:
            self._grow(int(key_ids.max()) + 1)
            self._added[key_ids] = True

    def _items(self, values: list[str], keys: Ints, codes: Ints) -> Ints:
        """Item of each (key, code): the value's number where it may stand by name, its bucket else."""
        if self.listed is not None:
            return self._items_of_values(values).take(codes)
        if len(values) <= MAX_NAMES:
            return self._items_of_values(values).take(codes)
        # Naming every value of a near-unique column would cost more than all else: first see which can stay at all.
        value_hashes = hashes(values)
        short = np.fromiter((len(value) <= MAX_NAME_LENGTH for value in values), np.bool_, len(values))
        stays = short[codes]
        candidates = np.flatnonzero(stays)
        stays[candidates] = _among_smallest(keys[candidates], value_hashes[codes[candidates]])
        items = -1 - bucket(value_hashes)[codes]
        numbers = np.zeros(len(values), dtype=np.int64)
        for code in np.unique(codes[stays]).tolist():
            numbers[code] = self._number(values[code], int(value_hashes[code]))
        items[stays] = numbers[codes[stays]]
        return items

    def _items_of_values(self, values: list[str]) -> Ints:
        items = np.empty(len(values), dtype=np.int64)
        for code, value in enumerate(values):
            known = self._vocabulary.get(value)
            items[code] = self._new_item(value) if known is None else known
        return items

    def _new_item(self, value: str) -> int:
        value_hash = int(hashes((value,))[0])
        if self.listed is None and len(value) <= MAX_NAME_LENGTH:
            return self._number(value, value_hash)
        return -1 - value_hash % BUCKETS

    def _number(self, value: str, value_hash: int) -> int:
        """Give the value a number in the vocabulary, or find the one it has."""
        number = self._vocabulary.setdefault(value, len(self._hashes))
        if number == len(self._hashes):
            self._hashes.append(value_hash)
        return number

    def _grow(self, keys: int) -> None:
        self._nulls = grown(self._nulls, keys, 0)
        self._added = grown(self._added, keys, 0)

    def _pruned(self) -> tuple[Ints, Ints, Ints]:
        """The entries summed up, with at most 1,000 names per key where there is no list."""
        keys, items, counts = self.entries.summed()
        if self.listed is not None or keys.size == 0:
            return keys, items, counts
        named = np.flatnonzero(items >= 0)
        all_hashes: Hashes = np.array(self._hashes, dtype=np.uint64)
        item_hashes = all_hashes[items[named]]
        evicted = ~_among_smallest(keys[named], item_hashes)
        if not evicted.any():
            return keys, items, counts
        items = items.copy()
        items[named[evicted]] = -1 - bucket(item_hashes[evicted])
        self.entries.replace(keys, items, counts)
        return self.entries.summed()

    def sketches(self, events: Ints) -> Iterator[tuple[int, CategoricalSketch]]:
        """Yield (key number, sketch) for every key that had rows in a batch to which this column was added.

        ``events`` are the events of each key; those that did not carry the column are absent.
        """
        keys, items, counts = self._pruned()
        with_items, starts, ends = stretches(keys)
        carried = self._nulls.copy()
        if counts.size:
            carried[with_items] += np.add.reduceat(counts, starts)
        place = dict(zip(with_items.tolist(), zip(starts.tolist(), ends.tolist(), strict=True), strict=True))
        names = list(self._vocabulary)
        for key in np.flatnonzero(self._added).tolist():
            start, end = place.get(key, (0, 0))
            absent = int(events[key] - carried[key])
            yield key, self._sketch(key, names, items[start:end], counts[start:end], absent)

    def rows(self, column: str, events: Ints) -> ColumnRows:
        """The same sketches as Arrow rows."""
        keys, items, counts = self._pruned()
        added = np.flatnonzero(self._added)
        position = np.searchsorted(added, keys)
        nulls = self._nulls[added]
        carried = nulls + _sums(position, counts, added.size)
        named = items >= 0
        n_bucketed = _sums(position[~named], counts[~named], added.size)
        buckets = buckets_lists(position[~named], -1 - items[~named], counts[~named], added.size)
        if self.listed is None:
            sizes, values, kept = self._named_rows(position[named], items[named], counts[named], added.size)
        else:
            sizes, values, kept = self._listed_rows(position[named], items[named], counts[named], added.size)
        chosen = [
            pa.repeat(column, added.size),
            lists(sizes, values),
            lists(sizes, pa.array(kept)),
            buckets,
            pa.array(nulls),
            pa.array(events[added] - carried),
            pa.repeat(self.listed is not None, added.size),
            pa.array(self._near_unique(position[named], items[named], sizes, n_bucketed, carried - nulls)),
        ]
        # a length, a count of at most 2^34 and the text per value; a count per bucket; the name and a few numbers
        text = np.diff(_text_ends(values)[np.concatenate(([0], np.cumsum(sizes)))]).astype(np.int64)
        bytes_each = 100 + len(column.encode()) + 7 * sizes + text + 5 * np.diff(buckets.offsets.to_numpy())
        only = np.zeros(added.size, dtype=np.int64)
        return ColumnRows([column], only, added, carried, struct(CATEGORICAL_ROW, chosen), bytes_each)

    def _named_rows(
        self, position: Ints, items: Ints, counts: Ints, rows: int
    ) -> tuple[Ints, pa.Array, Ints]:
        """Values per row in rising order, end to end: (how many per row, values, counts)."""
        names = list(self._vocabulary)
        rank = np.empty(len(names), dtype=np.int64)
        rank[sorted(range(len(names)), key=names.__getitem__)] = np.arange(len(names))
        order = np.argsort(position * (len(names) + 1) + rank[items])
        sizes = np.bincount(position, minlength=rows).astype(np.int64)
        return sizes, pa.array(names, pa.string()).take(pa.array(items[order])), counts[order]

    def _listed_rows(
        self, position: Ints, items: Ints, counts: Ints, rows: int
    ) -> tuple[Ints, pa.Array, Ints]:
        """The whole list per row, counts of 0 included."""
        listed = self.listed or ()
        table = np.zeros((rows, len(listed)), dtype=np.int64)
        table[position, items] = counts
        values = pa.array(listed, pa.string()).take(pa.array(np.tile(np.arange(len(listed)), rows)))
        return np.full(rows, len(listed), dtype=np.int64), values, table.ravel()

    def _near_unique(self, position: Ints, items: Ints, n_names: Ints, n_bucketed: Ints, n: Ints) -> Mask:
        """`CategoricalSketch.near_unique` of every row; ``position`` and ``items`` are of the named entries."""
        if self.listed is not None:
            return np.zeros(n.size, dtype=np.bool_)
        # the same estimate as `CategoricalSketch.distinct`
        largest = np.zeros(n.size, dtype=np.uint64)
        np.maximum.at(largest, position, np.array(self._hashes, dtype=np.uint64)[items])
        with np.errstate(divide="ignore"):
            estimate = np.round((MAX_NAMES - 1) / (largest.astype(np.float64) / 2.0**64))
        distinct = np.where(n_names < MAX_NAMES, n_names + n_bucketed, estimate)
        return np.asarray((n >= NEAR_UNIQUE_EVENTS) & (distinct > n / 2))

    def _sketch(
        self, key: int, names: list[str], items: Ints, counts: Ints, absent: int
    ) -> CategoricalSketch:
        n_bucketed = int(np.searchsorted(items, 0))
        buckets = np.zeros(BUCKETS, dtype=np.int64)
        buckets[-1 - items[:n_bucketed]] = counts[:n_bucketed]
        items, counts = items[n_bucketed:], counts[n_bucketed:]
        if self.listed is None:
            order = sorted(range(items.size), key=[names[item] for item in items.tolist()].__getitem__)
            values, kept = tuple(names[item] for item in items[order].tolist()), counts[order]
        else:
            values, kept = self.listed, np.zeros(len(self.listed), dtype=np.int64)
            kept[items] = counts
        return CategoricalSketch(
            values,
            kept,
            buckets,
            nulls=int(self._nulls[key]),
            absent=absent,
            listed=self.listed is not None,
        )


def _among_smallest(keys: Ints, value_hashes: Hashes) -> npt.NDArray[np.bool_]:
    """Whether each (key, value) is among its key's 1,000 smallest hashes; each pair must stand once."""
    order = np.lexsort((value_hashes, keys))
    _, starts, ends = stretches(keys[order])
    rank = np.arange(keys.size) - np.repeat(starts, ends - starts)
    smallest = np.empty(keys.size, dtype=np.bool_)
    smallest[order] = rank < MAX_NAMES
    return smallest


def _sums(position: Ints, counts: Ints, rows: int) -> Ints:
    sums = np.zeros(rows, dtype=np.int64)
    np.add.at(sums, position, counts)
    return sums


def _text_ends(values: pa.Array) -> npt.NDArray[np.int32]:
    """Where each string begins in the text of all, and where the last ends."""
    ends = np.frombuffer(values.buffers()[1], dtype=np.int32)
    return ends[values.offset : values.offset + len(values) + 1]
