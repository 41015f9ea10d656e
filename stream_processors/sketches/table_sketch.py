"""The sketches of all columns of a table or of a stretch of the stream: one value that merges, coarsens and travels.

As an Arrow table it has a row per column, named as in ClickHouse's table ``sketches``; as Avro it is a message of ``schemas/sketch.v1.avsc``::

    training = sketch_table(frame, contract)
    month = TableSketch.merged(TableSketch.from_avro(message) for message in messages)
    month["amount"].quantile(0.99), training["amount"].quantile(0.99)
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pyarrow as pa

from producers.codec import decode, encode
from stream_processors.sketches.arrow_rows import sketch_rows, sketches_of_rows
from stream_processors.sketches.categorical import CategoricalSketch
from stream_processors.sketches.columns import (
    categorical_record,
    categorical_sketch,
    numeric_record,
    numeric_sketch,
)
from stream_processors.sketches.numeric import NumericSketch

ColumnSketch = NumericSketch | CategoricalSketch
Record = dict[str, Any]

_DAY_US = 86_400_000_000
# What says where a sketch comes from: a reference's values, of no model and no log.
_NOWHERE: Mapping[str, Any] = {
    "kind": "reference",
    "model": "",
    "model_version": "",
    "shape": "",
    "slice": "",
    "window_start": 0,
    "window_end": _DAY_US,
    "topic_id": "",
    "source_partition": -1,
    "first_offset": 0,
    "next_offset": 0,
    "part": 0,
    "parts": 1,
    "errors": 0,
    "warnings": 0,
}


@dataclass(frozen=True, slots=True, eq=False)
class TableSketch:
    """Sketches by column over some events (rows).

    Attributes:
        events: number of rows counted. Each column's ``n`` is equal to it, absences included; only a part of a message that was split
            may have fewer events than its columns, until it is merged with the others.
        columns: sketches by column name, in the order in which they were given.
    """

    events: int
    columns: Mapping[str, ColumnSketch] = field(default_factory=dict)

    def __getitem__(self, column: str) -> ColumnSketch:
        return self.columns[column]

    def __iter__(self) -> Iterator[str]:
        return iter(self.columns)

    @classmethod
    def merged(cls, sketches: Iterable[TableSketch]) -> TableSketch:
        """Add up: exact for any split of the rows, in any order. A column that one of them never saw is absent from all its events, and one
        that is nothing but null in some of them is of the kind that it has in the others.

        Raises:
            ValueError: nothing to merge; a column that has numbers in one and categories in another; more values of a column than events.
        """
        parts = list(sketches)
        if not parts:
            raise ValueError("there is no sketch to merge")
        events = sum(part.events for part in parts)
        by_column: dict[str, list[ColumnSketch]] = {}
        for part in parts:
            for name, sketch in part.columns.items():
                by_column.setdefault(name, []).append(sketch)
        return cls(events, {name: _one(name, found).of_events(events) for name, found in by_column.items()})

    def merge(self, other: TableSketch) -> TableSketch:
        """Add two."""
        return TableSketch.merged((self, other))

    def coarsen(self, precision: int) -> TableSketch:
        """Every numeric column at a smaller precision, as `NumericSketch.coarsen` does it."""
        return replace(
            self,
            columns={
                name: one.coarsen(precision) if isinstance(one, NumericSketch) else one
                for name, one in self.columns.items()
            },
        )

    def to_arrow(self) -> pa.Table:
        """A row per column, of the columns `SKETCH_SCHEMA`; ``events`` stands on each row."""
        return sketch_rows(self.events, self.columns)

    @classmethod
    def from_arrow(cls, table: pa.Table) -> TableSketch:
        """Read rows that `to_arrow` wrote, or a selection of ClickHouse's table ``sketches``; other columns are passed over.

        Rows of one column add up, so select one slice, and one ``kind``: a total counts again what deltas have. Rows of ``@events`` give the
        number of events. Without any, as in what `to_arrow` writes, it is the largest number that a column's rows account for together,
        absences included. So rows of several tables are what `merged` gives of them where one column is in all of the tables; where none
        is, the number comes out too small: merge these instead. A ``near_unique`` is worked out again and need not be there.

        Raises:
            ValueError: a column of the schema is missing, or as in `merged`.
        """
        events, rows = sketches_of_rows(table)
        by_column: dict[str, list[ColumnSketch]] = {}
        for name, sketch in rows:
            by_column.setdefault(name, []).append(sketch)
        whole = {name: _one(name, found) for name, found in by_column.items()}
        if events is None:
            events = max((one.n for one in whole.values()), default=0)
        return cls(events, {name: one.of_events(events) for name, one in whole.items()})

    def to_record(self, **more: Any) -> Record:
        """A record of ``sketch.v1`` of kind ``reference``, of no model and one day from 1970-01-01; ``more`` sets other fields of the schema."""
        numeric = [
            numeric_record(name, one) for name, one in self.columns.items() if isinstance(one, NumericSketch)
        ]
        categorical = [
            categorical_record(name, one)
            for name, one in self.columns.items()
            if isinstance(one, CategoricalSketch)
        ]
        return {**_NOWHERE, "events": self.events, "numeric": numeric, "categorical": categorical, **more}

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> TableSketch:
        """Read a record of ``sketch.v1``, such as those of a contract's baseline; one of several ``parts`` must be merged with the others.

        Raises:
            ValueError: it names a column twice.
        """
        columns: dict[str, ColumnSketch] = {}
        for kind, read in (("numeric", numeric_sketch), ("categorical", categorical_sketch)):
            for one in record[kind]:
                if one["column"] in columns:
                    raise ValueError(f"column {one['column']} stands twice in the record")
                columns[one["column"]] = read(one)
        return cls(int(record["events"]), columns)

    def to_avro(self, **more: Any) -> bytes:
        """One message of ``sketch.v1`` in Avro's single-object encoding, as those of the topic ``sketches``; ``more`` as in `to_record`.

        It is not split: beyond a broker's limit (1 MB by default) it is one for a file.

        Raises:
            InvalidEvent: ``more`` names what the schema has not, or holds a value of another type.
        """
        return encode("sketch", self.to_record(**more))

    @classmethod
    def from_avro(cls, message: bytes) -> TableSketch:
        """Read one message of ``sketch.v1``.

        Raises:
            Undecodable, UnknownSchema: not Avro, or of no schema that is known.
            ValueError: a message of another schema, or as in `from_record`.
        """
        name, record = decode(message)
        if name != "sketch":
            raise ValueError(f"a message of sketch is wanted, not of {name}")
        return cls.from_record(record)


def _one(column: str, found: list[ColumnSketch]) -> ColumnSketch:
    """The sum of one column's sketches. Nulls alone are of no kind: beside sketches of the other they are its nulls."""
    kinds: list[ColumnSketch] = []
    numeric = [one for one in found if isinstance(one, NumericSketch)]
    categorical = [one for one in found if isinstance(one, CategoricalSketch)]
    if categorical:
        kinds.append(CategoricalSketch.merged(categorical))
    if numeric:
        kinds.append(NumericSketch.merged(numeric))
    if len(kinds) == 1:
        return kinds[0]
    holding = [one for one in kinds if one.n > one.nulls + one.absent]
    if len(holding) == 2:
        raise ValueError(f"column {column} is numeric in one sketch and categorical in another")
    # a null without a kind is said as a number's, so that where there are no values the kind that somebody named is kept
    kept = holding[0] if holding else kinds[0]
    nulls = sum(one.nulls for one in kinds if one is not kept)
    # the rows of the kept kind count these events as absent
    return replace(kept, nulls=kept.nulls + nulls, absent=max(kept.absent - nulls, 0))
