"""Numeric columns of a batch as small integers, so that counting under any number of groupings is one ``bincount`` each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from stream_processors.sketches.bins import Floats, Ints, bin_numbers
from stream_processors.sketches.grouping import Cells, Grouping

# A table of possible bins is faster than hashing up to about one slot per value (measured at 20,000 values; crossing at 30,000 slots).
_FREE_TABLE_SLOTS = 8_192

Rows = npt.NDArray[np.integer]
Mask = npt.NDArray[np.bool_]

# What a row can hold beside a bin, in the order of their codes behind the bins.
NULL, NAN, PLUS_INF, MINUS_INF = range(4)
SPECIALS = 4

# Where a bin number stands in one integer with the number of its column.
_HALF = 32
_BIN_SHIFT = 1 << 31
# beyond every bin number
_FAR = 1 << 40


@dataclass(frozen=True, slots=True, eq=False)
class NumericColumn:
    """A numeric column of a batch.

    Attributes:
        name: of the column.
        values: a double per row, or per row of ``rows``.
        valid: False where the value is null; None where none is.
        rows: the rows that carry the column, each once, rising; None where all do.
    """

    name: str
    values: Floats
    valid: Mask | None = None
    rows: Rows | None = None


@dataclass(frozen=True, slots=True, eq=False)
class EncodedNumbers:
    """Numeric columns of a batch, end to end: many small columns cost as much as one large.

    A code below ``n_bins`` is a bin of a column, which ``code_columns`` and ``code_items`` (bin numbers, see ``bin_numbers``) name; those above
    are the specials of each column in their order, named likewise.

    Attributes:
        lengths: values of each column.
        rows: the row of each value; None where every column has all rows, in order.
        codes: int64 per value.
        n_bins: number of codes that are bins.
        code_columns: per code the position of its column.
        code_items: per code its bin number or special.
        values: the numbers, with 0 for all that is not finite.
        lows: the same with +inf there, so that the least ignores it.
        highs: the same with -inf there.
    """

    lengths: Ints
    rows: Rows | None
    codes: Ints
    n_bins: int
    code_columns: Ints
    code_items: Ints
    values: Floats
    lows: Floats
    highs: Floats

    def cells(self, grouping: Grouping) -> Cells:
        """Where the values fall."""
        return grouping.cells(self.lengths, self.rows)


def encode_numbers(columns: Sequence[NumericColumn], precision: int, n_rows: int) -> EncodedNumbers:
    """Encode columns of a batch of ``n_rows`` rows, at least one, at one precision."""
    values = _end_to_end([one.values for one in columns])
    lengths = np.array([one.values.size for one in columns], dtype=np.int64)
    finite = np.isfinite(values)
    valid = _validity(columns, lengths)
    if valid is not None:
        finite &= valid
    if finite.all():
        n_bins, code_columns, code_items, codes = _encode_finite(values, lengths, precision)
        lows = highs = values
    else:
        kept = np.diff(np.concatenate(([0], np.cumsum(finite)))[np.concatenate(([0], np.cumsum(lengths)))])
        n_bins, code_columns, code_items, finite_codes = _encode_finite(values[finite], kept, precision)
        special = _specials(values, valid)
        column_of = np.repeat(np.arange(lengths.size), lengths)
        codes = n_bins + column_of * SPECIALS + special
        codes[finite] = finite_codes
        lows, highs = np.where(finite, values, np.inf), np.where(finite, values, -np.inf)
        values = np.where(finite, values, 0.0)
    all_columns = np.arange(lengths.size)
    return EncodedNumbers(
        lengths,
        rows_of([one.rows for one in columns], n_rows),
        codes,
        n_bins,
        np.concatenate([code_columns, np.repeat(all_columns, SPECIALS)]),
        np.concatenate([code_items, np.tile(np.arange(SPECIALS), lengths.size)]),
        values,
        lows,
        highs,
    )


def _end_to_end(arrays: Sequence[Floats]) -> Floats:
    if len(arrays) == 1:
        return np.ascontiguousarray(arrays[0], dtype=np.float64)
    return np.concatenate(arrays, dtype=np.float64)


def _validity(columns: Sequence[NumericColumn], lengths: Ints) -> Mask | None:
    if all(one.valid is None for one in columns):
        return None
    return np.concatenate(
        [
            np.ones(length, dtype=np.bool_) if one.valid is None else one.valid
            for one, length in zip(columns, lengths.tolist(), strict=True)
        ]
    )


def rows_of(rows: Sequence[Rows | None], n_rows: int) -> Rows | None:
    """The row of each value of columns that lie end to end; None where every column has all rows, in order."""
    if all(one is None for one in rows):
        return None
    return np.concatenate([np.arange(n_rows) if one is None else one for one in rows])


def _specials(values: Floats, valid: Mask | None) -> Ints:
    """Which special each value is; anything where it is finite."""
    special = np.full(values.size, NULL, dtype=np.int64)
    special[np.isnan(values)] = NAN
    special[values == np.inf] = PLUS_INF
    special[values == -np.inf] = MINUS_INF
    if valid is not None:
        special[~valid] = NULL
    return special


def _encode_finite(values: Floats, lengths: Ints, precision: int) -> tuple[int, Ints, Ints, Ints]:
    """How many bins occur; the column and number of each, once; and each value's position among them."""
    numbers = bin_numbers(values, precision)
    if numbers.size == 0:
        return 0, numbers, numbers, numbers
    held = np.flatnonzero(lengths)
    most = values.size + _FREE_TABLE_SLOTS
    table = _Slots.of(numbers, lengths[held], most) or _Slots.folded(numbers, lengths[held], most)
    if table is None:
        return _hashed(numbers, lengths)
    found = np.flatnonzero(np.bincount(table.places, minlength=table.total))
    positions = np.empty(table.total, dtype=np.int64)
    positions[found] = np.arange(found.size)
    which, items = table.numbers(found)
    return found.size, held[which], items, positions.take(table.places)


@dataclass(frozen=True, slots=True, eq=False)
class _Slots:
    """A table of all bins that columns may have, column after column, each from its least to its greatest.

    Attributes:
        places: slot of each value.
        total: number of slots.
        starts: first slot of each column.
        lowest: number of each column's first slot, folded.
        gap: by how much a column's numbers were moved towards zero.
    """

    places: Ints
    total: int
    starts: Ints
    lowest: Ints
    gap: Ints

    @classmethod
    def of(cls, numbers: Ints, lengths: Ints, most: int, gap: Ints | None = None) -> Self | None:
        """Of numbers that were moved by ``gap`` (None: by nothing); None where there are more slots than ``most``."""
        firsts = np.cumsum(lengths) - lengths
        lowest, highest = np.minimum.reduceat(numbers, firsts), np.maximum.reduceat(numbers, firsts)
        slots = highest - lowest + 1
        total = int(slots.sum())
        if total > most:
            return None
        starts = np.cumsum(slots) - slots
        places = numbers - _each(lowest - starts, lengths)
        return cls(places, total, starts, lowest, np.zeros_like(lowest) if gap is None else gap)

    @classmethod
    def folded(cls, numbers: Ints, lengths: Ints, most: int) -> Self | None:
        """Without those nearer to zero than any value but zero: of numbers of both signs, nearly all."""
        sizes = np.abs(numbers)
        nearest = np.minimum.reduceat(np.where(sizes, sizes, _FAR), np.cumsum(lengths) - lengths)
        gap = np.where(nearest < _FAR, nearest - 1, 0)
        return cls.of(numbers - _signs(numbers) * _each(gap, lengths), lengths, most, gap)

    def numbers(self, slots: Ints) -> tuple[Ints, Ints]:
        """Column and bin number of each slot; slots rise."""
        which = np.searchsorted(self.starts, slots, side="right") - 1
        folded = slots - self.starts[which] + self.lowest[which]
        return which, folded + _signs(folded) * self.gap[which]


def _signs(numbers: Ints) -> Ints:
    """-1, 0 or 1 of each."""
    signs: Ints = np.sign(numbers)
    return signs


def _each(of_columns: Ints, lengths: Ints) -> Ints:
    """One number per column as one per value."""
    return of_columns if of_columns.size == 1 else np.repeat(of_columns, lengths)


def _hashed(numbers: Ints, lengths: Ints) -> tuple[int, Ints, Ints, Ints]:
    joint = numbers + _BIN_SHIFT
    if lengths.size > 1:
        joint += np.repeat(np.arange(lengths.size) << _HALF, lengths)
    encoded = pa.array(joint).dictionary_encode()
    found: Ints = encoded.dictionary.to_numpy()
    columns = found >> _HALF
    items = found - (columns << _HALF) - _BIN_SHIFT
    return found.size, columns, items, encoded.indices.to_numpy().astype(np.int64)
