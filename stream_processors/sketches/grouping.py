"""Which rows of a batch belong to which key: one grouping per slicing, shared by all columns of the batch."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
import numpy.typing as npt

from stream_processors.sketches.bins import Floats, Ints

# More cells than this many per row, and a sparse count beats a dense table.
_DENSE_CELLS_PER_ROW = 4
_DENSE_CELLS = 65_536


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

    def gather(self, column: Floats) -> Floats:
        """Bring a column (one value per row) into the order in which each group is one stretch, rows of no group left out."""
        if self._is_whole:
            return column
        if self._order is None:
            small = self._codes.astype(np.int16) if len(self.keys) < np.iinfo(np.int16).max else self._codes
            # numpy sorts 16-bit integers by radix, several times faster than wider ones.
            self._order = np.argsort(small, kind="stable")[: self._in_groups]
        return column.take(self._order)

    def reduce(self, ufunc: np.ufunc, gathered: Floats) -> Floats:
        """Reduce a gathered column within each group of ``present``, which all have rows: one value per present group."""
        if gathered.size == 0:
            return np.empty(0)
        result: Floats = ufunc.reduceat(gathered, self._starts)
        return result

    def table(self, codes: Ints, n_codes: int) -> tuple[npt.NDArray[np.intp], Ints, Ints]:
        """Count the codes (int64 per row, below ``n_codes``) in each group.

        Returns three arrays of one length, one entry per pair that occurs: position of the key, code, count.
        """
        if self._is_whole:
            counts = np.bincount(codes, minlength=n_codes)
            found = np.flatnonzero(counts)
            return np.full(found.size, self.present[0]), found, counts[found]
        cells = (len(self.keys) + 1) * n_codes
        joint = self._codes * n_codes + codes
        if cells <= _DENSE_CELLS_PER_ROW * self.rows + _DENSE_CELLS:
            counts = np.bincount(joint, minlength=cells)
            found = np.flatnonzero(counts[: len(self.keys) * n_codes])
            return found // n_codes, found % n_codes, counts[found]
        found, sparse = np.unique(joint, return_counts=True)
        inside = found < len(self.keys) * n_codes
        found, sparse = found[inside], sparse[inside]
        return found // n_codes, found % n_codes, sparse.astype(np.int64)
