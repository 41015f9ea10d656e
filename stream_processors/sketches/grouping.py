"""Which rows of a batch belong to which key: one grouping per slicing, shared by all columns of the batch."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stream_processors.sketches.bins import Floats, Ints

# More cells than this many per code, and a sparse count beats a dense table.
_DENSE_CELLS_PER_CODE = 4
_DENSE_CELLS = 65_536


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """The pairs of a column and a group that hold values, in rising order; ``columns`` and ``groups`` are positions, an entry per pair.

    A column's values, gathered, lie pair by pair; ``starts`` says where each begins.
    """

    columns: Ints
    groups: Ints
    order: npt.NDArray[np.intp] | None
    starts: npt.NDArray[np.intp]

    def places(self, columns: Ints, groups: Ints) -> npt.NDArray[np.intp]:
        """The position of each of these pairs, which all hold values."""
        if self.columns.size == 1:
            return np.zeros(columns.size, dtype=np.intp)
        width = int(self.groups.max(initial=0)) + 1
        own, wanted = self.columns * width + self.groups, columns * width + groups
        bound = int(own[-1]) + 1 if own.size else 0
        if bound > _DENSE_CELLS_PER_CODE * wanted.size + _DENSE_CELLS:
            return np.searchsorted(own, wanted)
        places: npt.NDArray[np.intp] = np.empty(bound, dtype=np.intp)
        places[own] = np.arange(own.size)
        found: npt.NDArray[np.intp] = places[wanted]
        return found

    def gather(self, values: Floats) -> Floats:
        """Bring one number per value into the order of the pairs, values of no group left out."""
        return values if self.order is None else values.take(self.order)

    def reduce(self, ufunc: np.ufunc, gathered: Floats) -> Floats:
        """Reduce gathered numbers within each pair: one per pair."""
        if gathered.size == 0:
            return np.empty(0)
        result: Floats = ufunc.reduceat(gathered, self.starts)
        return result


class Grouping:
    """Rows of a batch in groups, one per key; a row belongs to at most one group.

    Args:
        codes: int array, one per row: the position of the row's key in ``keys``, or negative for a row that belongs to none.
        keys: distinct hashable keys; what they mean (slice, window, model) is the caller's business.
    """

    def __init__(self, codes: npt.NDArray[np.integer], keys: Sequence[Hashable]) -> None:
        self.keys = keys
        self.rows = codes.size
        sizes = np.bincount(np.where(codes < 0, len(keys), codes), minlength=len(keys) + 1).astype(np.int64)
        self.sizes: Ints = sizes[:-1]
        self.present: npt.NDArray[np.intp] = np.flatnonzero(self.sizes)
        self._is_whole = self.present.size == 1 and int(sizes[-1]) == 0
        self._order: npt.NDArray[np.intp] | None = None
        if self._is_whole:
            self._codes = np.zeros(0, dtype=np.int64)
        else:
            self._codes = np.where(codes < 0, len(keys), codes).astype(np.int64)
        # Groups lie side by side once rows are ordered; rows of no group come last and are left out by the last boundary.
        self._starts = np.concatenate(([0], np.cumsum(sizes)[:-1]))[self.present]
        self._in_groups = int(self.sizes.sum())

    @classmethod
    def whole(cls, rows: int, key: Hashable) -> Grouping:
        """Put all rows under one key."""
        return cls(np.zeros(rows, dtype=np.int64), (key,))

    def cells(self, lengths: Ints, rows: npt.NDArray[np.integer] | None) -> Cells:
        """Where columns' values fall that lie end to end.

        Args:
            lengths: values of each column.
            rows: the row of each value; None where every column has all rows, in order.
        """
        columns = np.arange(lengths.size)
        if self._is_whole:
            held = np.flatnonzero(lengths)
            starts = (np.cumsum(lengths) - lengths)[held]
            return Cells(held, np.full(held.size, self.present[0]), None, starts)
        if rows is None:
            order, starts = self._row_order(), self._starts
            if lengths.size > 1:
                order = (columns[:, np.newaxis] * self.rows + order).ravel()
                starts = (columns[:, np.newaxis] * self._in_groups + starts).ravel()
            return Cells(
                np.repeat(columns, self.present.size), np.tile(self.present, lengths.size), order, starts
            )
        groups = self._codes[rows]
        cell = np.repeat(columns * len(self.keys), lengths) + groups
        inside = np.flatnonzero(groups < len(self.keys))
        order = inside[_order(cell[inside], lengths.size * len(self.keys))]
        ordered = cell[order]
        starts = np.flatnonzero(np.concatenate(([ordered.size > 0], ordered[1:] != ordered[:-1])))
        found = ordered[starts]
        return Cells(found // len(self.keys), found % len(self.keys), order, starts)

    def _row_order(self) -> npt.NDArray[np.intp]:
        """The rows in the order in which each group is one stretch, rows of no group left out."""
        if self._order is None:
            self._order = _order(self._codes, len(self.keys) + 1)[: self._in_groups]
        return self._order

    def table(
        self, codes: Ints, n_codes: int, rows: npt.NDArray[np.integer] | None = None
    ) -> tuple[npt.NDArray[np.intp], Ints, Ints]:
        """Count the codes (int64, below ``n_codes``) in each group.

        ``rows`` is the row of each code; None where they are of all rows in order, once or several times over.
        Returns three arrays of one length, one entry per pair that occurs: position of the key, code, count.
        """
        if self._is_whole:
            counts = np.bincount(codes, minlength=n_codes)
            found = np.flatnonzero(counts)
            return np.full(found.size, self.present[0]), found, counts[found]
        cells = (len(self.keys) + 1) * n_codes
        joint = self._codes * n_codes
        if rows is not None:
            joint = joint[rows]
        elif codes.size > self.rows:
            joint = np.tile(joint, codes.size // self.rows)
        joint = joint + codes
        if cells <= _DENSE_CELLS_PER_CODE * codes.size + _DENSE_CELLS:
            counts = np.bincount(joint, minlength=cells)
            found = np.flatnonzero(counts[: len(self.keys) * n_codes])
            return *_apart(found, n_codes), counts[found]
        found, sparse = np.unique(joint, return_counts=True)
        inside = found < len(self.keys) * n_codes
        return *_apart(found[inside], n_codes), sparse[inside].astype(np.int64)


def _apart(joint: Ints, n_codes: int) -> tuple[Ints, Ints]:
    """Group and code of each; one division, which is what takes the time."""
    groups = joint // n_codes
    return groups, joint - groups * n_codes


def _order(codes: Ints, bound: int) -> npt.NDArray[np.intp]:
    # numpy sorts 16-bit integers by radix, several times faster than wider ones
    small = bound < np.iinfo(np.int16).max
    return np.argsort(codes.astype(np.int16) if small else codes, kind="stable" if small else None)
