"""Categorical columns of a batch as small integers, end to end: many small columns cost as much as one large."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stream_processors.sketches.bins import Ints
from stream_processors.sketches.encoding import Rows, rows_of


@dataclass(frozen=True, slots=True, eq=False)
class CategoricalColumn:
    """A categorical column of a batch.

    Attributes:
        name: of the column.
        values: strings, or a dictionary of them, with nulls: one per row, or per row of ``rows``.
        listed: the values to count by name; None for the 1,000 with the smallest hash.
        rows: the rows that carry the column, each once; None where all do.
    """

    name: str
    values: pa.Array | pa.ChunkedArray
    listed: tuple[str, ...] | None = None
    rows: Rows | None = None


@dataclass(frozen=True, slots=True, eq=False)
class EncodedStrings:
    """Categorical columns of a batch, end to end.

    Attributes:
        values: distinct values of all columns.
        codes: int64 per value of a column: a pair of a column and a value that occurs.
        code_columns: per code the position of its column.
        code_values: per code the position in ``values``, or ``len(values)`` for null.
        lengths: values of each column.
        rows: the row of each value; None where every column has all rows, in order.
    """

    values: list[str]
    codes: Ints
    code_columns: Ints
    code_values: Ints
    lengths: Ints
    rows: Rows | None


def encode_strings(columns: Sequence[CategoricalColumn], n_rows: int) -> EncodedStrings:
    """Encode columns of a batch of ``n_rows`` rows."""
    rows = rows_of([one.rows for one in columns], n_rows)
    lengths = np.array([len(one.values) for one in columns], dtype=np.int64)
    values, codes = _coded(_end_to_end([one.values for one in columns]))
    n = len(values) + 1
    if len(columns) == 1:
        return EncodedStrings(values, codes, np.zeros(n, dtype=np.int64), np.arange(n), lengths, rows)
    pairs = pa.array(np.repeat(np.arange(lengths.size) * n, lengths) + codes).dictionary_encode()
    found: Ints = pairs.dictionary.to_numpy()
    codes = pairs.indices.to_numpy().astype(np.int64)
    return EncodedStrings(values, codes, found // n, found % n, lengths, rows)


def _end_to_end(arrays: Sequence[pa.Array | pa.ChunkedArray]) -> pa.Array:
    whole = [one.combine_chunks() if isinstance(one, pa.ChunkedArray) else one for one in arrays]
    if len(whole) == 1:
        return whole[0]
    plain = [one.dictionary_decode() if pa.types.is_dictionary(one.type) else one for one in whole]
    kinds = {one.type for one in plain}
    return pa.concat_arrays(plain if len(kinds) == 1 else [one.cast(pa.large_string()) for one in plain])


def _coded(strings: pa.Array) -> tuple[list[str], Ints]:
    """Distinct values, and each string's position among them; one behind the last for a null."""
    encoded = strings if pa.types.is_dictionary(strings.type) else strings.dictionary_encode()
    values: list[str] = encoded.dictionary.to_pylist()
    indices = encoded.indices
    if indices.null_count:
        indices = pc.fill_null(indices, pa.scalar(len(values), type=indices.type))
    return values, indices.to_numpy(zero_copy_only=False).astype(np.int64)
