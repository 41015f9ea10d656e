"""Arrow map columns (features, probabilities, segments) as one column per key, without a Python step per row. Pure."""

from __future__ import annotations

from functools import cached_property
from typing import Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.types as pat

Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]

# A table of (row, key) is used up to this many cells per entry; beyond, entries are sorted.
_TABLE_CELLS_PER_ENTRY = 16

_BLOCK_ROWS = 256


def is_constant(strings: pa.Array) -> bool:
    """Whether all strings are the same (no nulls allowed): ten times faster than counting them."""
    return _repeats_every(strings, 1)


def _repeats_every(strings: pa.Array, width: int) -> bool:
    """Whether the strings are the first ``width`` again and again."""
    _, offset_buffer, text = strings.buffers()
    ends = np.frombuffer(offset_buffer, dtype=np.int32)
    ends = ends[strings.offset : strings.offset + len(strings) + 1]
    period = int(ends[width] - ends[0])
    # equal sums over every `width` neighbours mean equal lengths, one period apart
    if not (ends[width:] - ends[:-width] == period).all():
        return False
    rest = int(ends[-1] - ends[0]) - period
    if text is None or not rest:
        return True
    first = int(ends[0])
    return bool(text.slice(first + period, rest).equals(text.slice(first, rest)))


class KeyedColumns(Protocol):
    """Columns by name, each carried by some of the rows: a map column taken apart, or a table."""

    names: tuple[str, ...]

    def __contains__(self, name: str) -> bool: ...

    def rows(self, name: str) -> Ints | None:
        """Rows that carry the column, rising; None where all do."""

    def values(self, name: str) -> pa.Array:
        """The column's values in the rows that carry it, nulls kept."""

    def numbers(self, name: str) -> tuple[Floats, Mask | None]:
        """A column of doubles in the rows that carry it, and where it is not null (None: everywhere)."""


def doubles(values: pa.Array) -> tuple[Floats, Mask | None]:
    """An Arrow array of doubles as `KeyedColumns.numbers` gives it."""
    valid = values.is_valid().to_numpy(zero_copy_only=False) if values.null_count else None
    return values.to_numpy(zero_copy_only=False), valid


class MapColumns:
    """A map column taken apart by key, when it is asked for.

    No map may name a key twice (decoding sees to that). ``names`` are the keys, in the order in which they first occur.
    """

    def __init__(self, maps: pa.MapArray) -> None:
        self._n_rows = len(maps)
        self._entries = _Entries(maps)
        self._order: npt.NDArray[np.intp] = np.zeros(0, dtype=np.intp)
        self._ends: list[int] = []
        if self._entries.row_width is None:
            self.names = self._ordered()
        else:
            self.names = tuple(self._entries.keys[: self._entries.row_width].to_pylist())
        self._numbers = {name: number for number, name in enumerate(self.names)}

    def _ordered(self) -> tuple[str, ...]:
        """Find the order in which each key's entries are one stretch; the keys."""
        names, codes = self._entries.coded_keys()
        small = codes.astype(np.int16) if len(names) < np.iinfo(np.int16).max else codes
        # numpy sorts 16-bit integers by radix
        self._order = np.argsort(small, kind="stable")
        self._ends = [0, *np.cumsum(np.bincount(codes, minlength=len(names))).tolist()]
        return tuple(names)

    def _stretch(self, name: str) -> slice:
        number = self._numbers[name]
        return slice(self._ends[number], self._ends[number + 1])

    def __contains__(self, name: str) -> bool:
        return name in self._numbers

    def rows(self, name: str) -> Ints | None:
        """Rows that carry the key, rising; None where all do."""
        if self._entries.row_width is not None:
            return None
        rows = self._ordered_rows[self._stretch(name)]
        return None if rows.size == self._n_rows else rows

    def values(self, name: str) -> pa.Array:
        """The key's values in the rows that carry it, nulls kept, of the map's value type."""
        items, width = self._entries.items, self._entries.row_width
        if width is None:
            return self._ordered_items[self._stretch(name)]
        if width == 1:
            return items
        if pat.is_float64(items.type) and not items.null_count:
            return pa.array(self._columns[self._numbers[name]])
        return items.take(pa.array(np.arange(self._numbers[name], len(items), width)))

    def numbers(self, name: str) -> tuple[Floats, Mask | None]:
        """The key's doubles in the rows that carry it, and where they are not null (None: everywhere)."""
        if self._entries.row_width is None or self._entries.items.null_count:
            return doubles(self.values(name))
        return self._columns[self._numbers[name]], None

    @cached_property
    def _ordered_rows(self) -> Ints:
        return self._entries.rows_of_entries[self._order]

    @cached_property
    def _ordered_items(self) -> pa.Array:
        return self._entries.items.take(pa.array(self._order))

    @cached_property
    def _columns(self) -> Floats:
        return _transposed(self._entries.items.to_numpy().reshape(self._n_rows, -1))

    @property
    def has_nulls(self) -> bool:
        """Whether any value of any key is null."""
        return bool(self._entries.items.null_count)


def coded_keys(maps: pa.MapArray) -> pa.MapArray:
    """The same maps with keys as a dictionary: they have few names."""
    entries = _Entries(maps)
    width = entries.row_width
    if width:
        codes = np.tile(np.arange(width, dtype=np.int16), len(maps))
        keys = pa.DictionaryArray.from_arrays(pa.array(codes), entries.keys[:width])
    else:
        keys = entries.keys.dictionary_encode()
    return pa.MapArray.from_arrays(pa.array(entries.offsets.astype(np.int32)), keys, entries.items)


def widths(maps: pa.MapArray) -> Ints:
    """Number of entries of each row's map."""
    return np.asarray(np.diff(maps.offsets.to_numpy()), dtype=np.int64)


def long_key_rows(maps: pa.MapArray, limit: int) -> Mask:
    """Rows with a key of more than ``limit`` bytes."""
    found = np.zeros(len(maps), dtype=np.bool_)
    entries = _Entries(maps)
    too_long = longer(entries.keys, limit)
    if too_long.any():
        found[entries.rows_of_entries[too_long]] = True
    return found


def longer(strings: pa.Array, limit: int) -> Mask:
    """Which strings have more than ``limit`` bytes (no nulls allowed)."""
    ends = np.frombuffer(strings.buffers()[1], dtype=np.int32)
    ends = ends[strings.offset : strings.offset + len(strings) + 1]
    return np.asarray(ends[1:] - ends[:-1] > limit)


def repeated_key_rows(batch: pa.RecordBatch) -> Mask:
    """Rows in which some map names one key twice: Avro allows it, but no two readers would agree on what it says."""
    found = np.zeros(batch.num_rows, dtype=np.bool_)
    for column in batch.columns:
        if pat.is_map(column.type) and len(column):
            found |= _repeats(column)
    return found


def _repeats(maps: pa.MapArray) -> Mask:
    entries = _Entries(maps)
    if entries.row_width is not None:
        names = entries.keys[: entries.row_width].to_pylist()
        return np.full(len(maps), len(set(names)) < len(names))
    names, codes = entries.coded_keys()
    joint = entries.rows_of_entries * len(names) + codes
    cells = len(maps) * len(names)
    if cells <= _TABLE_CELLS_PER_ENTRY * joint.size + 65_536:
        return np.asarray((np.bincount(joint, minlength=cells) > 1).reshape(len(maps), -1).any(axis=1))
    joint.sort()
    found = np.zeros(len(maps), dtype=np.bool_)
    found[joint[1:][joint[1:] == joint[:-1]] // len(names)] = True
    return found


class _Entries:
    """The entries of all rows' maps, end to end.

    ``row_width`` is set where every row has the same keys in the same order, which is what one model's events look like: then an entry's
    place says its row and key, and nothing needs to be looked up.
    """

    def __init__(self, maps: pa.MapArray) -> None:
        self.offsets: Ints = maps.offsets.to_numpy().astype(np.int64)
        first, last = int(self.offsets[0]), int(self.offsets[-1])
        self.keys = maps.keys.slice(first, last - first)
        self.items = maps.items.slice(first, last - first)
        self.offsets -= first
        self.row_width = self._common_width()

    def _common_width(self) -> int | None:
        width = int(self.offsets[1]) if self.offsets.size > 1 else 0
        if not (np.diff(self.offsets) == width).all():
            return None
        if width == 0:
            return 0
        return width if _repeats_every(self.keys, width) else None

    def coded_keys(self) -> tuple[list[str], Ints]:
        encoded = self.keys.dictionary_encode()
        return encoded.dictionary.to_pylist(), encoded.indices.to_numpy().astype(np.int64)

    @cached_property
    def rows_of_entries(self) -> Ints:
        return np.repeat(np.arange(self.offsets.size - 1, dtype=np.int64), np.diff(self.offsets))


def _transposed(rows: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Contiguous columns of a row-wise table; by blocks, because a stride of a row per value misses the cache every time."""
    columns = np.empty(rows.shape[::-1])
    for start in range(0, rows.shape[0], _BLOCK_ROWS):
        columns[:, start : start + _BLOCK_ROWS] = rows[start : start + _BLOCK_ROWS].T
    return columns
