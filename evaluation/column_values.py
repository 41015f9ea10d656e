"""Columns whose Arrow type does not say what their values are: texts that are none, and numbers and addresses that Arrow lacks. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Sequence

import pyarrow as pa

_WIDE = (16, 32)


def bytes_where_no_text(answer: pa.Table) -> pa.Table:
    """The answer with bytes in place of text in every column that holds any text which is not UTF-8, maps and lists included."""
    for place, field in enumerate(answer.schema):
        kind = _of_bytes(field.type)
        if kind != field.type and not _is_text(answer.column(place)):
            answer = answer.set_column(place, field.with_type(kind), answer.column(place).cast(kind))
    return answer


def has_wide_values(answer: pa.Table) -> bool:
    """Whether a column may be of 128 or 256 bits, which Arrow gives as bytes."""
    return any(_is_wide(kind) for kind in answer.schema.types)


def wide_values_as_text(answer: pa.Table, kinds: Sequence[str]) -> pa.Table:
    """The answer with whole numbers beyond 64 bits and IPv6 addresses as text; ``kinds`` are ClickHouse's types of the columns.

    Fixed strings of such a length stay bytes, and so does what is inside of lists, maps and tuples.
    """
    for place, (field, kind) in enumerate(zip(answer.schema, kinds, strict=True)):
        # inside of Nullable and LowCardinality it is the same
        shown = _shown(kind.rstrip(")").rpartition("(")[2])
        if shown is not None and _is_wide(field.type):
            values = answer.column(place).to_pylist()
            texts = pa.array([None if one is None else shown(one) for one in values], pa.string())
            answer = answer.set_column(place, field.with_type(pa.string()), texts)
    return answer


def _is_wide(kind: pa.DataType) -> bool:
    return bool(pa.types.is_fixed_size_binary(kind)) and kind.byte_width in _WIDE


def _shown(kind: str) -> Callable[[bytes], str] | None:
    if kind == "IPv6":
        return lambda value: str(ipaddress.IPv6Address(value))
    if kind in ("Int128", "Int256", "UInt128", "UInt256"):
        return lambda value: str(int.from_bytes(value, "little", signed=kind.startswith("I")))
    return None


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
