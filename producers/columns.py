"""Whole columns made into what Avro takes: the rules of `producers.values`, for Arrow arrays. Pure.

A column is refused whole, with `InvalidEvent` naming it, where a single value would be refused.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from producers.errors import ConfigError, InvalidEvent
from producers.values import (
    EARLIEST,
    EXACT,
    INEXACT,
    LATEST,
    category,
    identifier,
    micros,
    number,
    plain,
    rate,
    whole,
)

MICROS = pa.timestamp("us")
_WIDEST = 76  # digits of Arrow's widest decimal


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


def refuse_where(field: str, problem: str, found: pa.ChunkedArray) -> None:
    """Refuse a column that has such a row, with `InvalidEvent` naming the first; ``found`` are booleans, and nulls for no."""
    place = pc.index(found, value=pa.scalar(value=True)).as_py()
    if place >= 0:
        raise InvalidEvent(field, problem, row=place + 1)


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
    if pa.types.is_decimal(kind):
        return _doubles(column)
    return (
        column.cast(pa.float32()).cast(pa.float64())
        if kind == pa.float16()
        else column.cast(pa.float64(), safe=False)
    )


def is_inexact(column: pa.ChunkedArray) -> bool:
    """Whether a column is of integers or Decimals, and whole numbers among them change as doubles."""
    if pa.types.is_decimal(column.type):
        return _is_inexact_decimal(column)
    if not pa.types.is_integer(column.type):
        return False
    least, most = pc.min_max(column).values()
    return any(end.is_valid and not -EXACT <= end.as_py() <= EXACT for end in (least, most))


def _is_inexact_decimal(column: pa.ChunkedArray) -> bool:
    doubles = _doubles(column)
    large = pc.greater_equal(pc.abs(doubles), float(EXACT))
    if not pc.any(large, min_count=0).as_py():
        return False
    kind = column.type
    said, integer = (
        column.filter(large).cast(pa.decimal256(kind.precision, kind.scale)),
        pa.decimal256(_WIDEST, 0),
    )
    # a double of that size is a whole number, and a decimal of this width holds it
    changed = pc.not_equal(said.cast(integer, safe=False), doubles.filter(large).cast(integer))
    return bool(pc.any(pc.and_(changed, pc.equal(said, pc.trunc(said))), min_count=0).as_py())


def _doubles(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Decimals as the nearest doubles; Arrow's own cast is off by one bit where there are many digits."""
    return column.cast(pa.string()).cast(pa.float64())


def rates(field: str, column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A column of sampling rates; see `values.rate`."""
    found = numbers(field, column)
    fits = pc.and_(pc.greater(found, 0.0), pc.less_equal(found, 1.0))
    refuse_where(field, "a number above 0 and up to 1 is wanted", pc.invert(fits))
    return found


def identifiers(field: str, column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A column of ids; see `values.identifier`."""
    found = texts(field, column)
    refuse_where(field, "is empty", pc.equal(found, ""))
    return found


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


def _truth(field: str, value: object) -> object:
    said = plain(field, value)
    if said is not None and not isinstance(said, bool):
        raise InvalidEvent(field, f"a boolean is wanted, not {type(value).__name__}")
    return said


_OF_COLUMN: Mapping[str, Callable[[str, pa.ChunkedArray], pa.ChunkedArray]] = {
    "string": texts,
    "identifier": identifiers,
    "double": numbers,
    "rate": rates,
    "int": wholes,
    "boolean": truths,
    "instant": instants,
}
_OF_VALUE: Mapping[str, Callable[[str, Any], Any]] = {
    "string": category,
    "identifier": lambda field, value: None if value is None else identifier(field, value),
    "double": number,
    "rate": rate,
    "int": whole,
    "boolean": _truth,
    "instant": lambda field, value: value if type(value) is int else micros(field, value),
}
ARROW: Mapping[str, pa.DataType] = {
    "string": pa.string(),
    "identifier": pa.string(),
    "double": pa.float64(),
    "rate": pa.float64(),
    "int": pa.int32(),
    "boolean": pa.bool_(),
    "instant": MICROS,
}
# what a schema calls string or double, and a call of the logger takes less for
_NARROWER: Mapping[str, str] = {
    **dict.fromkeys(("model", "prediction_id", "label_id", "request_id", "entity_id"), "identifier"),
    "sampling_rate": "rate",
}


def scalar_fields(schema: Mapping[str, Any], *, without: Collection[str]) -> dict[str, tuple[str, bool]]:
    """The kind and nullability of each field of a schema that is no map.

    Kinds are string, identifier, double, rate, int, boolean and instant.
    """
    found = {}
    for field in schema["fields"]:
        union = field["type"] if isinstance(field["type"], list) else [field["type"]]
        kind = next(branch for branch in union if branch != "null")
        if isinstance(kind, dict):
            kind = {"timestamp-micros": "instant"}.get(kind.get("logicalType", ""), kind["type"])
        kind = "string" if kind == "enum" else kind
        if kind in ARROW and field["name"] not in without:
            found[field["name"]] = (_NARROWER.get(field["name"], kind), "null" in union)
    return found


def column_of(field: str, kind: str, given: pa.ChunkedArray, *, nullable: bool) -> pa.ChunkedArray:
    """A given column as the field's Arrow type; refuses nulls where the field takes none."""
    column = _OF_COLUMN[kind](field, given)
    if not nullable and column.null_count:
        raise InvalidEvent(field, "has nulls")
    return column


def constant(field: str, kind: str, value: object, rows: int, *, nullable: bool) -> pa.Array:
    """One value for every row. Instants are aware datetimes, or µs since 1970."""
    said = _OF_VALUE[kind](field, value)
    if said is None and not nullable:
        raise InvalidEvent(field, "is null")
    try:
        return pa.repeat(pa.scalar(said, ARROW[kind]), rows)
    except UnicodeEncodeError:
        raise InvalidEvent(field, "has no UTF-8: it holds half of a character") from None
