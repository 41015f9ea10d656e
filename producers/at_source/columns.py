"""The rules for single values in `buckets`, `checks` and `pseudonyms`, for Arrow columns. Pure."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from producers.at_source.buckets import EXACT_STEPS, Bucket
from producers.at_source.protection import number_text
from producers.at_source.pseudonyms import MARK, Pseudonyms
from producers.values import EXACT

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


def bucketed(values: Floats, bucket: Bucket) -> Floats:
    """The lower edge of each number's bucket; as `buckets.bucketing` does it, to the bit."""
    if isinstance(bucket, tuple):
        places = np.maximum(np.searchsorted(np.array(bucket), values, side="right") - 1, 0)
        return np.where(np.isnan(values), values, np.array(bucket)[places])
    with np.errstate(invalid="ignore", over="ignore"):
        steps = np.floor(values / bucket)
        steps = np.where(
            steps * bucket > values, steps - 1, np.where((steps + 1) * bucket <= values, steps + 1, steps)
        )
        edges = steps * bucket + 0.0  # no negative zero
        limit = EXACT_STEPS * bucket
        return np.where((values > -limit) & (values < limit), edges, values)


def bucketed_column(column: pa.ChunkedArray | pa.Array, bucket: Bucket) -> pa.Array:
    """A column of doubles bucketed; nulls stay."""
    valid = _mask(column.is_valid())
    return pa.array(bucketed(_doubles(column), bucket), pa.float64(), mask=~valid)


def whole_rows(column: pa.ChunkedArray | pa.Array) -> Mask:
    """Rows of a column of doubles that may be categories: null, or a whole number up to ±2^53."""
    values = _doubles(column)
    with np.errstate(invalid="ignore"):
        whole = (np.floor(values) == values) & (np.abs(values) <= EXACT)
    return np.asarray(whole | ~_mask(column.is_valid()), dtype=np.bool_)


def digit_texts(column: pa.ChunkedArray | pa.Array) -> pa.Array:
    """A column of doubles as digits; null where a number is not whole."""
    valid = whole_rows(column) & _mask(column.is_valid())
    numbers = np.where(valid, _doubles(column), 0).astype(np.int64)
    return pa.array(numbers, pa.int64(), mask=~valid).cast(pa.string())


def settled(column: pa.ChunkedArray | pa.Array, promised: str | None) -> pa.ChunkedArray | pa.Array:
    """A column of doubles or texts as the kind that a contract promises, where all of it can be of that; else as it is.

    Whole numbers become categories by their digits, and texts that are null throughout become numbers.
    """
    numeric = pa.types.is_floating(column.type)
    if promised == "categorical" and numeric and whole_rows(column).all():
        return digit_texts(column)
    if promised == "numeric" and not numeric and column.null_count == len(column):
        return column.cast(pa.float64())
    return column


def pseudonymised(column: pa.ChunkedArray | pa.Array, pseudonyms: Pseudonyms) -> pa.Array:
    """A column of texts, or of doubles by their texts, with every value replaced; Python runs once per distinct value."""
    distinct = pc.unique(column)
    plain = distinct.to_pylist()
    texts = [number_text(one) if isinstance(one, float) else one for one in plain]
    replaced = [None if text is None else pseudonyms(text) for text in texts]
    whole = pa.concat_arrays(column.chunks or [distinct]) if isinstance(column, pa.ChunkedArray) else column
    return pa.array(replaced, pa.string()).take(pc.index_in(whole, value_set=distinct))


def unprotected_texts(column: pa.Array, protection: str) -> Mask:
    """Rows of a column whose texts should have been dropped or hashed (``drop``, ``hash``) and are plain; nulls are fine."""
    valid = _mask(column.is_valid())
    if protection == "drop":
        return valid
    return valid & ~_mask(pc.fill_null(pc.starts_with(column, MARK), True))  # noqa: FBT003 - what a null becomes


def _doubles(column: pa.ChunkedArray | pa.Array) -> Floats:
    """The numbers; nulls as NaN."""
    found: Floats = (
        column.to_numpy(zero_copy_only=False) if isinstance(column, pa.Array) else column.to_numpy()
    )
    return found.astype(np.float64, copy=False)


def _mask(truths: pa.ChunkedArray | pa.Array) -> Mask:
    return np.asarray(truths, dtype=np.bool_)
