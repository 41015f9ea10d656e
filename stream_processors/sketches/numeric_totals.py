"""Running sketches of numeric columns at one precision, for many keys at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from stream_processors.sketches.bins import Floats, Ints, numbered_bins
from stream_processors.sketches.column_rows import NUMERIC_ROW, ColumnRows, lists, optional, struct
from stream_processors.sketches.encoding import (
    MINUS_INF,
    NAN,
    NULL,
    PLUS_INF,
    SPECIALS,
    EncodedNumbers,
)
from stream_processors.sketches.entries import grown, places, stretches
from stream_processors.sketches.grouping import Cells, Grouping
from stream_processors.sketches.numeric import MAX_BINS, NumericSketch
from stream_processors.sketches.series import SeriesTotals

Ints32 = npt.NDArray[np.int32]


class NumericTotals(SeriesTotals):
    """Adds up numeric columns at one precision; keys are small integers given by the accumulator."""

    def __init__(self, precision: int) -> None:
        super().__init__()
        self.precision = precision
        self._columns: dict[str, int] = {}
        self._specials = np.zeros((0, SPECIALS), dtype=np.int64)
        self._sums = np.zeros((0, 2))
        self._lows = np.zeros(0)
        self._highs = np.zeros(0)

    def add(
        self,
        names: Sequence[str],
        columns: EncodedNumbers,
        grouping: Grouping,
        key_ids: Ints,
        *,
        sparse: bool,
    ) -> None:
        """Add columns of a batch under one grouping.

        Args:
            names: of the columns.
            columns: what they hold.
            grouping: of the batch's rows.
            key_ids: the numbers of its keys.
            sparse: keys of whose rows none carried a column get no sketch of it.
        """
        if grouping.present.size == 0:
            return
        numbers = np.array([self._columns.setdefault(name, len(self._columns)) for name in names])
        cells = columns.cells(grouping)
        series = self._numbers(numbers[cells.columns], key_ids[cells.groups])
        if not sparse and cells.columns.size < len(names) * grouping.present.size:
            self._numbers(
                np.repeat(numbers, grouping.present.size), np.tile(key_ids[grouping.present], len(names))
            )
        groups, codes, counts = grouping.table(columns.codes, columns.code_items.size, columns.rows)
        found, items = series[cells.places(columns.code_columns[codes], groups)], columns.code_items[codes]
        special = codes >= columns.n_bins
        if special.any():
            self._specials[found[special], items[special]] += counts[special]
            found, items, counts = found[~special], items[~special], counts[~special]
        self._entries.append(found, items, counts)
        self._add_moments(columns, cells, series)

    def promise(self, name: str, key_ids: Ints) -> None:
        """Have a sketch of this column for each of the keys."""
        number = self._columns.setdefault(name, len(self._columns))
        self._numbers(np.full(key_ids.size, number), key_ids)

    def _numbers(self, columns: Ints, keys: Ints) -> Ints:
        numbers = self._series.numbers(columns, keys)
        size = self._series.size
        self._specials = grown(self._specials, size, 0)
        self._sums = grown(self._sums, size, 0.0)
        self._lows = grown(self._lows, size, np.inf)
        self._highs = grown(self._highs, size, -np.inf)
        return numbers

    def _add_moments(self, columns: EncodedNumbers, cells: Cells, series: Ints) -> None:
        values = cells.gather(columns.values)
        same = columns.lows is columns.values
        lows = values if same else cells.gather(columns.lows)
        highs = values if same else cells.gather(columns.highs)
        with np.errstate(over="ignore", invalid="ignore"):
            self._sums[series, 0] += cells.reduce(np.add, values)
            self._sums[series, 1] += cells.reduce(np.add, values * values)
        self._lows[series] = np.minimum(self._lows[series], cells.reduce(np.minimum, lows))
        self._highs[series] = np.maximum(self._highs[series], cells.reduce(np.maximum, highs))

    def sketches(self, events: Ints) -> Iterator[tuple[str, int, NumericSketch]]:
        """Yield (column, key number, sketch) for every column of every key.

        ``events`` are the events of each key; those that did not carry the column are absent.
        """
        series, numbers, counts = self._entries.summed()
        bins = numbered_bins(numbers, self.precision)
        columns, keys = self._series.all()
        carried = self._carried(series, counts)
        place, names = places(series), list(self._columns)
        for one, (column, key) in enumerate(zip(columns.tolist(), keys.tolist(), strict=True)):
            start, end = place.get(one, (0, 0))
            sketch = self._sketch(one, bins[start:end], counts[start:end])
            yield names[column], key, replace(sketch, absent=int(events[key] - carried[one]))

    def _carried(self, series: Ints, counts: Ints) -> Ints:
        """Events that carried the column, of every series."""
        held: Ints = self._specials[: self._series.size].sum(axis=1)
        with_bins, starts, _ = stretches(series)
        if counts.size:
            held[with_bins] += np.add.reduceat(counts, starts)
        return held

    def rows(self, events: Ints) -> ColumnRows:
        """The same sketches as Arrow rows; nothing is held any more."""
        series, numbers, counts = self._entries.taken()
        bins = numbered_bins(numbers, self.precision)
        # there may be millions
        del numbers
        columns, keys = self._series.all()
        carried = self._carried(series, counts)
        n = keys.size
        sizes = np.bincount(series, minlength=n).astype(np.int64)
        precisions = np.full(n, self.precision, dtype=np.int32)
        crowded = np.flatnonzero(sizes > MAX_BINS)
        if crowded.size:
            bins, counts = self._coarsened(series, bins, counts, crowded, sizes, precisions)
        there, specials = sizes > 0, self._specials[:n]
        names = list(self._columns)
        name_bytes = np.array([len(name.encode()) for name in names], dtype=np.int64)
        chosen = [
            pa.array(names, pa.string()).take(pa.array(columns)),
            pa.array(precisions),
            lists(sizes, pa.array(bins)),
            lists(sizes, pa.array(counts)),
            *(pa.array(specials[:, which]) for which in (NULL, NAN, PLUS_INF, MINUS_INF)),
            pa.array(events[keys] - carried),
            *(pa.array(self._sums[:n, moment]) for moment in (0, 1)),
            optional(self._lows[:n], there),
            optional(self._highs[:n], there),
            pa.array(precisions < self.precision),
        ]
        # a double, and a count of at most 2^34, per bin; the rest is the name and a dozen numbers
        bytes_each = 200 + name_bytes[columns] + 13 * sizes
        return ColumnRows(names, columns, keys, carried, struct(NUMERIC_ROW, chosen), bytes_each)

    def _coarsened(
        self, series: Ints, bins: Floats, counts: Ints, crowded: Ints, sizes: Ints, precisions: Ints32
    ) -> tuple[Floats, Ints]:
        """Bins and counts with those of crowded series coarsened by the safety valve; their sizes and precisions are set."""
        place = places(series)
        kept, done = [], 0
        for one in crowded.tolist():
            start, end = place[one]
            fitted = self._sketch(one, bins[start:end], counts[start:end])
            kept += [(bins[done:start], counts[done:start]), (fitted.bins, fitted.counts)]
            sizes[one], precisions[one], done = fitted.bins.size, fitted.precision, end
        kept.append((bins[done:], counts[done:]))
        return np.concatenate([b for b, _ in kept]), np.concatenate([c for _, c in kept])

    def _sketch(self, series: int, bins: Floats, counts: Ints) -> NumericSketch:
        specials = self._specials[series].tolist()
        return NumericSketch(
            precision=self.precision,
            bins=bins,
            counts=counts,
            nulls=specials[NULL],
            nans=specials[NAN],
            plus_inf=specials[PLUS_INF],
            minus_inf=specials[MINUS_INF],
            sum=float(self._sums[series, 0]),
            sum_of_squares=float(self._sums[series, 1]),
            minimum=float(self._lows[series]) if bins.size else None,
            maximum=float(self._highs[series]) if bins.size else None,
        ).fitted()
