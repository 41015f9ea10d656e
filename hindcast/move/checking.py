"""Checks an export: the files against the manifest, and a record against the manifest."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from hindcast.move.damage import DamagedExport
from hindcast.move.expiry import EXPIRING, expired_predictions
from hindcast.move.files import check_file, check_form
from hindcast.move.manifest import MANIFEST, Contents
from hindcast.move.reading import Reading, columns_of
from hindcast.move.tables import BY_NAME
from producers.errors import ConfigError
from stream_processors.clickhouse import Store
from stream_processors.migrations import last_migration


@dataclass(frozen=True)
class Difference:
    """A table of which the record does not hold what the manifest says.

    Attributes:
        table: its name.
        rows: how many the manifest says.
        recorded: how many the record holds of the same model, range and topics, recorded before the export.
        expired: how many of the export's are older by now than they are kept; a merge deletes them, and an import may leave them out.
    """

    table: str
    rows: int
    recorded: int
    expired: int = 0

    def __str__(self) -> str:
        if self.rows == self.recorded:
            return f"{self.table}: the record holds as many rows ({self.rows:,}), but not the same"
        old = f", {self.expired:,} of them older than they are kept" if self.expired else ""
        return f"{self.table}: the record holds {self.recorded:,} rows, the export {self.rows:,}{old}"


def check_files(directory: Path, contents: Contents, moved: Callable[[int], None]) -> None:
    """Return when the directory holds the files of the manifest, as they were written, and nothing else.

    Raises:
        DamagedExport: it does not; the message names the first file.
    """
    expected = {MANIFEST, *(file.name for file in contents.files)}
    strangers = sorted(path.name for path in directory.iterdir() if path.name not in expected)
    if strangers:
        raise DamagedExport(f"{directory / strangers[0]} is not in the manifest")
    for table in contents.tables.values():
        for file in table.files:
            check_file(directory, file, moved)
            check_form(directory, file, set(table.columns))


def check_tables(store: Store, contents: Contents) -> None:
    """Return when the record has the tables and columns of the export.

    Raises:
        ConfigError: it is of an older version, or lacks some.
    """
    own = last_migration(store)
    if contents.migration > own:
        raise ConfigError(
            f"the export is of migration {contents.migration:04d}, and {store.database} of {own:04d}:"
            " `hindcast migrate` of as new a version comes first"
        )
    for name, facts in contents.tables.items():
        types = columns_of(store, name)
        for column in facts.columns:
            if column not in types:
                raise ConfigError(f"{store.database}.{name} has no column {column[:60]!r}")


def differences(
    store: Store, directory: Path, contents: Contents, now: int, check: Callable[[], None]
) -> Iterator[Difference]:
    """Tables of which the record does not hold exactly the exported rows; ``now`` is in µs since 1970.

    Looked at are rows of the selection, of the topics that the export has rows of, that were recorded no later than it was made: what a
    record holds besides is no difference.
    """
    selection = contents.selection.selection()
    for name, facts in contents.tables.items():
        check()
        reading = Reading(BY_NAME[name], facts.columns, selection, contents.moment)
        rows, digest = reading.total(store, facts.topic_ids) if facts.topic_ids else (0, 0)
        if (rows, digest) != (facts.rows, facts.digest):
            old = expired_predictions(directory, contents, now, check) if name == EXPIRING else 0
            yield Difference(name, facts.rows, rows, old)
