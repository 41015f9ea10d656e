"""Running sketches of categorical columns, for many keys at once.

An entry's item is a number: that of a value in the vocabulary, or -1 - b for hash bucket b.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

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
from stream_processors.sketches.entries import grown, places, stretches
from stream_processors.sketches.grouping import Grouping
from stream_processors.sketches.hashing import BUCKETS, Hashes, bucket, hashes
from stream_processors.sketches.series import SeriesTotals
from stream_processors.sketches.string_encoding import EncodedStrings
from stream_processors.sketches.vocabulary import Lists, Vocabulary

Mask = npt.NDArray[np.bool_]
Column = tuple[str, tuple[str, ...] | None]

# Fewer entries than this are not worth looking for names that can no longer stay.
_PRUNE_FROM = 100_000


class CategoricalTotals(SeriesTotals):
    """Adds up categorical columns, each under one rule: the values listed, or None for the 1,000 smallest hashes.

    Keys are small integers given by the accumulator; a column under two rules is two columns.
    """

    def __init__(self) -> None:
        super().__init__()
        self._columns: dict[Column, int] = {}
        self._listed = np.zeros(0, dtype=np.bool_)
        self._vocabulary = Vocabulary()
        self._lists = Lists()
        self._nulls = np.zeros(0, dtype=np.int64)
        self._prune_above = _PRUNE_FROM

    def add(
        self,
        columns: Sequence[Column],
        encoded: EncodedStrings,
        grouping: Grouping,
        key_ids: Ints,
        *,
        sparse: bool,
    ) -> None:
        """Add columns of a batch under one grouping.

        Args:
            columns: names and rules.
            encoded: what they hold.
            grouping: of the batch's rows.
            key_ids: the numbers of its keys.
            sparse: keys of whose rows none carried a column get no sketch of it.
        """
        if grouping.present.size == 0:
            return
        numbers = np.array([self._number(column) for column in columns])
        if not sparse:
            present = key_ids[grouping.present]
            self._numbers(np.repeat(numbers, present.size), np.tile(present, numbers.size))
        groups, codes, counts = grouping.table(encoded.codes, encoded.code_values.size, encoded.rows)
        column, values = numbers[encoded.code_columns[codes]], encoded.code_values[codes]
        series = self._numbers(column, key_ids[groups])
        null = values == len(encoded.values)
        if null.any():
            np.add.at(self._nulls, series[null], counts[null])
            column, values, series, counts = column[~null], values[~null], series[~null], counts[~null]
        self._entries.append(series, self._items(encoded.values, column, values, series), counts)
        if self._entries.size > self._prune_above:
            self._pruned()
            self._prune_above = 2 * self._entries.size + _PRUNE_FROM

    def promise(self, column: Column, key_ids: Ints) -> None:
        """Have a sketch of this column for each of the keys."""
        self._numbers(np.full(key_ids.size, self._number(column)), key_ids)

    def _number(self, column: Column) -> int:
        number = self._columns.get(column)
        if number is None:
            number = self._columns[column] = len(self._columns)
            self._listed = grown(self._listed, number + 1, 0)
            if column[1] is not None:
                self._listed[number] = True
                self._lists.add(number, self._vocabulary.numbers(names_of(column[1])))
        return number

    def _numbers(self, columns: Ints, keys: Ints) -> Ints:
        numbers = self._series.numbers(columns, keys)
        self._nulls = grown(self._nulls, self._series.size, 0)
        return numbers

    def _items(self, texts: Sequence[str], columns: Ints, values: Ints, series: Ints) -> Ints:
        """Item of each entry: its value's number where it may stand by name, its bucket else."""
        known = self._vocabulary.known(texts)
        named = self._may_be_named(texts, known, columns, values, series)
        new = np.unique(values[named & (known[values] < 0)])
        if new.size:
            known[new] = self._vocabulary.numbers(texts[value] for value in new.tolist())
        items = known[values]
        if not named.all():
            nameless, place = np.unique(values[~named], return_inverse=True)
            items[~named] = -1 - bucket(hashes([texts[value] for value in nameless.tolist()]))[place]
        return items

    def _may_be_named(
        self, texts: Sequence[str], known: Ints, columns: Ints, values: Ints, series: Ints
    ) -> Mask:
        """Whether each entry's value stands by name, for now at least: on the column's list, or short; ``known``: numbers of the texts."""
        short = known >= 0
        for text in np.flatnonzero(~short).tolist():
            short[text] = len(texts[text]) <= MAX_NAME_LENGTH
        named: Mask = short[values]
        listed = self._listed[columns]
        if listed.any():
            named[listed] = self._lists.places(columns[listed], known[values[listed]]) >= 0
        if len(texts) > MAX_NAMES:
            # Naming every value of a near-unique column would cost more than all else: first see which can stay at all.
            candidates = np.flatnonzero(named & ~listed)
            text_hashes = hashes(texts)
            named[candidates] = _among_smallest(series[candidates], text_hashes[values[candidates]])
        return named

    def _pruned(self) -> tuple[Ints, Ints, Ints]:
        """The entries summed up, with at most 1,000 names per series where there is no list."""
        series, items, counts = self._entries.summed()
        columns, _ = self._series.all()
        named = np.flatnonzero((items >= 0) & ~self._listed[columns[series]])
        item_hashes = self._vocabulary.hashes[items[named]]
        evicted = ~_among_smallest(series[named], item_hashes)
        if not evicted.any():
            return series, items, counts
        items = items.copy()
        items[named[evicted]] = -1 - bucket(item_hashes[evicted])
        self._entries.replace(series, items, counts)
        return self._entries.summed()

    def _carried(self, series: Ints, counts: Ints) -> Ints:
        """Events that carried the column, of every series."""
        return self._nulls[: self._series.size] + _sums(series, counts, self._series.size)

    def sketches(self, events: Ints) -> Iterator[tuple[str, int, CategoricalSketch]]:
        """Yield (column, key number, sketch) for every column of every key.

        ``events`` are the events of each key; those that did not carry the column are absent.
        """
        series, items, counts = self._pruned()
        columns, keys = self._series.all()
        carried, place, names = self._carried(series, counts), places(series), self._vocabulary.names
        rules = list(self._columns)
        for one, (column, key) in enumerate(zip(columns.tolist(), keys.tolist(), strict=True)):
            start, end = place.get(one, (0, 0))
            listed = self._lists.of(column) if self._listed[column] else None
            values, kept, buckets = _told_apart(items[start:end], counts[start:end], names, listed)
            yield (
                rules[column][0],
                key,
                CategoricalSketch(
                    values,
                    kept,
                    buckets,
                    nulls=int(self._nulls[one]),
                    absent=int(events[key] - carried[one]),
                    listed=listed is not None,
                ),
            )

    def rows(self, events: Ints) -> ColumnRows:
        """The same sketches as Arrow rows."""
        series, items, counts = self._pruned()
        columns, keys = self._series.all()
        n = keys.size
        carried, nulls = self._carried(series, counts), self._nulls[:n]
        named = items >= 0
        n_bucketed = _sums(series[~named], counts[~named], n)
        buckets = buckets_lists(series[~named], -1 - items[~named], counts[~named], n)
        sizes, values, kept = self._values(columns, series[named], items[named], counts[named])
        names = [name for name, _ in self._columns]
        name_bytes = np.array([len(name.encode()) for name in names], dtype=np.int64)
        listed = self._listed[columns]
        near_unique = self._near_unique(series[named], items[named], sizes, n_bucketed, carried - nulls)
        chosen = [
            pa.array(names, pa.string()).take(pa.array(columns)),
            lists(sizes, values),
            lists(sizes, pa.array(kept)),
            buckets,
            pa.array(nulls),
            pa.array(events[keys] - carried),
            pa.array(listed),
            pa.array(near_unique & ~listed),
        ]
        # a length, a count of at most 2^34 and the text per value; a count per bucket; the name and a few numbers
        text = np.diff(_text_ends(values)[np.concatenate(([0], np.cumsum(sizes)))]).astype(np.int64)
        bytes_each = 100 + name_bytes[columns] + 7 * sizes + text + 5 * np.diff(buckets.offsets.to_numpy())
        return ColumnRows(names, columns, keys, carried, struct(CATEGORICAL_ROW, chosen), bytes_each)

    def _values(self, columns: Ints, series: Ints, items: Ints, counts: Ints) -> tuple[Ints, pa.Array, Ints]:
        """Values per series in rising order, end to end, and the whole list where there is one: (how many per series, values, counts)."""
        listed = np.flatnonzero(self._listed[columns])
        if listed.size:
            wanted = [self._lists.of(column) for column in columns[listed].tolist()]
            # counts of 0, which add up with what was counted
            series = np.concatenate([series, np.repeat(listed, [one.size for one in wanted])])
            items = np.concatenate([items, *wanted])
            counts = np.concatenate([counts, np.zeros(items.size - counts.size, dtype=np.int64)])
        names = self._vocabulary.names
        order = np.lexsort((self._vocabulary.rank()[items], series))
        series, items, counts = series[order], items[order], counts[order]
        first = np.flatnonzero((np.diff(series, prepend=-1) != 0) | (np.diff(items, prepend=-1) != 0))
        if first.size < series.size:
            series, items, counts = series[first], items[first], np.add.reduceat(counts, first)
        sizes = np.bincount(series, minlength=columns.size).astype(np.int64)
        return sizes, pa.array(names, pa.string()).take(pa.array(items)), counts

    def _near_unique(self, series: Ints, items: Ints, n_names: Ints, n_bucketed: Ints, n: Ints) -> Mask:
        """`CategoricalSketch.near_unique` of every series without a list; ``series`` and ``items`` are of the named entries."""
        # the same estimate as `CategoricalSketch.distinct`
        largest = np.zeros(n.size, dtype=np.uint64)
        np.maximum.at(largest, series, self._vocabulary.hashes[items])
        with np.errstate(divide="ignore"):
            estimate = np.round((MAX_NAMES - 1) / (largest.astype(np.float64) / 2.0**64))
        distinct = np.where(n_names < MAX_NAMES, n_names + n_bucketed, estimate)
        return np.asarray((n >= NEAR_UNIQUE_EVENTS) & (distinct > n / 2))


def _told_apart(
    items: Ints, counts: Ints, names: Sequence[str], listed: Ints | None
) -> tuple[tuple[str, ...], Ints, Ints]:
    """Values, their counts, and the buckets of one sketch; ``items`` rise."""
    n_bucketed = int(np.searchsorted(items, 0))
    buckets = np.zeros(BUCKETS, dtype=np.int64)
    buckets[-1 - items[:n_bucketed]] = counts[:n_bucketed]
    items, counts = items[n_bucketed:], counts[n_bucketed:]
    if listed is None:
        order = sorted(range(items.size), key=[names[item] for item in items.tolist()].__getitem__)
        return tuple(names[item] for item in items[order].tolist()), counts[order], buckets
    there = dict(zip(items.tolist(), counts.tolist(), strict=True))
    kept = np.array([there.get(item, 0) for item in listed.tolist()], dtype=np.int64)
    return tuple(names[item] for item in listed.tolist()), kept, buckets


def _among_smallest(series: Ints, value_hashes: Hashes) -> npt.NDArray[np.bool_]:
    """Whether each (series, value) is among its series' 1,000 smallest hashes; each pair must stand once."""
    order = np.lexsort((value_hashes, series))
    _, starts, ends = stretches(series[order])
    rank = np.arange(series.size) - np.repeat(starts, ends - starts)
    smallest = np.empty(series.size, dtype=np.bool_)
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
