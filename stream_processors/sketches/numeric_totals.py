"""Running sketches of one numeric column for many keys at once."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from stream_processors.sketches.bins import Floats, Ints, numbered_bins
from stream_processors.sketches.column_rows import NUMERIC_ROW, ColumnRows, lists, optional, struct
from stream_processors.sketches.encoding import (
    ABSENT,
    MINUS_INF,
    NAN,
    NULL,
    PLUS_INF,
    SPECIALS,
    EncodedNumbers,
)
from stream_processors.sketches.entries import Entries, grown, stretches
from stream_processors.sketches.grouping import Grouping
from stream_processors.sketches.numeric import MAX_BINS, NumericSketch

Ints32 = npt.NDArray[np.int32]


class NumericTotals:
    """Adds up one numeric column at one precision; keys are small integers given by the accumulator."""

    def __init__(self, precision: int) -> None:
        self.precision = precision
        self.entries = Entries()
        self._specials = np.zeros((0, SPECIALS), dtype=np.int64)
        self._added = np.zeros(0, dtype=np.bool_)
        self._sums = np.zeros((0, 2))
        self._lows = np.zeros(0)
        self._highs = np.zeros(0)

    def add(self, column: EncodedNumbers, grouping: Grouping, key_ids: Ints) -> None:
        """Add a batch under one grouping; ``key_ids`` are the numbers of the grouping's keys."""
        if grouping.present.size == 0:
            return
        self._grow(int(key_ids.max()) + 1)
        groups, codes, counts = grouping.table(column.codes, column.n_codes)
        n_bins = column.bins.size
        special = codes >= n_bins
        if special.any():
            self._specials[key_ids[groups[special]], codes[special] - n_bins] += counts[special]
            groups, codes, counts = groups[~special], codes[~special], counts[~special]
        self.entries.append(key_ids[groups], column.bins[codes], counts)
        self._add_moments(column, grouping, key_ids[grouping.present])

    def _add_moments(self, column: EncodedNumbers, grouping: Grouping, present: Ints) -> None:
        values = grouping.gather(column.values)
        same = column.lows is column.values
        lows = values if same else grouping.gather(column.lows)
        highs = values if same else grouping.gather(column.highs)
        with np.errstate(over="ignore", invalid="ignore"):
            self._sums[present, 0] += grouping.reduce(np.add, values)
            self._sums[present, 1] += grouping.reduce(np.add, values * values)
        self._lows[present] = np.minimum(self._lows[present], grouping.reduce(np.minimum, lows))
        self._highs[present] = np.maximum(self._highs[present], grouping.reduce(np.maximum, highs))
        self._added[present] = True

    def _grow(self, keys: int) -> None:
        if self._added.size >= keys:
            return
        self._specials = grown(self._specials, keys, 0)
        self._added = grown(self._added, keys, 0)
        self._sums = grown(self._sums, keys, 0.0)
        self._lows = grown(self._lows, keys, np.inf)
        self._highs = grown(self._highs, keys, -np.inf)

    def _settle_absent(self, events: Ints, keys: Ints, counts: Ints) -> Ints:
        """Set each added key's absent events, and return the numbers of the added keys."""
        with_bins, starts, _ = stretches(keys)
        finite = np.zeros(self._added.size, dtype=np.int64)
        if counts.size:
            finite[with_bins] = np.add.reduceat(counts, starts)
        self._specials[:, ABSENT] = 0
        carried = finite + self._specials.sum(axis=1)
        added = np.flatnonzero(self._added)
        self._specials[added, ABSENT] = events[added] - carried[added]
        return added

    def sketches(self, events: Ints) -> Iterator[tuple[int, NumericSketch]]:
        """Yield (key number, sketch) for every key that had rows in a batch to which this column was added.

        ``events`` are the events of each key; those that did not carry the column are absent.
        """
        keys, numbers, counts = self.entries.summed()
        bins = numbered_bins(numbers, self.precision)
        added = self._settle_absent(events, keys, counts)
        place = _places(keys)
        for key in added.tolist():
            start, end = place.get(key, (0, 0))
            yield key, self._sketch(key, bins[start:end], counts[start:end])

    def rows(self, column: str, events: Ints) -> ColumnRows:
        """The same sketches as Arrow rows."""
        keys, numbers, counts = self.entries.summed()
        bins = numbered_bins(numbers, self.precision)
        added = self._settle_absent(events, keys, counts)
        sizes = np.bincount(keys, minlength=self._added.size).astype(np.int64)
        precisions = np.full(self._added.size, self.precision, dtype=np.int32)
        crowded = np.flatnonzero(sizes > MAX_BINS)
        if crowded.size:
            bins, counts = self._coarsened(keys, bins, counts, crowded, sizes, precisions)
        there, specials = sizes[added] > 0, self._specials[added]
        chosen = [
            pa.repeat(column, added.size),
            pa.array(precisions[added]),
            lists(sizes[added], pa.array(bins)),
            lists(sizes[added], pa.array(counts)),
            *(pa.array(specials[:, which]) for which in (NULL, NAN, PLUS_INF, MINUS_INF, ABSENT)),
            *(pa.array(self._sums[added, moment]) for moment in (0, 1)),
            optional(self._lows[added], there),
            optional(self._highs[added], there),
            pa.array(precisions[added] < self.precision),
        ]
        # a double, and a count of at most 2^34, per bin; the rest is the name and a dozen numbers
        bytes_each = 200 + len(column.encode()) + 13 * sizes[added]
        carried = events[added] - specials[:, ABSENT]
        return ColumnRows(column, added, carried, struct(NUMERIC_ROW, chosen), bytes_each)

    def _coarsened(
        self, keys: Ints, bins: Floats, counts: Ints, crowded: Ints, sizes: Ints, precisions: Ints32
    ) -> tuple[Floats, Ints]:
        """Bins and counts with those of crowded keys coarsened by the safety valve; their sizes and precisions are set."""
        place = _places(keys)
        kept, done = [], 0
        for key in crowded.tolist():
            start, end = place[key]
            fitted = self._sketch(key, bins[start:end], counts[start:end])
            kept += [(bins[done:start], counts[done:start]), (fitted.bins, fitted.counts)]
            sizes[key], precisions[key], done = fitted.bins.size, fitted.precision, end
        kept.append((bins[done:], counts[done:]))
        return np.concatenate([b for b, _ in kept]), np.concatenate([c for _, c in kept])

    def _sketch(self, key: int, bins: Floats, counts: Ints) -> NumericSketch:
        specials = self._specials[key].tolist()
        return NumericSketch(
            precision=self.precision,
            bins=bins,
            counts=counts,
            nulls=specials[NULL],
            nans=specials[NAN],
            plus_inf=specials[PLUS_INF],
            minus_inf=specials[MINUS_INF],
            absent=specials[ABSENT],
            sum=float(self._sums[key, 0]),
            sum_of_squares=float(self._sums[key, 1]),
            minimum=float(self._lows[key]) if bins.size else None,
            maximum=float(self._highs[key]) if bins.size else None,
        ).fitted()


def _places(keys: Ints) -> dict[int, tuple[int, int]]:
    """Where the stretch of each key starts and ends."""
    return {key: (start, end) for key, start, end in zip(*(s.tolist() for s in stretches(keys)), strict=True)}
