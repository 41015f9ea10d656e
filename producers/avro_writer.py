"""A record's Avro body by functions made once from its schema: fastavro's bytes in a third of its time. Pure.

It writes what our events consist of (Avro 1.11 specification, "Binary Encoding": strings, doubles, booleans, integers,
enums, maps, and each of them or null), and only values of exactly those types. Whatever else is left to fastavro, which
knows defaults and says what is wrong.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from typing import Any

Writer = Callable[[Any], bytes]
# what a writer raises for a value that is not its business
REFUSALS = (TypeError, ValueError, KeyError, AttributeError, OverflowError, struct.error)
_NULL = b"\x00"
_SECOND_BRANCH = 2
_double = struct.Struct("<d").pack
_branch_and_double = struct.Struct("<Bd").pack


def body_writer(schema: Mapping[str, Any]) -> Writer | None:
    """What writes a record of this parsed schema, or None where a field has a type that is not written here.

    The writer takes a record with all fields and no other, and raises one of `REFUSALS` for anything else.
    """
    try:
        fields = [(field["name"], _writer(field["type"])) for field in schema["fields"]]
    except LookupError:
        return None

    def write(record: Any) -> bytes:
        if len(record) != len(fields):
            raise ValueError("other fields")
        return b"".join([write_field(record[name]) for name, write_field in fields])

    return write


def _writer(kind: Any) -> Writer:
    """The writer of one type; raises LookupError for a type that is not written here."""
    if isinstance(kind, list):
        if len(kind) != 2 or kind[0] != "null":
            raise LookupError("a union of other branches")
        return _optional_double if kind[1] == "double" else _optional(_writer(kind[1]))
    if not isinstance(kind, dict):
        return _PRIMITIVE[kind]
    if kind["type"] == "map":
        return _map(_writer(kind["values"]))
    if kind["type"] == "enum":
        return {symbol: zigzag(place) for place, symbol in enumerate(kind["symbols"])}.__getitem__
    return _PRIMITIVE[kind["type"]]  # a logical type: integers are taken as what they are


def zigzag(number: int) -> bytes:
    """A whole number of up to 64 bits in its variable length."""
    rest = number << 1 ^ number >> 63
    written = bytearray()
    while rest > 0x7F:
        written.append(rest & 0x7F | 0x80)
        rest >>= 7
    written.append(rest)
    return bytes(written)


_SHORT = [zigzag(length) for length in range(1024)]


def _length(count: int) -> bytes:
    return _SHORT[count] if count < len(_SHORT) else zigzag(count)


def _string(value: Any) -> bytes:
    written = str.encode(value)
    return _length(len(written)) + written


def _boolean(value: Any) -> bytes:
    return _BOOLEAN[value] if type(value) is bool else _refuse()


def _exact_double(value: Any) -> bytes:
    return _double(value) if type(value) is float else _refuse()


def _optional_double(value: Any) -> bytes:
    if value is None:
        return _NULL
    return _branch_and_double(_SECOND_BRANCH, value) if type(value) is float else _refuse()


def _whole(bits: int) -> Writer:
    least, beyond = -(1 << bits - 1), 1 << bits - 1

    def write(value: Any) -> bytes:
        return zigzag(value) if type(value) is int and least <= value < beyond else _refuse()

    return write


def _optional(write_value: Writer) -> Writer:
    branch = zigzag(1)

    def write(value: Any) -> bytes:
        return _NULL if value is None else branch + write_value(value)

    return write


def _map(write_value: Writer) -> Writer:
    def write(entries: Any) -> bytes:
        if not entries:
            return _NULL if type(entries) is dict else _refuse()
        parts = [_length(len(entries))]
        for key, value in entries.items():
            parts.append(_string(key))
            parts.append(write_value(value))
        parts.append(_NULL)
        return b"".join(parts)

    return write


def _refuse() -> bytes:
    raise TypeError("a value of another type")


_BOOLEAN = {False: b"\x00", True: b"\x01"}
_PRIMITIVE: dict[str, Writer] = {
    "string": _string,
    "double": _exact_double,
    "boolean": _boolean,
    "int": _whole(32),
    "long": _whole(64),
}
