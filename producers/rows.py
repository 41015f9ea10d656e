"""A table on its way to becoming events: checked columns of its schema's fields, cut into parts that are encoded at once. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from producers.arrow_memory import whole
from producers.avro_columns import BodyWriter, Columns
from producers.columns import column_of, constant, scalar_fields, to_arrow
from producers.errors import InvalidEvent
from producers.schema_files import newest

# a part is sent at once: enough rows that its own cost is spread thin, and so few bytes that they do not matter
PART_ROWS = 10_000
PART_BYTES = 16 * 2**20
OURS = ("producer_id", "sequence")
_MAPS = ("numeric_features", "categorical_features", "probabilities", "quantiles", "segments")
_TIME_OF = {"prediction": "event_time", "label": "reported_at"}


@dataclass(frozen=True)
class Part:
    """Some rows of a table, checked and ready to be encoded. A column of length 1 holds for all rows.

    Attributes:
        columns: what their records say.
        keys: their prediction ids, one a row.
        models: strings.
        environments: strings and nulls.
        times: what they are counted by, int64, µs since 1970.
    """

    columns: Columns
    keys: pa.StringArray
    models: pa.StringArray
    environments: pa.StringArray
    times: pa.Int64Array


class Rows:
    """A table on its way to becoming events: checked columns, still apart.

    Args:
        name: schema, ``prediction`` or ``label``.
        table: Arrow, pandas, polars.
        columns: which column a field is in; a field's own name need not be said, unless ``taken`` has it.
        constants: fields with one value for all rows; instants as aware datetimes or µs.
        defaults: the same, where the table has no column of that name.
        taken: columns that are something else, such as features.

    Raises:
        InvalidEvent: a column that is missing, has another type, or would change silently.
    """

    def __init__(
        self,
        name: str,
        table: Any,
        *,
        columns: Mapping[str, str],
        constants: Mapping[str, object],
        defaults: Mapping[str, object],
        taken: Collection[str] = (),
    ) -> None:
        self.source = to_arrow(table)
        self.name = name
        schema = newest(name).parsed
        self.writer = BodyWriter(schema, sparse=("segments",))
        self._said: dict[str, tuple[pa.ChunkedArray, bytes]] = {}
        kinds = scalar_fields(schema, without=OURS)
        for field in [*columns, *constants]:
            if field not in kinds:
                raise InvalidEvent(field, f"is no field of {name} that a table can set")
        self.fields: dict[str, pa.ChunkedArray] = {}
        self.maps: dict[str, list[tuple[str, pa.ChunkedArray]]] = {field: [] for field in _MAPS}
        for field, (kind, nullable) in kinds.items():
            own = field in self.source.column_names and field not in taken
            if field in columns or (own and field not in constants):
                given = self.column(columns.get(field, field))
                self.fields[field] = column_of(field, kind, given, nullable=nullable)
            elif field in constants or field in defaults:
                value = constants.get(field, defaults.get(field))
                self.fields[field] = self._constant(field, kind, value, nullable=nullable)

    def column(self, name: str) -> pa.ChunkedArray:
        """A column of the table; raises `InvalidEvent` where it is missing."""
        if name not in self.source.column_names:
            raise InvalidEvent(name, "is no column of the table")
        return self.source[name]

    def parts(self) -> Iterator[Part]:
        """All rows in turn, some at a time."""
        rows = len(self.fields["prediction_id"])
        columns = [column for field, column in self.fields.items() if field not in self._said]
        columns += [column for entries in self.maps.values() for _, column in entries]
        size = sum(column.nbytes for column in columns)
        most = max(1, min(PART_ROWS, PART_BYTES * rows // max(size, 1)))
        # only a column of texts may be larger in one part than in another
        texts = [column for column in columns if column.type == pa.string()]
        for start in range(0, rows, most):
            yield from self._parts(start, min(most, rows - start), texts)

    def _parts(self, start: int, count: int, texts: Collection[pa.ChunkedArray]) -> Iterator[Part]:
        """These rows, in several parts where they are much larger than others."""
        if count > 1 and sum(column.slice(start, count).nbytes for column in texts) > 2 * PART_BYTES:
            yield from self._parts(start, count // 2, texts)
            yield from self._parts(start + count // 2, count - count // 2, texts)
            return
        fields, maps = self.fields, self.maps
        said = {
            field: text
            for field, (column, text) in self._said.items()
            if fields.get(field) is column and field != "prediction_id"
        }

        def cut(column: pa.ChunkedArray) -> pa.Array:
            return whole(column.slice(start, count))

        def alone(field: str) -> pa.Array:
            return whole(fields[field].slice(0, 1)) if field in said else cut(fields[field])

        given = {field: said.get(field) or cut(column) for field, column in fields.items()}
        entries = {field: [(name, cut(column)) for name, column in maps[field]] for field in maps}
        yield Part(
            Columns(count, given, entries),
            cut(fields["prediction_id"]),
            alone("model"),
            alone("environment") if "environment" in fields else pa.nulls(1, pa.string()),
            alone(_TIME_OF[self.name]).cast(pa.int64()),
        )

    def _constant(self, field: str, kind: str, value: object, *, nullable: bool) -> pa.ChunkedArray:
        column = pa.chunked_array([constant(field, kind, value, self.source.num_rows, nullable=nullable)])
        if len(column):
            # as long as this very column is the field's, every row says the same
            self._said[field] = column, self.writer.constant(field, column.chunk(0)[:1])
        return column
