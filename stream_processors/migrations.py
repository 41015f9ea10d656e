"""Brings a ClickHouse database to this version: numbered migrations once, functions and views every time."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from producers.errors import ConfigError
from stream_processors.clickhouse import QueryRefused, Store
from stream_processors.migration_lock import migration_lock
from stream_processors.sql_files import sql_files

_HISTORY = """
CREATE TABLE IF NOT EXISTS migrations{on_cluster}
(
    number UInt32 COMMENT 'number of the migration',
    name String COMMENT 'its file name',
    digest String COMMENT 'SHA-256 of its text, which is frozen once shipped',
    applied_at DateTime64(6, 'UTC') COMMENT 'when it was applied'
)
ENGINE = {replicated}ReplacingMergeTree
ORDER BY number
COMMENT 'Migrations applied to this database'
"""

_UNKNOWN_TABLE = 60

_NOTE = """
INSERT INTO migrations (number, name, digest, applied_at)
VALUES ({number:UInt32}, {name:String}, {digest:String}, {at:DateTime64(6)})
"""


@dataclass(frozen=True)
class Migration:
    """One file of ``sql/migrations``."""

    number: int
    name: str
    text: str

    @property
    def digest(self) -> str:
        """SHA-256 of the text, hex."""
        return hashlib.sha256(self.text.encode()).hexdigest()


def shipped_migrations() -> list[Migration]:
    """Every migration in order."""
    return [
        Migration(int(path.name[:4]), path.stem, path.read_text(encoding="utf-8"))
        for path in sql_files("migrations")
    ]


def render(text: str, cluster: str) -> str:
    """A statement for a single node (empty ``cluster``) or for a cluster with replicated tables."""
    return text.replace("{on_cluster}", f" ON CLUSTER {cluster}" if cluster else "").replace(
        "{replicated}", "Replicated" if cluster else ""
    )


def statements(path: Path) -> list[str]:
    """A file's statements; they are separated by a semicolon at the end of a line."""
    return [part.strip() for part in path.read_text(encoding="utf-8").split(";\n") if part.strip().strip(";")]


def pending(store: Store) -> list[Migration]:
    """Migrations not applied yet.

    Raises:
        ConfigError: one was applied with another text, or the database is newer than this version.
    """
    applied = {
        row["number"]: row["digest"] for row in store.rows("SELECT number, digest FROM migrations FINAL")
    }
    known = {migration.number: migration for migration in shipped_migrations()}
    for number, digest in applied.items():
        if number not in known:
            raise ConfigError(
                f"database {store.database} has migration {number:04d}, which this version of Hindcast does not know"
            )
        if known[number].digest != digest:
            raise ConfigError(
                f"migration {known[number].name} was applied to {store.database} with another text"
            )
    return [migration for migration in known.values() if migration.number not in applied]


def last_migration(store: Store) -> int:
    """Number of the last migration that was applied.

    Raises:
        ConfigError: none ever was: the database holds something else, or nothing.
    """
    try:
        return int(store.command("SELECT max(number) FROM migrations"))
    except QueryRefused as error:
        if error.code != _UNKNOWN_TABLE:
            raise
        raise ConfigError(f"database {store.database} holds no record: `hindcast migrate` makes it") from None


def planned(store: Store) -> list[str]:
    """The statements that `migrate` would run now, without running any; the database need not exist.

    Raises:
        ConfigError: as `pending`.
    """
    # asked from outside the database, which may not be there
    found = store.command(
        "SELECT count() FROM system.tables WHERE database = {database:String} AND name = 'migrations'",
        {"database": store.database},
        {"database": "default"},
    )
    todo = pending(store) if int(found) else shipped_migrations()
    return [
        *_beginning(store),
        *(render(migration.text, store.settings.cluster) for migration in todo),
        *_always(store.settings.cluster),
    ]


def migrate(
    store: Store,
    *,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    said: Callable[[str], None] = lambda _: None,
) -> int:
    """Create the database if need be, apply what is pending, re-create functions and views; returns how many applied.

    Every statement may be run again: a crash between two of them is mended by the next run. Of two runs at once one waits for the other.

    Raises:
        ConfigError: as `pending`.
    """
    cluster = store.settings.cluster
    database, history = _beginning(store)
    store.command(database, settings={"database": "default"})
    with migration_lock(store, lambda text: render(text, cluster), said=said) as renew:
        store.command(history)
        todo = pending(store)
        for migration in todo:
            renew()
            store.command(render(migration.text, cluster))
            store.command(
                _NOTE,
                {"number": migration.number, "name": migration.name, "digest": migration.digest, "at": now()},
                {"async_insert": 0},
            )
            said(f"applied {migration.name}")
        renew()
        for statement in _always(cluster):
            store.command(statement)
    return len(todo)


def _beginning(store: Store) -> tuple[str, str]:
    cluster = store.settings.cluster
    database = render(f"CREATE DATABASE IF NOT EXISTS {store.database}{{on_cluster}}", cluster)
    return database, render(_HISTORY, cluster)


def _always(cluster: str) -> list[str]:
    return [
        render(statement, cluster)
        for part in ("functions", "views")
        for path in sql_files(part)
        for statement in statements(path)
    ]
