"""Reads rows of the record in pages of bounded size, in the order of a table's sort key, each row that stands once."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa

from hindcast.move.tables import MovedTable, Selection, moment_text
from stream_processors.clickhouse import Store

# bytes of a page in memory, which a first small page gives the measure for
PAGE_BYTES = 32 * 2**20
FIRST_ROWS, MOST_ROWS, _GROWTH = 4_000, 200_000, 8
# days are read together up to so many rows, and so many days, each of which is a partition in the table
_SLICE_ROWS, _SLICE_DAYS = 100_000, 60
_DIGEST = "digest of the row"
_DAY = "{{{}:Date32}}"

Columns = Mapping[str, str]


@dataclass(frozen=True)
class Slice:
    """Days that are read together: from the first one up to the one after the last; None: no bound."""

    first: date | None = None
    after: date | None = None


@dataclass(frozen=True, eq=False)
class Page:
    """Rows, and where they end.

    Attributes:
        rows: the table's columns.
        digest: the sum of the rows' hashes, modulo 2^64: the same for the same rows in any order.
        place: number of the slice.
        last: the values of the sort key in the last row.
    """

    rows: pa.Table
    digest: int
    place: int
    last: tuple[str, ...]


@dataclass(frozen=True)
class Reading:
    """What of one table is read.

    Attributes:
        table: the table.
        columns: its columns and their types in ClickHouse.
        selection: which rows.
        moment: rows recorded later are left out.
    """

    table: MovedTable
    columns: Columns
    selection: Selection
    moment: datetime

    def slices(self, store: Store) -> list[Slice]:
        """The days to read, together where they are few rows; every row is in one of them."""
        if not self.table.days:
            return [Slice()]
        days = store.rows(
            f"SELECT toDate32(`{self.table.days}`) AS day, count() AS rows FROM `{self.table.name}`"
            f" WHERE {self._where()} GROUP BY day ORDER BY day",
            self._bound(),
        )
        return slices_of([(one["day"], one["rows"]) for one in days])

    def pages(
        self, store: Store, slices: Sequence[Slice], place: int = 0, last: tuple[str, ...] = ()
    ) -> Iterator[Page]:
        """Every row behind the ``last`` one of slice number ``place``."""
        rows = FIRST_ROWS
        for number in range(place, len(slices)):
            while (page := self._page(store, slices[number], number, last, rows)) is not None:
                yield page
                last = page.last
                few = page.rows.num_rows < rows
                rows = _next_rows(page.rows.nbytes, page.rows.num_rows, rows)
                if few:
                    break
            last = ()

    def total(self, store: Store, topic_ids: Sequence[str] | None = None) -> tuple[int, int]:
        """How many rows the record holds, and the sum of their hashes; only those of these topics where any are given."""
        where, bound = self._where(), self._bound()
        if topic_ids is not None:
            where, bound = (
                f"{where} AND `_topic_id` IN {{topics:Array(String)}}",
                {**bound, "topics": topic_ids},
            )
        (found,) = store.rows(
            f"SELECT count() AS rows, sumWithOverflow({self._hash()}) AS digest FROM `{self.table.name}` FINAL WHERE {where}",
            bound,
        )
        return int(found["rows"]), int(found["digest"])

    def count(self, store: Store) -> int:
        """How many rows the record holds."""
        return int(store.command(self._counting("FINAL"), self._bound()))

    def about(self, store: Store) -> int:
        """The same, at once: rows that a merge would collapse are counted each."""
        return int(store.command(self._counting(""), self._bound()))

    def _counting(self, final: str) -> str:
        return f"SELECT count() FROM `{self.table.name}` {final} WHERE {self._where()}"

    def _page(self, store: Store, part: Slice, place: int, last: tuple[str, ...], limit: int) -> Page | None:
        where, bound = [self._where()], {**self._bound(), "limit": limit}
        for name, day, sign in (("first", part.first, ">="), ("after", part.after, "<")):
            if day is not None:
                where.append(f"`{self.table.days}` {sign} toDateTime64({_DAY.format(name)}, 6, 'UTC')")
                bound[name] = day.isoformat()
        if last:
            where.append(self._behind())
            bound |= {f"key{number}": value for number, value in enumerate(last)}
        order = ", ".join(key.term for key in self.table.order)
        answer = store.arrow(
            f"SELECT {self._selected()}, {self._hash()} AS `{_DIGEST}` FROM `{self.table.name}` FINAL"
            f" WHERE {' AND '.join(where)} ORDER BY {order} LIMIT {{limit:UInt64}}",
            bound,
        )
        if not answer.num_rows:
            return None
        digests = answer.column(_DIGEST).to_numpy()
        rows = self._as_kept(answer.drop_columns([_DIGEST]))
        return Page(rows, int(np.add.reduce(digests, dtype=np.uint64)), place, self._last(rows))

    def _where(self) -> str:
        return " AND ".join(self.selection.conditions(self.table))

    def _bound(self) -> dict[str, Any]:
        return dict(self.selection.parameters(self.moment))

    def _hash(self) -> str:
        """A row's hash: of its binary form, which tells nulls from empty values and every double from every other."""
        return (
            f"cityHash64(formatRowNoNewline('RowBinary', {', '.join(f'`{name}`' for name in self.columns)}))"
        )

    def _selected(self) -> str:
        """The columns, enumerations by name; under other names, so that conditions mean the columns."""
        return ", ".join(
            f"CAST(`{name}`, 'String') AS `{name} by name`" if kind.startswith("Enum") else f"`{name}`"
            for name, kind in self.columns.items()
        )

    def _as_kept(self, answer: pa.Table) -> pa.Table:
        """The columns by their names, bytes as bytes."""
        rows = answer.rename_columns(list(self.columns))
        for place, field in enumerate(rows.schema):
            if field.name in self.table.binary:
                kind = _of_bytes(field.type)
                chunks = [_reinterpreted(chunk, kind) for chunk in rows.column(place).chunks]
                rows = rows.set_column(place, field.name, pa.chunked_array(chunks, kind))
        return rows

    def _last(self, rows: pa.Table) -> tuple[str, ...]:
        return tuple(_text(rows.column(key.column)[-1].as_py()) for key in self.table.order)

    def _behind(self) -> str:
        """The condition that a row comes after the last one, written out so that the primary key is used."""
        found = ""
        for number, key in reversed(list(enumerate(self.table.order))):
            kind = re.sub(r"^LowCardinality\((.*)\)$", r"\1", self.columns[key.column])
            value = key.of(f"{{key{number}:{kind}}}")
            beyond = f"{key.term} > {value}"
            found = f"({beyond} OR ({key.term} = {value} AND {found}))" if found else beyond
        return found


def slices_of(days: Sequence[tuple[date, int]]) -> list[Slice]:
    """Days with their rows, put together; the first begins and the last ends without a bound."""
    starts: list[date | None] = [None]
    first, rows = (days[0][0], 0) if days else (None, 0)
    for day, count in days:
        assert first is not None
        if rows and (rows + count > _SLICE_ROWS or day - first >= timedelta(days=_SLICE_DAYS)):
            starts.append(day)
            first, rows = day, 0
        rows += count
    return [Slice(first, after) for first, after in zip(starts, [*starts[1:], None], strict=True)]


def columns_of(store: Store, table: str) -> dict[str, str]:
    """The columns of a table that are inserted, and their types; empty where there is no such table."""
    found = store.rows(
        "SELECT name, type FROM system.columns WHERE database = {database:String} AND table = {table:String}"
        " AND default_kind IN ('', 'DEFAULT') ORDER BY position",
        {"database": store.database, "table": table},
    )
    return {row["name"]: row["type"] for row in found}


def _next_rows(size: int, had: int, asked: int) -> int:
    """How many rows the next page has: as many as fill it if they are like these, and not many times more than now."""
    fitting = PAGE_BYTES * had // max(size, 1)
    return max(1, min(fitting, asked * _GROWTH, MOST_ROWS))


def _text(value: Any) -> str:
    if isinstance(value, datetime):
        return moment_text(value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def _of_bytes(kind: pa.DataType) -> pa.DataType:
    """The same type with bytes where it has texts."""
    if pa.types.is_string(kind):
        return pa.binary()
    if pa.types.is_list(kind):
        return pa.list_(_of_bytes(kind.value_type))
    if pa.types.is_struct(kind):
        return pa.struct([(field.name, _of_bytes(field.type)) for field in kind])
    return kind


def _reinterpreted(values: pa.Array, kind: pa.DataType) -> pa.Array:
    """The same values as bytes: neither type looks at what they are."""
    if pa.types.is_string(values.type):
        return values.view(kind)
    if pa.types.is_list(values.type):
        inner = _reinterpreted(values.values, kind.value_type)
        return pa.ListArray.from_arrays(values.offsets, inner)
    if pa.types.is_struct(values.type):
        fields = [_reinterpreted(values.field(place), kind[place].type) for place in range(kind.num_fields)]
        return pa.StructArray.from_arrays(fields, names=[field.name for field in kind])
    return values
