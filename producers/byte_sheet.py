"""Rows of bytes put together by columns: numbers, constants and texts beside each other, without a Python step per row. Pure.

A `Sheet` is what an encoder writes on, from left to right. Neighbouring columns become one block of fixed width, as if no
row lacked anything. Then the block's columns are copied to where they stand in the rows: a column that is shorter in some
rows (a text, a null, a number of few digits) is copied in its full width, and what stands right of it in the row is copied
over the surplus. So a row of twenty numbers costs little more than one of two.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from producers.arrow_memory import Mask, offsets

Bytes = npt.NDArray[np.uint8]
Counts = npt.NDArray[np.intp]
Rows = npt.NDArray[Any]
# texts up to this many bytes are columns of a block; longer ones would make it wide
SHORT = 64
# rows whose block stays in a processor's cache while it is filled and copied: twice as fast as all at once
_ROWS, _CACHED = 1_000, 2**19
_NONE = np.zeros(1, np.int32)


class _Column(NamedTuple):
    """Columns of a block: how many bytes wide, what stands in each row or in all, and how many of them each row has (None: all)."""

    width: int
    rows: Rows | None = None
    constant: bytes = b""
    used: Counts | None = None


class Sheet:
    """Columns of bytes for ``rows`` rows; what is written later stands further right."""

    def __init__(self, rows: int) -> None:
        self.rows = rows
        self._parts: list[pa.Array | list[_Column]] = [[]]

    def constant(self, text: bytes, there: Mask | None = None) -> None:
        """The same bytes in every row, or in the rows that are ``there``."""
        columns = self._block()
        if there is None and columns and columns[-1].rows is None and columns[-1].used is None:
            text = columns.pop().constant + text
        columns.append(_Column(len(text), None, text, _counts(there, len(text))))

    def doubles(self, values: npt.NDArray[np.float64], there: Mask | None = None) -> None:
        """Eight bytes, little-endian."""
        self._block().append(_Column(8, values.astype("<f8", copy=False), used=_counts(there, 8)))

    def fixed(self, text: Bytes, used: Counts | None = None) -> None:
        """Bytes of shape (rows, width), of which each row has the first ``used``."""
        width = text.shape[1]
        if width:
            self._block().append(_Column(width, text.view((np.void, width))[:, 0], used=used))

    def varints(self, values: npt.NDArray[np.int64], there: Mask | None = None) -> None:
        """Whole numbers of up to 64 bits: zigzag, of variable length (Avro 1.11 specification, "Binary Encoding")."""
        if not self.rows:
            return
        zigzag = (values << 1 ^ values >> 63).view(np.uint64)
        width, least = (max(1, -(-int(end).bit_length() // 7)) for end in (zigzag.max(), zigzag.min()))
        text = np.empty((self.rows, width), np.uint8)
        for place in range(width):
            text[:, place] = (zigzag >> np.uint64(7 * place)).astype(np.uint8) | 0x80
        if least == width:
            text[:, -1] &= 0x7F
            self.fixed(text, _counts(there, width))
            return
        used = np.ones(self.rows, np.intp)
        for place in range(1, width):
            used += zigzag >= np.uint64(1 << 7 * place)
        text[np.arange(self.rows), used - 1] &= 0x7F
        self.fixed(text, used if there is None else used * there)

    def texts(self, column: pa.StringArray, there: Mask | None = None) -> None:
        """Strings with their lengths before them. A null is an empty one, whose length is written where it is ``there``."""
        if column.null_count:
            column = pc.fill_null(column, "")
        if not self.rows:
            return
        places = offsets(column)
        lengths = (places[1:] - places[:-1]).astype(np.intp)
        longest = int(lengths.max())
        if longest < SHORT:
            self.fixed((lengths << 1).astype(np.uint8)[:, None], _counts(there, 1))
        else:
            self.varints(lengths, there)
        if longest > SHORT:
            self._parts += [column.cast(pa.binary()), []]
        elif lengths.min() == longest:
            data = np.frombuffer(column.buffers()[2] or b"", np.uint8)
            self.fixed(data[places[0] : places[-1]].reshape(self.rows, longest))
        else:
            self.fixed(_padded(column.buffers()[2], places, longest), lengths)

    def append(self, other: Sheet) -> None:
        """All that stands on another sheet."""
        first, *rest = other._parts
        self._block().extend(first)
        self._parts += rest

    def packed(self) -> pa.BinaryArray:
        """The rows."""
        if not self.rows:
            return pa.array([], pa.binary())
        parts = [
            _packed(self.rows, part) if isinstance(part, list) else part for part in self._parts if len(part)
        ]
        if len(parts) == 1:
            return parts[0]
        return pc.binary_join_element_wise(*parts, b"") if parts else pa.array([b""] * self.rows, pa.binary())

    def _block(self) -> list[_Column]:
        last = self._parts[-1]
        assert isinstance(last, list)
        return last


def _counts(there: Mask | None, width: int) -> Counts | None:
    return None if there is None else np.multiply(there, width, dtype=np.intp)


def _padded(data: pa.Buffer, places: npt.NDArray[np.int32], width: int) -> Bytes:
    """Texts with what follows them, all of one width: shape (rows, width)."""
    start, end = int(places[0]), int(places[-1])
    text = np.frombuffer(data, np.uint8)
    if end + width > len(text):
        text, places = np.concatenate([text[start:end], np.zeros(width, np.uint8)]), places - start
    windows = np.ndarray((len(text) - width + 1,), np.dtype((np.void, width)), text, 0, (1,))
    return windows[places[:-1]].view(np.uint8).reshape(-1, width)  # take() is five times as slow


def _packed(rows: int, columns: Sequence[_Column]) -> pa.BinaryArray:
    width = sum(column.width for column in columns)
    lengths = np.full(rows, width)
    for column in columns:
        if column.used is not None:
            lengths -= column.width - column.used
    ends = np.cumsum(lengths)
    # at the end there is room for one row's surplus
    text, starts, runs = np.empty(int(ends[-1]) + width, np.uint8), ends - lengths, _runs(columns)
    most = max(_ROWS, _CACHED // max(width, 1))
    block = np.empty((min(most, rows), width), np.uint8)
    block[:] = np.frombuffer(b"".join(column.constant or bytes(column.width) for column in columns), np.uint8)
    for start in range(0, rows, most):
        some = slice(start, min(start + most, rows))
        _fill(block[: some.stop - start], columns, some)
        _copy_runs(block[: some.stop - start], runs, some, text, starts[some])
    places = pa.py_buffer(np.concatenate([_NONE, ends.astype(np.int32)]))
    return pa.Array.from_buffers(pa.binary(), rows, [None, places, pa.py_buffer(text)])


def _fill(block: Bytes, columns: Sequence[_Column], some: slice) -> None:
    """Write what differs from row to row."""
    rows, width = block.shape
    place = 0
    for column in columns:
        if column.rows is not None:
            np.ndarray((rows,), column.rows.dtype, block, place, (width,))[:] = column.rows[some]
        place += column.width


class _Run(NamedTuple):
    """Columns of a block that are copied at once: some of fixed width, then one of which each row has the first ``used``.

    ``right`` is how much of every row stands right of them at least.
    """

    place: int
    fixed: int
    width: int
    used: Counts | None
    right: int


def _runs(columns: Sequence[_Column]) -> list[_Run]:
    """All columns, from left to right."""
    runs: list[_Run] = []
    end, fixed, right = sum(column.width for column in columns), 0, 0
    ragged = _Column(0)
    for column in reversed([_Column(0, used=np.zeros(1, np.intp)), *columns]):
        if column.used is None:
            fixed += column.width
            continue
        if fixed or ragged.width:
            end -= fixed + ragged.width
            runs.append(_Run(end, fixed, ragged.width, ragged.used, right))
            right += fixed + (0 if ragged.used is None else int(ragged.used.min()))
        ragged, fixed = column, 0
    return runs[::-1]


def _copy_runs(block: Bytes, runs: Sequence[_Run], some: slice, text: Bytes, starts: Counts) -> None:
    """Copy a block's rows, without what they lack, to where they start in the text."""
    for run in runs:
        if run.used is None:
            _copy(block, run.place, run.fixed, text, starts)
            break  # it is the last
        used = run.used[some]
        if run.width - int(used.min()) <= run.right:
            _copy(block, run.place, run.fixed + run.width, text, starts)
        else:
            _copy(block, run.place, run.fixed, text, starts)
            _copy_exactly(block, run.place + run.fixed, used, text, starts + run.fixed)
        starts = starts + (run.fixed + used)


def _copy(block: Bytes, place: int, width: int, text: Bytes, starts: Counts) -> None:
    if width:
        kind = np.dtype((np.void, width))
        rows = np.ndarray((len(block),), kind, block, place, (block.shape[1],))
        np.ndarray((len(text) - width + 1,), kind, text, 0, (1,))[starts] = rows


def _copy_exactly(block: Bytes, place: int, used: Counts, text: Bytes, starts: Counts) -> None:
    for width in np.unique(used):
        rows = np.flatnonzero(used == width)
        _copy(block[rows], place, int(width), text, starts[rows])
