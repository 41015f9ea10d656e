"""Timestamps of Arrow columns as int64 microseconds since 1970-01-01 UTC. Pure."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

TIMESTAMP = pa.timestamp("us", tz="UTC")
SECOND = 1_000_000
HOUR = 3_600 * SECOND


def micros(column: pa.ChunkedArray | pa.Array, *, null: int = 0) -> Ints:
    """A timestamp column as microseconds; nulls as ``null``."""
    numbers: Ints = column.cast(TIMESTAMP).cast(pa.int64()).fill_null(null).to_numpy().astype(np.int64)
    return numbers


def timestamps(numbers: Ints, *, valid: Mask | None = None) -> pa.Array:
    """Microseconds as a timestamp column; null where not ``valid``."""
    return pa.array(numbers, pa.int64(), mask=None if valid is None else ~valid).cast(TIMESTAMP)


def is_valid(column: pa.ChunkedArray | pa.Array) -> Mask:
    """Where the column is not null."""
    found: Mask = (
        column.is_valid().to_numpy(zero_copy_only=False)
        if isinstance(column, pa.Array)
        else column.is_valid().to_numpy()
    )
    return found
