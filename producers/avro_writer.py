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
        return {symbol: whole_bytes(place) for place, symbol in enumerate(kind["symbols"])}.__getitem__
    return _PRIMITIVE[kind["type"]]  # a logical type: integers are taken as what they are


# two bytes of seven bits each that more follow: an instant is written in three steps, not in eight
_MORE = [bytes((bits & 0x7F | 0x80, bits >> 7 | 0x80)) for bits in range(1 << 14)]


def whole_bytes(number: int) -> bytes:
    """A whole number of up to 64 bits: zigzag, and of variable length."""
    rest = number << 1 ^ number >> 63
    written = b""
    while rest >= 1 << 14:
        written += _MORE[rest & 0x3FFF]
        rest >>= 14
    return written + (bytes((rest,)) if rest < 0x80 else bytes((rest & 0x7F | 0x80, rest >> 7)))


class NearNumbers:
    """`whole_bytes` of numbers that lie near one another, such as the times of events: it remembers how the last one's bytes end."""

    def __init__(self) -> None:
        self._upper, self._end = 0, b""

    def written(self, number: int) -> bytes:
        """The number's bytes."""
        upper = number >> 27
        if upper <= 0:
            return whole_bytes(number)
        if upper != self._upper:
            # the zigzag of this is the number itself
            self._upper, self._end = upper, whole_bytes(upper >> 1 ^ -(upper & 1))
        return _MORE[number << 1 & 0x3FFF] + _MORE[number >> 13 & 0x3FFF] + self._end


_SHORT = [whole_bytes(count) for count in range(1024)]


def length(count: int) -> bytes:
    """The length of a text, or the number of a map's entries."""
    return _SHORT[count] if count < len(_SHORT) else whole_bytes(count)


def text_bytes(value: Any) -> bytes:
    """A string; raises TypeError for anything else and UnicodeEncodeError where it has no UTF-8."""
    written = str.encode(value)
    return length(len(written)) + written


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
        return whole_bytes(value) if type(value) is int and least <= value < beyond else _refuse()

    return write


def _optional(write_value: Writer) -> Writer:
    branch = whole_bytes(1)

    def write(value: Any) -> bytes:
        return _NULL if value is None else branch + write_value(value)

    return write


def _map(write_value: Writer) -> Writer:
    def write(entries: Any) -> bytes:
        if not entries:
            return _NULL if type(entries) is dict else _refuse()
        parts = [length(len(entries))]
        for key, value in entries.items():
            parts.append(text_bytes(key))
            parts.append(write_value(value))
        parts.append(_NULL)
        return b"".join(parts)

    return write


def _refuse() -> bytes:
    raise TypeError("a value of another type")


_BOOLEAN = {False: b"\x00", True: b"\x01"}
_PRIMITIVE: dict[str, Writer] = {
    "string": text_bytes,
    "double": _exact_double,
    "boolean": _boolean,
    "int": _whole(32),
    "long": _whole(64),
}
