"""Whole columns made into what Avro takes: the rules of `producers.values`, for Arrow arrays. Pure.

A column is refused whole, with `InvalidEvent` naming it, where a single value would be refused.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from producers.errors import ConfigError, InvalidEvent
from producers.values import EARLIEST, EXACT, INEXACT, LATEST, category, micros, number, whole

MICROS = pa.timestamp("us")


def to_arrow(table: Any) -> pa.Table:
    """An Arrow table from Arrow, pandas, polars or anything with the Arrow stream interface.

    pandas' NaN becomes null, as pandas has no other way to say null; polars' and Arrow's stays NaN.

    Raises:
        InvalidEvent: a column with values of several kinds, text that has no UTF-8, integers beyond 64 bits.
        ConfigError: not a table, or one with two columns of one name.
    """
    if not getattr(getattr(table, "columns", None), "is_unique", True):
        # pandas; Arrow would not say which
        refuse_repeated(map(str, table.columns))
    try:
        found = pa.Table.from_batches([table]) if isinstance(table, pa.RecordBatch) else pa.table(table)
    except (pa.ArrowInvalid, pa.ArrowTypeError, UnicodeEncodeError) as error:
        raise InvalidEvent("table", f"Arrow cannot take it: {type(error).__name__}") from None
    except OverflowError:
        raise InvalidEvent("table", "Arrow cannot take it: an integer is beyond 64 bits") from None
    except (TypeError, ValueError):
        raise ConfigError(
            f"a table of Arrow, pandas or polars is wanted, not {type(table).__name__}"
        ) from None
    refuse_repeated(found.column_names)
    return found


def refuse_repeated(names: Iterable[str]) -> None:
    """Refuse names of columns of which one stands twice, with `ConfigError`."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise ConfigError(f"the data have two columns {name}: rename one or leave it out")
        seen.add(name)


def numbers(field: str, column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A column as doubles; see `values.number`."""
    kind = column.type
    if is_inexact(column):
        raise InvalidEvent(field, INEXACT)
    if not (
        pa.types.is_integer(kind)
        or pa.types.is_floating(kind)
        or pa.types.is_decimal(kind)
        or kind in {pa.bool_(), pa.null()}
    ):
        raise InvalidEvent(field, f"a number is wanted, not {kind}")
    return (
        column.cast(pa.float32()).cast(pa.float64())
        if kind == pa.float16()
        else column.cast(pa.float64(), safe=False)
    )


def is_inexact(column: pa.ChunkedArray) -> bool:
    """Whether a column is of integers, and some of them change as doubles."""
    if not pa.types.is_integer(column.type):
        return False
    least, most = pc.min_max(column).values()
    return any(end.is_valid and not -EXACT <= end.as_py() <= EXACT for end in (least, most))


def texts(field: str, column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A column as strings; see `values.category`."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        # casting knows no dictionary of polars, whose texts are views
        chunks = [
            texts(field, pa.chunked_array([one.dictionary])).combine_chunks().take(one.indices)
            for one in column.chunks
        ]
        return pa.chunked_array(chunks, pa.string())
    if kind == pa.bool_():
        return pc.if_else(column, "true", "false")
    if is_text(kind) or pa.types.is_integer(kind) or kind == pa.null():
        return column.cast(pa.string())
    raise InvalidEvent(field, f"a string is wanted, not {kind}")


def instants(field: str, column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A column of instants with a zone as µs since 1970 UTC, Arrow type timestamp[us]; see `values.micros`."""
    kind = column.type
    if kind == pa.null():
        return column.cast(MICROS)
    if not pa.types.is_timestamp(kind):
        raise InvalidEvent(field, f"a timestamp with a time zone is wanted, not {kind}")
    if kind.tz is None:
        raise InvalidEvent(field, "has no time zone: say UTC where the table is made")
    try:
        plain = column.cast(pa.timestamp("us", "UTC"), safe=kind.unit != "ns").cast(MICROS)
    except pa.ArrowInvalid:
        raise InvalidEvent(field, "outside the years 1900 to 2299") from None
    least, most = pc.min_max(plain.cast(pa.int64())).values()
    if least.is_valid and not (least.as_py() >= EARLIEST and most.as_py() <= LATEST):
        raise InvalidEvent(field, "outside the years 1900 to 2299")
    return plain


def wholes(field: str, column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A column as 32-bit integers; see `values.whole`."""
    if not (pa.types.is_integer(column.type) or column.type == pa.null()):
        raise InvalidEvent(field, f"an integer is wanted, not {column.type}")
    try:
        return column.cast(pa.int32())
    except pa.ArrowInvalid:
        raise InvalidEvent(field, "an integer beyond 32 bits") from None


def truths(field: str, column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A column of booleans."""
    if column.type != pa.bool_():
        raise InvalidEvent(field, f"a boolean is wanted, not {column.type}")
    return column


def is_text(kind: pa.DataType) -> bool:
    """Whether a type holds strings, in any of Arrow's layouts."""
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def is_category(kind: pa.DataType) -> bool:
    """Whether a feature of this type is a category."""
    return is_text(kind) or kind == pa.bool_() or bool(pa.types.is_dictionary(kind))


def becomes_category(kind: pa.DataType, promised: str | None) -> bool:
    """Whether a feature of this type is sent as a category; ``promised`` is what a contract says of it, None where it says nothing.

    A column of numbers that is promised as a category may become one yet: see `at_source.columns.settled`.
    """
    if promised == "categorical":
        return is_category(kind) or bool(pa.types.is_integer(kind)) or kind == pa.null()
    return is_category(kind) and not (promised == "numeric" and kind == pa.bool_())


_OF_COLUMN: Mapping[str, Callable[[str, pa.ChunkedArray], pa.ChunkedArray]] = {
    "string": texts,
    "double": numbers,
    "int": wholes,
    "boolean": truths,
    "instant": instants,
}
_OF_VALUE: Mapping[str, Callable[[str, Any], Any]] = {
    "string": category,
    "double": number,
    "int": whole,
    "boolean": lambda _field, value: bool(value),
    "instant": lambda field, value: value if type(value) is int else micros(field, value),
}
ARROW: Mapping[str, pa.DataType] = {
    "string": pa.string(),
    "double": pa.float64(),
    "int": pa.int32(),
    "boolean": pa.bool_(),
    "instant": MICROS,
}


def scalar_fields(schema: Mapping[str, Any], *, without: Collection[str]) -> dict[str, tuple[str, bool]]:
    """The kind (string, double, int, boolean, instant) and nullability of each field of a schema that is no map."""
    found = {}
    for field in schema["fields"]:
        union = field["type"] if isinstance(field["type"], list) else [field["type"]]
        kind = next(branch for branch in union if branch != "null")
        if isinstance(kind, dict):
            kind = {"timestamp-micros": "instant"}.get(kind.get("logicalType", ""), kind["type"])
        kind = "string" if kind == "enum" else kind
        if kind in ARROW and field["name"] not in without:
            found[field["name"]] = (kind, "null" in union)
    return found


def column_of(field: str, kind: str, given: pa.ChunkedArray, *, nullable: bool) -> pa.ChunkedArray:
    """A given column as the field's Arrow type; refuses nulls where the field takes none."""
    column = _OF_COLUMN[kind](field, given)
    if not nullable and column.null_count:
        raise InvalidEvent(field, "has nulls")
    return column


def constant(field: str, kind: str, value: object, rows: int, *, nullable: bool) -> pa.Array:
    """One value for every row. Instants are aware datetimes, or µs since 1970."""
    plain = _OF_VALUE[kind](field, value)
    if plain is None and not nullable:
        raise InvalidEvent(field, "is null")
    return pa.repeat(pa.scalar(plain, ARROW[kind]), rows)
