"""Arrow's values as they lie in memory, read without Arrow's to_numpy, which loads pandas where there is one: a second, once."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Mask = npt.NDArray[np.bool_]


def numbers(column: pa.Array, kind: npt.DTypeLike) -> npt.NDArray[Any]:
    """The values of a column of fixed width, shape (rows,); what stands at a null is undefined."""
    dtype = np.dtype(kind)
    data = column.buffers()[1]
    if not len(column) or data is None:
        return np.empty(len(column), dtype)
    return np.frombuffer(data, dtype, len(column), column.offset * dtype.itemsize)


def bits(column: pa.BooleanArray) -> Mask:
    """The values of a column of booleans, shape (rows,); what stands at a null is undefined."""
    data = column.buffers()[1]
    if not len(column) or data is None:
        return np.zeros(len(column), np.bool_)
    end = column.offset + len(column)
    return np.unpackbits(np.frombuffer(data, np.uint8), count=end, bitorder="little")[column.offset :].view(
        np.bool_
    )


def offsets(column: pa.Array) -> npt.NDArray[np.int32]:
    """Where the texts of a string or binary column begin and end in its data, shape (rows + 1,)."""
    data = column.buffers()[1]
    if not len(column) or data is None:
        return np.zeros(1, np.int32)
    return np.frombuffer(data, np.int32, len(column) + 1, column.offset * 4)


def whole(column: pa.ChunkedArray) -> pa.Array:
    """A column in one piece, copied only where it is in several."""
    if column.num_chunks == 1:
        return column.chunk(0)
    return pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)
