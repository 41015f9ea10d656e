"""Writes the record, or a part of it, to a directory; interrupted or killed, the same export goes on where it was."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import pyarrow.compute as pc

from hindcast.move.files import TableWriter
from hindcast.move.manifest import (
    MANIFEST,
    Chosen,
    Contents,
    Cursor,
    TableFacts,
    Unfinished,
    forget_unfinished,
    read_unfinished,
    write_manifest,
    write_unfinished,
)
from hindcast.move.reading import Page, Reading, Slice, columns_of
from hindcast.move.recorded import refuse_unrecorded
from hindcast.move.tables import BY_NAME, TABLES, MovedTable, Selection, moment_text
from producers.errors import ConfigError, StoreUnavailable
from stream_processors.clickhouse import Store
from stream_processors.migrations import last_migration

_ALL = 2**64
# and then somebody else's turn
_READ_TIMES = 3


@dataclass
class _Waiting:
    """What is to be noted of pages once their file has its name."""

    digest: int = 0
    topic_ids: set[str] = field(default_factory=set)
    place: int = 0
    last: tuple[str, ...] = ()

    def add(self, page: Page) -> None:
        self.digest += page.digest
        self.topic_ids |= set(pc.unique(page.rows.column("_topic_id")).to_pylist())
        self.place, self.last = page.place, page.last


@dataclass(frozen=True)
class Export:
    """An export into a directory.

    Args:
        store: the record.
        directory: new, empty, or with an unfinished export of the same selection.
        selection: what is meant.
        hindcast: the version that writes.
        check: called now and then; raises to end the work.
    """

    store: Store
    directory: Path
    selection: Selection
    hindcast: str
    check: Callable[[], None]

    def begin(self, now: datetime) -> Unfinished:
        """How far the export is: nothing yet, or what an earlier one of the same has done, whose moment stays.

        Raises:
            ConfigError: the directory holds something else, or the record nothing of the model or environment.
        """
        source = self._source()
        there = read_unfinished(self.directory)
        if there is not None:
            self._check_same(there.contents, source)
            self._remove_strangers(there.contents)
            return there
        if (self.directory / MANIFEST).exists():
            raise ConfigError(f"{self.directory} holds a finished export: name another directory")
        if any(self.directory.iterdir()):
            raise ConfigError(f"{self.directory} is not empty: name a new directory")
        contents = Contents(
            hindcast=self.hindcast,
            exported_at=now.isoformat(),
            source=source,
            database=self.store.database,
            migration=last_migration(self.store),
            selection=Chosen.of(self.selection),
        )
        refuse_unrecorded(self.store, self.selection)
        unfinished = Unfinished(contents=contents)
        write_unfinished(self.directory, unfinished)
        return unfinished

    def total(self, unfinished: Unfinished) -> int:
        """About how many rows the whole export has."""
        return sum(self._reading(unfinished, table).about(self.store) for table in self._tables())

    def of_later(self, now: datetime) -> int:
        """How many rows of any model say that they were recorded more than a minute after now: a recorder's clock was ahead, and they are in no export yet."""
        asked = {"later": moment_text(now + timedelta(minutes=1))}
        counts = (
            self.store.rows(
                f"SELECT count() AS n FROM `{table.name}` WHERE `_recorded_at` > {{later:DateTime64(6, 'UTC')}}",
                asked,
            )
            for table in self._tables()
        )
        return sum(int(rows[0]["n"]) for rows in counts)

    def run(self, unfinished: Unfinished, moved: Callable[[int], None]) -> Contents:
        """Do what is left, and write the manifest; ``moved`` is told of rows.

        Raises:
            StoreUnavailable: rows came or went each time a table was read; the same export reads that table again.
        """
        contents = unfinished.contents
        done = set(contents.tables) - ({unfinished.cursor.table} if unfinished.cursor else set())
        for table in self._tables():
            if table.name not in done:
                self._settled(unfinished, table, moved)
        write_manifest(self.directory, contents)
        forget_unfinished(self.directory)
        return contents

    def _settled(self, unfinished: Unfinished, table: MovedTable, moved: Callable[[int], None]) -> None:
        """Read a table until it holds what was read: an insert that was on its way at the moment of the export may end later."""
        reading = self._reading(unfinished, table)
        for _ in range(_READ_TIMES):
            self._table(unfinished, reading, moved)
            read, there = unfinished.contents.tables[table.name].rows, reading.count(self.store)
            if read == there:
                unfinished.cursor = None
                write_unfinished(self.directory, unfinished)
                return
            moved(-read)
            self._forget(unfinished, table)
        raise StoreUnavailable(
            f"{table.name}: rows came or went while they were read ({read:,} read, {there:,} there now): the same command reads them again"
        )

    def _table(self, unfinished: Unfinished, reading: Reading, moved: Callable[[int], None]) -> None:
        cursor = self._cursor(unfinished, reading)
        name = reading.table.name
        slices = [Slice(*days) for days in cursor.days()]
        with TableWriter(self.directory, name, len(unfinished.contents.tables[name].files)) as writer:
            waiting = _Waiting()
            for page in reading.pages(self.store, slices, cursor.place, tuple(cursor.last)):
                self.check()
                full = writer.write(page.rows)
                waiting.add(page)
                moved(page.rows.num_rows)
                if full:
                    waiting = self._keep(unfinished, writer, waiting)
            self._keep(unfinished, writer, waiting)

    def _cursor(self, unfinished: Unfinished, reading: Reading) -> Cursor:
        name = reading.table.name
        if unfinished.cursor is None:
            slices = reading.slices(self.store)
            unfinished.cursor = Cursor(
                table=name, slices=[(_day(one.first), _day(one.after)) for one in slices]
            )
            unfinished.contents.tables[name] = TableFacts(columns=dict(reading.columns))
            write_unfinished(self.directory, unfinished)
        return unfinished.cursor

    def _keep(self, unfinished: Unfinished, writer: TableWriter, waiting: _Waiting) -> _Waiting:
        """End the file, and note it and the place behind its last row."""
        file = writer.finish()
        if file is not None:
            assert unfinished.cursor is not None
            facts = unfinished.contents.tables[unfinished.cursor.table]
            facts.files.append(file)
            facts.rows += file.rows
            facts.digest = (facts.digest + waiting.digest) % _ALL
            facts.topic_ids = sorted({*facts.topic_ids, *waiting.topic_ids})
            unfinished.cursor.place, unfinished.cursor.last = waiting.place, list(waiting.last)
            write_unfinished(self.directory, unfinished)
        return _Waiting()

    def _forget(self, unfinished: Unfinished, table: MovedTable) -> None:
        unfinished.contents.tables.pop(table.name)
        unfinished.cursor = None
        write_unfinished(self.directory, unfinished)
        self._remove_strangers(unfinished.contents)

    def _reading(self, unfinished: Unfinished, table: MovedTable) -> Reading:
        known = unfinished.contents.tables.get(table.name)
        columns = known.columns if known else columns_of(self.store, table.name)
        if not columns:
            raise ConfigError(f"{self.store.database} has no table {table.name}: `hindcast migrate` makes it")
        return Reading(table, columns, self.selection, unfinished.contents.moment)

    def _tables(self) -> list[MovedTable]:
        return [table for table in TABLES if self.selection.takes(table)]

    def _source(self) -> str:
        found = self.store.command(
            "SELECT toString(uuid) FROM system.databases WHERE name = {name:String}",
            {"name": self.store.database},
        )
        return str(found)

    def _check_same(self, contents: Contents, source: str) -> None:
        if contents.selection != Chosen.of(self.selection):
            raise ConfigError(
                f"{self.directory} holds an unfinished export of something else: name another directory, or the same options"
            )
        if contents.source != source:
            raise ConfigError(f"{self.directory} holds an unfinished export of another database")

    def _remove_strangers(self, contents: Contents) -> None:
        """Files that a process left which was killed before it had noted them."""
        noted = {file.name for file in contents.files}
        for table in BY_NAME:
            for path in self.directory.glob(f"{table}-*.parquet*"):
                if path.name not in noted:
                    path.unlink()


@contextmanager
def held(directory: Path) -> Iterator[None]:
    """The directory, made if need be, and held against another export into it.

    Raises:
        ConfigError: it cannot be made, or another process exports into it.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(directory, os.O_RDONLY)
    except OSError as error:
        raise ConfigError(f"cannot use {directory}: {error.strerror}") from None
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConfigError(f"another process exports into {directory}") from None
        yield
    finally:
        os.close(descriptor)


def rows_done(unfinished: Unfinished) -> int:
    """Rows that are on disk."""
    return unfinished.contents.rows


def _day(day: object) -> str | None:
    return None if day is None else str(day)
