"""Columns whose Arrow type does not say what their values are: texts that are none, and times, words, addresses and wide numbers that Arrow lacks. Pure."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

_WIDE = (16, 32)
# DateTime and IPv4, Enum8, Enum16
_STORED_AS = (pa.uint32(), pa.int8(), pa.int16())
_OUTER = re.compile(r"(?:Nullable|LowCardinality)\((.*)\)", re.DOTALL)
_MEMBER = re.compile(r"'((?:[^'\\]|\\.)*)' = (-?\d+)", re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_MICROS = 1_000_000


def bytes_where_no_text(answer: pa.Table) -> pa.Table:
    """The answer with bytes in place of text in every column that holds any text which is not UTF-8, maps and lists included."""
    for place, field in enumerate(answer.schema):
        kind = _of_bytes(field.type)
        if kind != field.type and not _is_text(answer.column(place)):
            answer = answer.set_column(place, field.with_type(kind), answer.column(place).cast(kind))
    return answer


def needs_kinds(answer: pa.Table) -> bool:
    """Whether a column may be of a type that Arrow lacks, and came as the bytes or the number that it is stored as."""
    return any(kind in _STORED_AS or _is_wide(kind) for kind in answer.schema.types)


def by_kinds(answer: pa.Table, kinds: Sequence[str]) -> pa.Table:
    """The answer with times for DateTime, and texts for enumerations, IP addresses and whole numbers beyond 64 bits; ``kinds`` are ClickHouse's types of the columns.

    What is inside of lists, maps and tuples stays as it came.
    """
    for place, (field, kind) in enumerate(zip(answer.schema, kinds, strict=True)):
        told = _told(answer.column(place), kind)
        if told is not None:
            answer = answer.set_column(place, field.with_type(told.type), told)
    return answer


def _is_wide(kind: pa.DataType) -> bool:
    return bool(pa.types.is_fixed_size_binary(kind)) and kind.byte_width in _WIDE


def _told(column: pa.ChunkedArray, kind: str) -> pa.ChunkedArray | pa.Array | None:
    """A column as its type says; None where it came so."""
    while outer := _OUTER.fullmatch(kind):
        kind = outer[1]
    name, _, arguments = kind.partition("(")
    if name == "DateTime":
        zone = arguments.strip("')") or "UTC"
        return pc.multiply(column.cast(pa.int64()), _MICROS).cast(pa.timestamp("us", zone))
    if name in ("Enum8", "Enum16"):
        words = {int(number): _ESCAPED.sub(r"\1", word) for word, number in _MEMBER.findall(arguments)}
        return _by_value(column, words.__getitem__)
    if name in ("IPv4", "IPv6"):
        return _by_value(column, lambda value: str(ipaddress.ip_address(value)))
    if name in ("Int128", "Int256", "UInt128", "UInt256"):
        signed = name.startswith("I")
        return _by_value(column, lambda value: str(int.from_bytes(value, "little", signed=signed)))
    return None


def _by_value(column: pa.ChunkedArray, shown: Callable[[Any], str]) -> pa.Array:
    """Texts in place of values, made once for each that is different."""
    coded = column.combine_chunks().dictionary_encode()
    return pa.array(map(shown, coded.dictionary.to_pylist()), pa.string()).take(coded.indices)


def _is_text(column: pa.ChunkedArray) -> bool:
    try:
        column.validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


def _of_bytes(kind: pa.DataType) -> pa.DataType:
    """The same type with bytes where it has texts."""
    if pa.types.is_string(kind):
        return pa.binary()
    if pa.types.is_list(kind):
        return pa.list_(kind.value_field.with_type(_of_bytes(kind.value_type)))
    if pa.types.is_map(kind):
        return pa.map_(
            kind.key_field.with_type(_of_bytes(kind.key_type)),
            kind.item_field.with_type(_of_bytes(kind.item_type)),
        )
    if pa.types.is_struct(kind):
        return pa.struct([field.with_type(_of_bytes(field.type)) for field in kind])
    return kind
