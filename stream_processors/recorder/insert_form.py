"""Rows as they travel to ClickHouse: the same rows in fewer bytes. Pure.

What a batch says by saying nothing is left out, and texts that repeat travel as a dictionary. Body, socket, spool and parser
of an insert each handle every byte, which is most of what an insert costs beside the engine's own work.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.types as pat

from stream_processors.map_columns import is_constant
from stream_processors.recorder.provenance import one_text

# so many rows are looked at before a column's texts are taken to repeat, and so many different ones an int8 tells apart
_LOOKED_AT = 256
_FEW = 32
_INT8 = 127


def in_few_bytes(rows: pa.Table) -> pa.Table:
    """The same rows for ClickHouse, which reads a column left out as its default: null, or an empty map or list.

    Columns without a null, such as a text that is empty in every row, stay: their default may be made of other columns.
    """
    columns = {}
    whole = rows.combine_chunks()  # so that all chunks of a column have one form, and one dictionary
    for name, column in zip(whole.column_names, whole.columns, strict=True):
        if not _says_nothing(column):
            columns[name] = (
                pa.chunked_array([_packed(chunk) for chunk in column.chunks], None) if len(column) else column
            )
    return pa.table(columns)


def _says_nothing(column: pa.ChunkedArray) -> bool:
    if not len(column):
        return False
    if column.null_count == len(column):
        return True
    if pat.is_map(column.type) or pat.is_list(column.type):
        return all(chunk.offsets[0] == chunk.offsets[-1] for chunk in column.chunks)
    return False


def _packed(values: pa.Array) -> pa.Array:
    if pat.is_string(values.type):
        few = values.slice(0, _LOOKED_AT).dictionary_encode()
        if len(few.dictionary) > _FEW:
            return values
        if not values.null_count and is_constant(values):
            return one_text(values[0].as_py(), len(values))
        return _narrow(values.dictionary_encode())
    if pat.is_dictionary(values.type):
        return _narrow(values)
    if pat.is_map(values.type) and pat.is_dictionary(values.type.key_type):
        return pa.MapArray.from_arrays(values.offsets, _narrow(values.keys), values.items)
    return values


def _narrow(values: pa.DictionaryArray) -> pa.DictionaryArray:
    """Indices of one byte where the dictionary is short enough."""
    if len(values.dictionary) > _INT8 or pat.is_int8(values.indices.type):
        return values
    return pa.DictionaryArray.from_arrays(values.indices.cast(pa.int8()), values.dictionary)
