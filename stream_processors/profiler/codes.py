"""Rows told apart by several columns at once: small integers instead of tuples. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from stream_processors.map_columns import is_constant

Ints = npt.NDArray[np.int64]

# A table of all possible codes is used up to this many cells per row; beyond, codes are sorted.
_CELLS_PER_ROW = 4
_CELLS = 65_536


@dataclass(frozen=True, slots=True, eq=False)
class Codes:
    """A code per row, from 0 and without holes, and for each code a row that has it (its first)."""

    codes: Ints
    first_rows: Ints

    @property
    def count(self) -> int:
        """Number of codes."""
        return self.first_rows.size

    def joined(self, codes: Ints, bound: int) -> Codes:
        """Tell rows apart by these codes (0 to ``bound`` - 1, holes allowed) as well."""
        return compressed(self.codes * bound + codes, self.count * bound)


def same(rows: int) -> Codes:
    """All rows alike."""
    return Codes(np.zeros(rows, dtype=np.int64), np.zeros(min(rows, 1), dtype=np.int64))


def compressed(codes: Ints, bound: int) -> Codes:
    """Number the codes that occur (all from 0 to ``bound`` - 1), in rising order."""
    if bound == 1:
        return same(codes.size)
    if bound > _CELLS_PER_ROW * codes.size + _CELLS:
        _, first_rows, numbers = np.unique(codes, return_index=True, return_inverse=True)
        return Codes(numbers.astype(np.int64), first_rows.astype(np.int64))
    present = np.flatnonzero(np.bincount(codes, minlength=bound))
    table = np.zeros(bound, dtype=np.int64)
    # the last assignment stands, so going backwards leaves the first row of each code
    table[codes[::-1]] = np.arange(codes.size - 1, -1, -1)
    first_rows = table[present]
    table[present] = np.arange(present.size)
    return Codes(table[codes], first_rows)


def codes_of_numbers(numbers: npt.NDArray[np.generic]) -> tuple[Ints, int]:
    """Codes of a numeric column, and their bound."""
    if numbers.size == 0 or (numbers == numbers[0]).all():
        return np.zeros(numbers.size, dtype=np.int64), 1
    distinct, codes = np.unique(numbers, return_inverse=True)
    return codes.astype(np.int64), distinct.size


def codes_of_strings(strings: pa.Array) -> tuple[Ints, int]:
    """Codes of an Arrow string column without nulls, and their bound."""
    if len(strings) == 0 or is_constant(strings):
        return np.zeros(len(strings), dtype=np.int64), 1
    encoded = strings.dictionary_encode()
    return encoded.indices.to_numpy().astype(np.int64), len(encoded.dictionary)
