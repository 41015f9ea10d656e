"""How many bytes records take in Avro, computed from their columns without encoding them. Pure.

Avro's specification, "Binary Encoding": a number takes one byte per seven bits of its zigzag form, a text its length and its bytes, a map the number of
its entries, the entries, and a zero. Encoders may write maps in several blocks and numbers with idle bytes; the size here is the least there is.
"""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Ints = npt.NDArray[np.int64]
# Arrow's offsets; what lies between any two of them fits too
Offsets = npt.NDArray[np.int32]
Sizes = Ints | Offsets | int

_DOUBLE = 8
_ONE_BYTE_LENGTHS = 64


def least_sizes(text: str, batch: pa.RecordBatch) -> Ints | None:
    """The least number of bytes of each row's record; None where the schema has types that are not looked at here.

    Args:
        text: a record's schema of strings, numbers, booleans, maps of these, and unions of null (first) and one of them.
        batch: its columns, in the schema's order.
    """
    kinds = _kinds(text)
    if kinds is None:
        return None
    total = np.zeros(batch.num_rows, dtype=np.int64)
    if batch.num_rows:
        for kind, column in zip(kinds, batch.columns, strict=True):
            total += _sizes(kind, column)
    return total


def is_sized(text: str) -> bool:
    """Whether `least_sizes` says anything of records of this schema."""
    return _kinds(text) is not None


@cache
def _kinds(text: str) -> tuple[str, ...] | None:
    kinds = [_kind(field["type"]) for field in json.loads(text)["fields"]]
    return None if None in kinds else tuple(kind for kind in kinds if kind)


def _kind(declared: Any) -> str | None:
    """``text``, ``number``, ``double``, ``boolean``, ``map`` of one of these; ``?`` behind what may be null."""
    if isinstance(declared, list):
        inner = _kind(declared[1]) if len(declared) == 2 and declared[0] == "null" else None
        return f"{inner}?" if inner and not inner.startswith("map") else None
    if isinstance(declared, dict):
        if declared["type"] == "map":
            values = _kind(declared["values"])
            return f"map {values}" if values and not values.startswith("map") else None
        return _kind(declared["type"]) if "logicalType" in declared else None
    plain = {"string": "text", "long": "number", "int": "number", "double": "double", "boolean": "boolean"}
    return plain.get(declared)


def _sizes(kind: str, column: pa.Array) -> Sizes:
    """Bytes of each value; one number where all take the same."""
    if kind.startswith("map "):
        return _of_maps(kind.removeprefix("map "), column)
    branch = kind.endswith("?")
    kind = kind.removesuffix("?")
    if branch and column.null_count == len(column):
        return 1
    sizes: Sizes
    if kind == "text":
        sizes = _of_lengths(_ends(column))
    elif kind == "number":
        sizes = _of_numbers(column)
    else:
        sizes = _DOUBLE if kind == "double" else 1
    if column.null_count:
        sizes = sizes * column.is_valid().to_numpy(zero_copy_only=False)
    return sizes + branch


def _ends(column: pa.Array) -> Offsets:
    """The offsets of strings or maps, one more than there are."""
    ends = np.frombuffer(column.buffers()[1], dtype=np.int32)
    return ends[column.offset : column.offset + len(column) + 1]


def _of_lengths(ends: Offsets) -> Sizes:
    lengths = np.diff(ends)
    if lengths.max(initial=0) < _ONE_BYTE_LENGTHS:
        return lengths + 1
    return lengths + _number_sizes(lengths.astype(np.int64))


def _of_numbers(column: pa.Array) -> Sizes:
    numbers = column.view(pa.int32() if column.type.bit_width == 32 else pa.int64())
    values = (numbers.fill_null(0) if column.null_count else numbers).to_numpy().astype(np.int64)
    low, high = values.min(), values.max()
    if low >= 0:
        least, most = _number_sizes(np.array([low, high])).tolist()
        if least == most:
            return int(least)
    return _number_sizes(values)


def _number_sizes(values: Ints) -> Ints:
    zigzag = ((values << 1) ^ (values >> 63)).view(np.uint64)
    sizes = np.ones(values.size, dtype=np.int64)
    for bits in range(7, 64, 7):
        more = zigzag >= np.uint64(1 << bits)
        if not more.any():
            break
        sizes += more
    return sizes


def _of_maps(kind: str, maps: pa.MapArray) -> Sizes:
    ends = _ends(maps)
    counts = np.diff(ends).astype(np.int64)
    if not counts.any():
        return 1
    # the number of entries, and the zero that ends them
    sizes = _number_sizes(counts) + (counts > 0)
    for part in (_sizes_within("text", maps.keys, ends), _sizes_within(kind, maps.items, ends)):
        sizes += counts * part if isinstance(part, int) else part
    return sizes


def _sizes_within(kind: str, entries: pa.Array, ends: Offsets) -> Sizes:
    """Bytes of the entries of each row; one number where each entry takes the same."""
    if kind.startswith("text") and not entries.null_count:
        texts = _ends(entries)
        longest = int(np.diff(texts).max(initial=0))
        if longest < _ONE_BYTE_LENGTHS:
            each = 2 if kind.endswith("?") else 1
            return np.asarray(np.diff(texts[ends]) + each * np.diff(ends))
    sizes = _sizes(kind, entries)
    return (
        sizes
        if isinstance(sizes, int)
        else np.asarray(np.diff(np.concatenate(([0], np.cumsum(sizes)))[ends]))
    )
