"""A file's rows as events: times in a zone, ids where it has none, columns checked."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from hindcast.load.mapping import MADE_AT, MODEL, FileMapping
from producers.arrow_memory import bits, numbers, whole
from producers.columns import instants, refuse_where, texts
from producers.errors import ConfigError, InvalidEvent
from producers.ids import prediction_ids_at
from producers.rows import Rows
from producers.tables import label_rows, prediction_rows

Mask = npt.NDArray[np.bool_]
# random bytes of so many rows are made together, whatever piece of the file a row is read with
_BLOCK = 4_096
_ID_BYTES = 16
# kinds of labels that say a truth
_TELLING = ["truth", "correction"]
_ID_COLUMN = "prediction_id of `hindcast load`"


class FileRows:
    """Makes events of a file's rows.

    Args:
        mapping: what the columns are.
        digest: of the file's content, hex. Ids are made from it and the row's number, so that a row has the same id each
            time, and a label from the same file has its prediction's.
    """

    def __init__(self, mapping: FileMapping, digest: str) -> None:
        self.mapping = mapping
        self._digest = bytes.fromhex(digest)
        self._has_ids = mapping.says("prediction_id")

    def prepared(self, piece: pa.Table, start: int) -> pa.Table:
        """Rows of the file from number ``start`` on, ready for `rows` and the logger.

        Raises:
            ConfigError: times that have no zone, or are none; names the column.
        """
        with self._naming(piece, start):
            table = self._in_zones(piece)
            return table if self._has_ids else self._with_ids(table, start)

    def rows(self, table: pa.Table, start: int, left_out: Mask | None = None) -> Rows:
        """Prepared rows from number ``start`` on, but those that are left out, as events; of labels all but their own ids.

        Raises:
            ConfigError: a column that would change silently, or rows of another model; names the column.
        """
        with self._naming(table, start, left_out):
            kept = table if left_out is None else table.filter(pa.array(~left_out))
            self._refuse_other_models(kept)
            rows = self._rows(kept)
            if rows.fields["known_at"].null_count:
                raise InvalidEvent("known_at", "has nulls, and history without it would be taken for news")
            return rows

    def arguments(self) -> dict[str, Any]:
        """Arguments of `PredictionLogger.predictions` or `labels` for prepared rows."""
        asked, columns = self.mapping.asked, dict(self.mapping.columns)
        constants = {**self.mapping.constants, MODEL: asked.model}
        if not self._has_ids:
            columns["prediction_id"] = _ID_COLUMN
        if asked.name == "label":
            return {"columns": columns, **constants}
        return {
            "features": list(asked.features),
            "columns": columns,
            "segments": list(asked.segments),
            "probabilities": dict(asked.probabilities),
            "quantiles": dict(asked.quantiles),
            **constants,
        }

    def unlabelled(self, table: pa.Table) -> Mask:
        """Rows of labels that should say a truth and say none."""
        columns, constants = self.mapping.columns, self.mapping.constants
        if {"truth", "truth_value"} & constants.keys() or constants.get("kind", "truth") not in _TELLING:
            return np.zeros(table.num_rows, np.bool_)
        found = np.ones(table.num_rows, np.bool_)
        for name in ("truth", "truth_value"):
            if name in columns:
                found &= ~bits(whole(table[columns[name]].is_valid()))
        if "kind" in columns:
            found &= bits(whole(pc.is_in(table[columns["kind"]], pa.array(_TELLING))))
        return found

    @contextmanager
    def _naming(self, table: pa.Table, start: int, left_out: Mask | None = None) -> Iterator[None]:
        """Say of an invalid field which column it is, and where."""
        try:
            yield
        except InvalidEvent as error:
            where = f"rows {start + 1:,} to {start + table.num_rows:,}"
            if error.row is not None:
                place = error.row - 1 if left_out is None else int(np.flatnonzero(~left_out)[error.row - 1])
                where = f"row {start + place + 1:,}"
            column = self.mapping.column_of(error.field)
            raise ConfigError(f"column {column}: {error.problem} (in {where})") from None

    def _refuse_other_models(self, table: pa.Table) -> None:
        """A file of several models would become the history of one."""
        if self.mapping.names_model:
            other = pc.not_equal(texts(MODEL, table[MODEL]), self.mapping.asked.model)
            refuse_where(MODEL, f"another model than --model {self.mapping.asked.model}", other)

    def _in_zones(self, table: pa.Table) -> pa.Table:
        zone = self.mapping.asked.time_zone
        for name, column in self.mapping.columns.items():
            kind = table.schema.field(column).type
            if self.mapping.kinds[name] == "instant" and pa.types.is_timestamp(kind) and kind.tz is None:
                if zone is None:
                    raise InvalidEvent(
                        name, "has no time zone: --time-zone names it, such as --time-zone UTC"
                    )
                place = table.column_names.index(column)
                table = table.set_column(place, column, _in_zone(name, table[column], zone))
        return table

    def _with_ids(self, table: pa.Table, start: int) -> pa.Table:
        name = MADE_AT[self.mapping.asked.name]
        column = self.mapping.columns.get(name)
        if column is None:
            times = np.full(table.num_rows, self.mapping.constants[name], np.int64)
        else:
            at = instants(name, table[column])
            if at.null_count:
                raise InvalidEvent(name, "has nulls")
            times = numbers(whole(at.cast(pa.int64())), np.int64)
        ids = prediction_ids_at(times, lambda size: self._entropy(start, size))
        return table.append_column(_ID_COLUMN, ids)

    def _entropy(self, start: int, size: int) -> bytes:
        """The bytes of the ids of rows from number ``start`` on, the same for a row whatever it is read with."""
        first, last = start // _BLOCK, (start + size // _ID_BYTES) // _BLOCK
        blocks = [
            hashlib.shake_256(self._digest + block.to_bytes(8, "big")) for block in range(first, last + 1)
        ]
        skipped = _ID_BYTES * (start - first * _BLOCK)
        return b"".join(block.digest(_ID_BYTES * _BLOCK) for block in blocks)[skipped : skipped + size]

    def _rows(self, table: pa.Table) -> Rows:
        arguments = self.arguments()
        columns = arguments.pop("columns")
        if self.mapping.asked.name == "label":
            if "label_id" not in columns:
                arguments["label_id"] = "of the fact"  # working it out takes longer than all else
            return label_rows(table, columns=columns, constants=arguments, defaults={})
        maps = {name: arguments.pop(name) for name in ("features", "segments", "probabilities", "quantiles")}
        return prediction_rows(
            table,
            **maps,
            columns=columns,
            categorical=self.mapping.asked.categorical,
            constants=arguments,
            defaults={"model_version": "", "environment": "production"},
        )


def _in_zone(name: str, column: pa.ChunkedArray, zone: str) -> pa.ChunkedArray:
    try:
        return pc.assume_timezone(column, zone)
    except pa.ArrowInvalid:
        raise InvalidEvent(name, f"a time that {zone} has not or has twice, or no such time zone") from None
