"""Reads an export into a record. Rows that are there already stay once, so that it may be done again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pyarrow as pa

from hindcast.move.expiry import EXPIRING, expired
from hindcast.move.files import pieces as pieces_of_file
from hindcast.move.manifest import Contents
from producers.errors import ConfigError
from stream_processors.clickhouse import QueryRefused, Store
from stream_processors.recorder.sorting import TableRows
from stream_processors.recorder.table_partitions import pieces

_INSERT_S = 120.0
# otherwise a null, of whatever type, would become the empty value of a column that has none
_SETTINGS = {"input_format_null_as_default": 0}
_ROLLED_UP = "rollups"
# days that were rolled up before hours of theirs were here; without them the hours answer
_DAYS_OF_LESS = """
    DELETE FROM rollups WHERE width = 86400 AND (model, environment, toDate32(window_start)) IN (
        SELECT model, environment, toDate32(window_start) FROM rollups WHERE alone)
"""


@dataclass(frozen=True)
class Import:
    """An import of a checked export.

    Args:
        store: the record.
        directory: the export's.
        contents: its manifest.
        now: µs since 1970, by which rows expire.
        check: called now and then; raises to end the work.
    """

    store: Store
    directory: Path
    contents: Contents
    now: int
    check: Callable[[], None]

    def run(self, moved: Callable[[int], None], *, skip_expired: bool) -> dict[str, int]:
        """Insert every row but expired ones, in the order of the manifest; returns rows per table. ``moved`` is told of rows.

        Raises:
            QueryRefused: the record does not take rows; those inserted before stay.
        """
        # hours that stand alone come before sketches, so that no monitor makes them anew of what is left of them
        order = sorted(self.contents.tables, key=lambda name: name != _ROLLED_UP)
        counts = {name: self._table(name, moved, skip_expired=skip_expired) for name in order}
        return {name: counts[name] for name in self.contents.tables}

    def _table(self, name: str, moved: Callable[[int], None], *, skip_expired: bool) -> int:
        inserted = 0
        for path in self._paths(name):
            for rows in pieces_of_file(path):
                self.check()
                wanted = rows
                if skip_expired and name == EXPIRING:
                    wanted = rows.filter(pa.array(~expired(rows, self.now)))
                self._insert(name, wanted, path)
                inserted += wanted.num_rows
                moved(rows.num_rows)
        if name == _ROLLED_UP and inserted:
            self.store.command(_DAYS_OF_LESS)
        return inserted

    def _insert(self, name: str, rows: pa.Table, path: Path) -> None:
        try:
            for piece in pieces(TableRows(name, rows)):
                if piece.rows.num_rows:
                    self.store.insert(
                        name,
                        piece.rows,
                        query_id=f"hindcast-import/{self.store.database}/{name}/{uuid4().hex}",
                        timeout=_INSERT_S,
                        settings=_SETTINGS,
                    )
        except QueryRefused as fault:
            raise QueryRefused(fault.code, f"{path}: {fault}") from None
        except (pa.ArrowException, KeyError):
            raise ConfigError(f"{path} has a column of another type than {name} has") from None

    def _paths(self, table: str) -> list[Path]:
        facts = self.contents.tables.get(table)
        return [self.directory / file.name for file in facts.files] if facts else []


def rows_of(counts: Mapping[str, int]) -> int:
    """Rows of all tables."""
    return sum(counts.values())
