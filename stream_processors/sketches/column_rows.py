"""Sketches of columns under many keys as Arrow rows: what `Accumulator.drain_rows` gives where there are too many for one object each.

A row is a ``NumericColumn`` or ``CategoricalColumn`` of ``schemas/sketch.v1.avsc``, the same that ``columns`` writes of a single sketch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from stream_processors.sketches.bins import Floats, Ints
from stream_processors.sketches.hashing import BUCKETS

NUMERIC_ROW = pa.struct(
    [
        ("column", pa.string()),
        ("precision", pa.int32()),
        ("bins", pa.list_(pa.float64())),
        ("counts", pa.list_(pa.int64())),
        ("nulls", pa.int64()),
        ("nans", pa.int64()),
        ("plus_inf", pa.int64()),
        ("minus_inf", pa.int64()),
        ("absent", pa.int64()),
        ("sum", pa.float64()),
        ("sum_of_squares", pa.float64()),
        ("min", pa.float64()),
        ("max", pa.float64()),
        ("degraded", pa.bool_()),
    ]
)
CATEGORICAL_ROW = pa.struct(
    [
        ("column", pa.string()),
        ("values", pa.list_(pa.string())),
        ("counts", pa.list_(pa.int64())),
        ("buckets", pa.list_(pa.int64())),
        ("nulls", pa.int64()),
        ("absent", pa.int64()),
        ("listed", pa.bool_()),
        ("near_unique", pa.bool_()),
    ]
)


@dataclass(frozen=True, slots=True, eq=False)
class ColumnRows:
    """Sketches of columns, one row per column and key.

    Attributes:
        names: of the columns, each once.
        columns: position in ``names`` of each row's column.
        keys: number of each row's key.
        carried: events of the key that carried the column: all but the absent.
        rows: the sketches, of type `NUMERIC_ROW` or `CATEGORICAL_ROW`.
        sizes: at most how many bytes each takes in Avro.
    """

    names: Sequence[str]
    columns: Ints
    keys: Ints
    carried: Ints
    rows: pa.StructArray
    sizes: Ints

    def kept(self, rows: npt.NDArray[np.bool_]) -> ColumnRows:
        """Only these rows."""
        if rows.all():
            return self
        chosen = self.rows.filter(pa.array(rows))
        return ColumnRows(
            self.names, self.columns[rows], self.keys[rows], self.carried[rows], chosen, self.sizes[rows]
        )


def together(parts: Sequence[ColumnRows], kind: pa.StructType) -> ColumnRows:
    """All rows, in no order; ``names`` rise, so that rows ordered by ``columns`` are ordered by name."""
    names = sorted({name for part in parts for name in part.names})
    number = {name: place for place, name in enumerate(names)}
    nothing = np.zeros(0, dtype=np.int64)
    columns = [
        np.array([number[name] for name in part.names], dtype=np.int64)[part.columns] for part in parts
    ]
    return ColumnRows(
        names,
        np.concatenate([nothing, *columns]),
        np.concatenate([nothing, *(part.keys for part in parts)]),
        np.concatenate([nothing, *(part.carried for part in parts)]),
        _joined([part.rows for part in parts], kind),
        np.concatenate([nothing, *(part.sizes for part in parts)]),
    )


def _joined(rows: Sequence[pa.StructArray], kind: pa.StructType) -> pa.StructArray:
    if len(rows) == 1:
        return rows[0]
    return pa.concat_arrays(rows) if rows else pa.array([], kind)


def lists(sizes: Ints, values: pa.Array) -> pa.ListArray:
    """Lists of these lengths, cut from values that lie end to end."""
    offsets = np.concatenate(([0], np.cumsum(sizes))).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), values)


def struct(kind: pa.StructType, columns: Sequence[pa.Array]) -> pa.StructArray:
    """A struct array of this type from its children."""
    return pa.StructArray.from_arrays(list(columns), fields=list(kind))


def optional(values: Floats, there: npt.NDArray[np.bool_]) -> pa.Array:
    """Doubles, null where they are not there."""
    return pa.array(values, mask=~there)


def buckets_lists(positions: Ints, numbers: Ints, counts: Ints, rows: int) -> pa.ListArray:
    """Per row its 64 buckets, or an empty list where all are zero; entries are (row, bucket, count)."""
    with_any = np.unique(positions)
    table = np.zeros((with_any.size, BUCKETS), dtype=np.int64)
    table[np.searchsorted(with_any, positions), numbers] = counts
    sizes = np.zeros(rows, dtype=np.int64)
    sizes[with_any] = BUCKETS
    return lists(sizes, pa.array(table.ravel()))
