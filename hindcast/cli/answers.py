"""An Arrow table as people and programs want to read it: a table, CSV, JSON or JSON lines."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time
from typing import Any, TextIO

import pyarrow as pa
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from evaluation.frames import refuse_equal_names
from hindcast.one_line import one_line

FORMATS = ("table", "csv", "json", "jsonl")
_NOTHING = "-"
# letters of a cell beside others; what CSV and JSON say is whole
_CELL = 500


def write_answer(answer: pa.Table, form: str, out: TextIO) -> None:
    """Write every row in one of `FORMATS`. A table is drawn for a terminal, and plain text in columns for anything else.

    Raises:
        ConfigError: JSON of columns of one name; nothing is written then.
    """
    writers: dict[str, Callable[[pa.Table, TextIO], None]] = {
        "table": _drawn if out.isatty() else _plain,
        "csv": _csv,
        "json": _json,
        "jsonl": _jsonl,
    }
    writers[form](answer, out)


def json_value(value: Any) -> Any:
    r"""A value as JSON knows it: times in ISO 8601 with Z, maps as objects, NaN and infinities as words, since a null is another answer.

    Bytes are text, with ``\xff`` for each that is no UTF-8. The words of numbers are those of protobuf's JSON mapping; ``float`` of Python reads them.
    """
    known: Any
    match value:
        case None | bool() | int() | str():
            known = value
        case float():
            known = value if math.isfinite(value) else _word(value)
        case datetime() if value.tzinfo:
            known = value.astimezone(UTC).isoformat().replace("+00:00", "Z")
        case date() | time():
            known = value.isoformat()
        case Mapping():
            known = {str(json_value(name)): json_value(inner) for name, inner in value.items()}
        # Arrow gives a map as a list of pairs
        case [tuple(), *_]:
            known = {str(json_value(name)): json_value(inner) for name, inner in value}
        case list() | tuple():
            known = [json_value(inner) for inner in value]
        case bytes():
            known = value.decode(errors="backslashreplace")
        case _:
            known = str(value)
    return known


def _word(value: float) -> str:
    """For a float that is no finite number."""
    if math.isnan(value):
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"


def _rows(answer: pa.Table) -> Iterator[tuple[Any, ...]]:
    for batch in answer.to_batches(max_chunksize=10_000):
        yield from zip(*(_values(column) for column in batch.columns), strict=True)


def _objects(answer: pa.Table) -> Iterator[str]:
    """Each row as JSON."""
    names = answer.column_names
    for row in _rows(answer):
        yield json.dumps(json_value(dict(zip(names, row, strict=True))), ensure_ascii=False)


def _values(column: pa.Array | pa.ChunkedArray) -> list[Any]:
    """A column's values; maps as mappings, since Arrow gives an empty one as an empty list."""
    values: list[Any] = column.to_pylist()
    if pa.types.is_map(column.type):
        return [None if value is None else dict(value) for value in values]
    return values


def _json(answer: pa.Table, out: TextIO) -> None:
    refuse_equal_names(answer)
    out.write("[")
    out.writelines((",\n " if number else "\n ") + line for number, line in enumerate(_objects(answer)))
    out.write("\n]\n" if answer.num_rows else "]\n")


def _jsonl(answer: pa.Table, out: TextIO) -> None:
    refuse_equal_names(answer)
    out.writelines(line + "\n" for line in _objects(answer))


def _csv(answer: pa.Table, out: TextIO) -> None:
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(answer.column_names)
    for row in _rows(answer):
        writer.writerow([_cell(json_value(value)) for value in row])


def _cell(value: Any) -> Any:
    """A CSV cell: nested values as JSON, truth values as JSON writes them, nothing as nothing."""
    if isinstance(value, dict | list | bool):
        return json.dumps(value, ensure_ascii=False)
    return value


def _columns(answer: pa.Table) -> list[list[str]]:
    shown = [_shown(_values(answer.column(place))) for place in range(answer.num_columns)]
    # a column alone is what somebody asked to read, such as a view's text
    return shown if len(shown) == 1 else [list(map(_shortened, texts)) for texts in shown]


def _shortened(text: str) -> str:
    """Long ones end with their length: a name of megabytes would push every other cell out of sight."""
    return text if len(text) <= _CELL else f"{text[:_CELL]}… ({len(text):,} characters)"


def _shown(values: Sequence[Any]) -> list[str]:
    """One column as text; times are written as dates where every one of them is a midnight."""
    times = [value for value in values if isinstance(value, datetime)]
    only_dates = bool(times) and all(value.timetz().replace(tzinfo=None) == time() for value in times)
    return [_text(value, only_dates=only_dates) for value in values]


def _text(value: Any, *, only_dates: bool) -> str:
    if value is None:
        return _NOTHING
    if isinstance(value, datetime):
        if only_dates:
            return value.date().isoformat()
        return value.replace(tzinfo=None).isoformat(" ", "microseconds" if value.microsecond else "seconds")
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return _number(value)
    simple = json_value(value)
    return (
        json.dumps(simple, ensure_ascii=False) if isinstance(simple, dict | list) else one_line(str(simple))
    )


def _number(value: float) -> str:
    """Four significant digits; whole numbers and large ones without an exponent."""
    if not math.isfinite(value):
        return _word(value)
    if value.is_integer() and abs(value) < 1e15:
        return f"{value:.0f}"
    return f"{value:.1f}" if 1000 <= abs(value) < 1e15 else f"{value:.4g}"


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))


def _plain(answer: pa.Table, out: TextIO) -> None:
    columns = _columns(answer)
    widths = [max(map(len, [name, *texts])) for name, texts in zip(answer.column_names, columns, strict=True)]
    right = [_is_number(field.type) for field in answer.schema]
    for row in [tuple(answer.column_names), *zip(*columns, strict=True)]:
        cells = [
            cell.rjust(width) if to_right else cell.ljust(width)
            for cell, width, to_right in zip(row, widths, right, strict=True)
        ]
        out.write("  ".join(cells).rstrip() + "\n")


def _drawn(answer: pa.Table, out: TextIO) -> None:
    table = Table(box=SIMPLE_HEAD, caption=f"{answer.num_rows} rows" if answer.num_rows != 1 else "1 row")
    for field in answer.schema:
        table.add_column(
            escape(field.name), justify="right" if _is_number(field.type) else "left", overflow="fold"
        )
    for row in zip(*_columns(answer), strict=True):
        table.add_row(*map(escape, row))
    Console(file=out).print(table)
