"""Columns of CSV, which come as text, made into what their beginning says they hold. Pure.

What would change by it is refused: a number that no double holds, zeros before a number, one in hexadecimal.
"""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from producers.columns import refuse_where
from producers.errors import InvalidEvent
from producers.values import EXACT

_NUMBER = r"^\s*[+-]?(0[xX][0-9a-fA-F]+|([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?)\s*$"
_ODD_NUMBER = r"^\s*[+-]?0[0-9xX]"
_WHOLE_NUMBER = r"^[+-]?[0-9]+$"
_EXACT_NUMBER = rf"^[+-]?{EXACT}$"
_PARQUET = "write the file as Parquet, whose columns have a type"


def typed(name: str, texts: pa.ChunkedArray, kind: pa.DataType, nulls: Sequence[str]) -> pa.ChunkedArray:
    """A column of texts as the kind that its beginning has; where that is text, it must hold no numbers.

    Args:
        name: the column.
        texts: as they are written.
        kind: as Arrow infers it.
        nulls: words that stand for nothing, quoted too where the column is of no text.

    Raises:
        InvalidEvent: a value that is of another kind, or would change.
    """
    if pa.types.is_string(kind):
        mixed = (
            "holds numbers and what is none: --categorical reads a feature as it is written, --null WORD names a word that "
            "stands for nothing"
        )
        numbers = pc.match_substring_regex(texts, _NUMBER)
        if pc.any(numbers, min_count=0).as_py():
            # what is none is the shorter way to the cause
            refuse_where(name, mixed, pc.invert(numbers))
            refuse_where(name, mixed, numbers)
        return texts
    texts = pc.utf8_trim_whitespace(texts)
    texts = pc.if_else(pc.is_in(texts, value_set=pa.array(["", *nulls])), pa.scalar(None, pa.string()), texts)
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        odd = (
            "holds a number with zeros before it or in hexadecimal, which would change: --categorical reads a feature as it is "
            f"written; or {_PARQUET}"
        )
        refuse_where(name, odd, pc.match_substring_regex(texts, _ODD_NUMBER))
    found = _cast(name, texts, kind)
    if pa.types.is_floating(kind):
        refuse_where(
            name, "holds a whole number beyond 2^53, which changes as a double", _inexact(texts, found)
        )
    return found


def _cast(name: str, texts: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    if texts.null_count == len(texts):
        return pa.chunked_array([pa.nulls(len(texts), kind)])
    if pa.types.is_time(kind):
        raise InvalidEvent(name, "holds times of day, which no field takes")
    try:
        return texts.cast(kind)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        # Arrow's message holds the value
        raise InvalidEvent(
            name, f"begins as {kind} and holds something else further down: {_PARQUET}"
        ) from None


def _inexact(texts: pa.ChunkedArray, doubles: pa.ChunkedArray) -> pa.ChunkedArray:
    """Whole numbers beyond 2^53 among numbers of which some have decimals."""
    large = pc.greater_equal(pc.abs(doubles), float(EXACT))
    if not pc.any(large, min_count=0).as_py():
        return large
    written = pc.and_not(
        pc.match_substring_regex(texts, _WHOLE_NUMBER), pc.match_substring_regex(texts, _EXACT_NUMBER)
    )
    return pc.and_(large, written)
