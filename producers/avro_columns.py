"""Rows of columns as the Avro bodies of their records: fastavro's bytes, written by columns. Pure.

It writes what our events consist of, as `avro_writer` does for one record: strings, doubles, booleans, integers, enums,
maps, and each of them or null (Avro 1.11 specification, "Binary Encoding").
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from producers.arrow_memory import Mask, bits, numbers
from producers.byte_sheet import Sheet

_NULL, _SOME, _END = b"\x00", b"\x02", b"\x00"
Entries = Sequence[tuple[str, pa.Array]]


@dataclass(frozen=True)
class Columns:
    """Some rows of a table of events.

    Attributes:
        rows: how many.
        fields: the column of each field that is no map, or what `BodyWriter.constant` makes of its one value; a field without is null.
        maps: the column of each key of each map, in the order of the keys.
    """

    rows: int
    fields: Mapping[str, pa.Array | bytes]
    maps: Mapping[str, Entries]


class BodyWriter:
    """Writes records of one schema.

    Args:
        schema: parsed; its last fields are producer_id, sequence and known_at.
        sparse: maps whose nulls are left out; a null of any other map is a value of it.
    """

    def __init__(self, schema: Mapping[str, Any], *, sparse: Sequence[str] = ()) -> None:
        self._fields: list[tuple[str, Any]] = [(field["name"], field["type"]) for field in schema["fields"]]
        self._sparse = sparse

    def constant(self, field: str, value: pa.Array) -> bytes:
        """A field's bytes for all rows; ``value`` is one row."""
        alone = Sheet(1)
        _value(alone, dict(self._fields)[field], value)
        text: bytes = alone.packed()[0].as_py()
        return text

    def sheet(self, columns: Columns, *, since: str = "", until: str = "") -> Sheet:
        """The fields of every row from ``since`` on and before ``until``; by default all."""
        names = [name for name, _ in self._fields]
        start, stop = names.index(since) if since else 0, names.index(until) if until else len(names)
        sheet = Sheet(columns.rows)
        for name, kind in self._fields[start:stop]:
            if isinstance(kind, dict) and kind["type"] == "map":
                _map(sheet, kind["values"], columns.maps.get(name, ()), sparse=name in self._sparse)
            else:
                column = columns.fields.get(name, _NULL)
                if isinstance(column, bytes):
                    sheet.constant(column)
                else:
                    _value(sheet, kind, column)
        return sheet


def _value(sheet: Sheet, kind: Any, column: pa.Array) -> None:
    """A value of a type per row."""
    if isinstance(kind, list):
        there = None if not column.null_count else bits(column.is_valid())
        if there is None:
            sheet.constant(_SOME)
        else:
            sheet.fixed(np.where(there, np.uint8(_SOME[0]), np.uint8(_NULL[0]))[:, None])
        _plain(sheet, kind[1], column, there)
    else:
        _plain(sheet, kind, column, None)


def _plain(sheet: Sheet, kind: Any, column: pa.Array, there: Mask | None) -> None:
    """A value per row without its branch, for the rows that are there."""
    if isinstance(kind, dict) and kind["type"] == "enum":
        symbols = pa.array(kind["symbols"], pa.string())
        sheet.varints(numbers(pc.index_in(column, value_set=symbols), np.int32).astype(np.int64), there)
    else:
        _PLAIN[kind["type"] if isinstance(kind, dict) else kind](sheet, column, there)


def _map(sheet: Sheet, kind: Any, entries: Entries, *, sparse: bool) -> None:
    absent: list[Mask | None] = [None] * len(entries)
    if sparse:
        absent = [bits(column.is_valid()) if column.null_count else None for _, column in entries]
    known = [there for there in absent if there is not None]
    if known:
        counts = np.full(sheet.rows, len(entries) - len(known)) + np.sum(known, axis=0)
        sheet.varints(counts, counts > 0)
    elif entries:
        sheet.constant(_length(len(entries)))
    for (name, column), there in zip(entries, absent, strict=True):
        key = name.encode()
        sheet.constant(_length(len(key)) + key, there)
        if there is None:
            _value(sheet, kind, column)
        else:
            _plain(sheet, kind, column, there)
    sheet.constant(_END)


@functools.cache
def _length(count: int) -> bytes:
    alone = Sheet(1)
    alone.varints(np.array([count], np.int64))
    text: bytes = alone.packed()[0].as_py()
    return text


def _double(sheet: Sheet, column: pa.Array, there: Mask | None) -> None:
    sheet.doubles(numbers(column, np.float64), there)


def _long(sheet: Sheet, column: pa.Array, there: Mask | None) -> None:
    _whole(sheet, numbers(column, np.int64), there)


def _int(sheet: Sheet, column: pa.Array, there: Mask | None) -> None:
    _whole(sheet, numbers(column, np.int32).astype(np.int64), there)


def _whole(sheet: Sheet, values: npt.NDArray[np.int64], there: Mask | None) -> None:
    # what lies under a null may be anything, and would make all others wider
    sheet.varints(values if there is None else np.where(there, values, 0), there)


def _boolean(sheet: Sheet, column: pa.Array, there: Mask | None) -> None:
    sheet.fixed(bits(column).view(np.uint8)[:, None], None if there is None else there.astype(np.intp))


def _string(sheet: Sheet, column: pa.Array, there: Mask | None) -> None:
    sheet.texts(column, there)


_PLAIN: Mapping[str, Callable[[Sheet, pa.Array, Mask | None], None]] = {
    "string": _string,
    "double": _double,
    "boolean": _boolean,
    "int": _int,
    "long": _long,
}
