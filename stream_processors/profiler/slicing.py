"""Which slice of each of the contract's slicings a row belongs to. Pure."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from stream_processors.contracts.model import Slice
from stream_processors.map_columns import KeyedColumns
from stream_processors.sketches import REST, slice_name

Ints = npt.NDArray[np.int64]


class Slicing:
    """One slicing of a contract: the names of its slices, and each row's place among them.

    A row's value is that of the categorical feature of this name, else (absent or null) of the segment. Values that are not listed, and rows
    without a value, are the last slice, ``@other``.
    """

    def __init__(self, definition: Slice) -> None:
        self._by = definition.by
        listed = list(dict.fromkeys(definition.values))
        self.names = [
            *(slice_name(zip(self._by, row, strict=True)) for row in listed),
            slice_name((name, REST) for name in self._by),
        ]
        self._values = [list(dict.fromkeys(row[i] for row in listed)) for i in range(len(self._by))]
        self._table = self._places(listed)

    def _places(self, listed: list[tuple[str, ...]]) -> npt.NDArray[np.int64]:
        """Place of each combination of single values; every one that is not listed is the rest."""
        table = np.full([len(values) + 1 for values in self._values], len(listed), dtype=np.int64)
        for place, row in enumerate(listed):
            where = tuple(values.index(value) for values, value in zip(self._values, row, strict=True))
            table[where] = place
        return table

    def of_rows(self, features: KeyedColumns, segments: KeyedColumns, n_rows: int) -> Ints:
        """Position in ``names`` of each row's slice."""
        single = [
            _codes(name, values, features, segments, n_rows)
            for name, values in zip(self._by, self._values, strict=True)
        ]
        return np.asarray(self._table[tuple(single)])


def _codes(name: str, values: list[str], features: KeyedColumns, segments: KeyedColumns, n_rows: int) -> Ints:
    """Position of each row's value in ``values``; ``len(values)`` for any other and for none."""
    listed = pa.array(values, pa.string())
    found = np.full(n_rows, -1, dtype=np.int64)
    for source in (features, segments):
        if name not in source:
            continue
        carried, rows = source.values(name), source.rows(name)
        places = pc.index_in(carried, value_set=listed).fill_null(len(values))
        codes = places.to_numpy(zero_copy_only=False).astype(np.int64)
        if carried.null_count:
            codes[~carried.is_valid().to_numpy(zero_copy_only=False)] = -1
        if rows is None:
            found = np.where(found < 0, codes, found)
        else:
            found[rows] = np.where(found[rows] < 0, codes, found[rows])
    found[found < 0] = len(values)
    return found
