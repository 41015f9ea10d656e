"""One column of a batch as small integers, so that counting under any number of groupings is one ``bincount`` each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from stream_processors.sketches.bins import Floats, Ints, bin_numbers

# A table of possible bins is faster than hashing up to about one slot per row (measured at 20,000 rows; crossing at 30,000 slots).
_FREE_TABLE_SLOTS = 8_192

Rows = npt.NDArray[np.integer]
Mask = npt.NDArray[np.bool_]

# What a row can hold beside a bin, in the order of their codes behind the bins.
NULL, NAN, PLUS_INF, MINUS_INF, ABSENT = range(5)
SPECIALS = 5


@dataclass(frozen=True, slots=True, eq=False)
class EncodedNumbers:
    """A numeric column of a batch, one entry per row.

    ``codes`` (int64) below ``bins.size`` are positions in ``bins``, which holds bin numbers (int64, see ``bin_numbers``); above them the specials in their order. ``values`` are the numbers with 0 for
    all that is not finite; ``lows`` and ``highs`` the same with +inf and -inf there, so that sums, least and greatest ignore it.
    """

    bins: Ints
    codes: Ints
    values: Floats
    lows: Floats
    highs: Floats

    @property
    def n_codes(self) -> int:
        """Number of codes, specials included."""
        return self.bins.size + SPECIALS


@dataclass(frozen=True, slots=True, eq=False)
class EncodedStrings:
    """A categorical column of a batch: ``codes`` (int64 per row) below ``len(values)`` are positions in ``values``, then null, then absent."""

    values: list[str]
    codes: Ints

    @property
    def n_codes(self) -> int:
        """Number of codes, null and absent included."""
        return len(self.values) + 2


def encode_numbers(
    values: Floats, precision: int, valid: Mask | None, rows: Rows | None, n_rows: int
) -> EncodedNumbers:
    """Encode the column. ``valid`` is False where the value is null; ``rows`` says which rows carry the column (None: all, in order)."""
    values = np.ascontiguousarray(values, dtype=np.float64)
    finite = np.isfinite(values)
    if valid is not None:
        finite &= valid
    if rows is None and finite.all():
        bins, codes = _encode_finite(values, precision)
        return EncodedNumbers(bins, codes, values, values, values)
    bins, finite_codes = _encode_finite(values[finite], precision)
    codes = np.full(values.size, bins.size + NULL, dtype=np.int64)
    codes[np.isnan(values)] = bins.size + NAN
    codes[values == np.inf] = bins.size + PLUS_INF
    codes[values == -np.inf] = bins.size + MINUS_INF
    if valid is not None:
        codes[~valid] = bins.size + NULL
    codes[finite] = finite_codes
    if rows is not None:
        values, finite, codes = _spread(values, finite, codes, rows, n_rows, absent=bins.size + ABSENT)
    return EncodedNumbers(
        bins,
        codes,
        np.where(finite, values, 0.0),
        np.where(finite, values, np.inf),
        np.where(finite, values, -np.inf),
    )


def _spread(
    values: Floats, finite: Mask, codes: Ints, rows: Rows, n_rows: int, *, absent: int
) -> tuple[Floats, Mask, Ints]:
    """Put the entries at their rows of the batch; the other rows are absent."""
    all_values, all_finite = np.zeros(n_rows), np.zeros(n_rows, dtype=np.bool_)
    all_codes = np.full(n_rows, absent, dtype=np.int64)
    all_values[rows], all_finite[rows], all_codes[rows] = values, finite, codes
    return all_values, all_finite, all_codes


def _encode_finite(values: Floats, precision: int) -> tuple[Ints, Ints]:
    """Numbers of the bins that occur, each once, and each value's position among them."""
    numbers = bin_numbers(values, precision)
    if numbers.size == 0:
        return numbers, numbers
    lowest = int(numbers.min())
    slots = int(numbers.max()) - lowest + 1
    if slots > values.size + _FREE_TABLE_SLOTS:
        encoded = pa.array(numbers).dictionary_encode()
        return encoded.dictionary.to_numpy(), encoded.indices.to_numpy().astype(np.int64)
    place = numbers - lowest
    found = np.flatnonzero(np.bincount(place, minlength=slots))
    positions = np.empty(slots, dtype=np.int64)
    positions[found] = np.arange(found.size)
    return found + lowest, positions.take(place)


def encode_strings(strings: pa.Array, rows: Rows | None, n_rows: int) -> EncodedStrings:
    """Encode an Arrow string or dictionary array, nulls included; ``rows`` says which rows carry the column (None: all, in order)."""
    if isinstance(strings, pa.ChunkedArray):
        strings = strings.combine_chunks()
    encoded = strings if pa.types.is_dictionary(strings.type) else strings.dictionary_encode()
    values: list[str] = encoded.dictionary.to_pylist()
    indices = encoded.indices
    if indices.null_count:
        indices = pc.fill_null(indices, pa.scalar(len(values), type=indices.type))
    codes = indices.to_numpy(zero_copy_only=False).astype(np.int64)
    if rows is not None:
        carried, codes = codes, np.full(n_rows, len(values) + 1, dtype=np.int64)
        codes[rows] = carried
    return EncodedStrings(values, codes)
