"""Migrations: shipped text is frozen, a database comes up to date once, and the same files serve a cluster."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from waiting import eventually

from producers.errors import ConfigError, StoreUnavailable
from stream_processors import migration_lock
from stream_processors.clickhouse import Store
from stream_processors.migrations import migrate, pending, planned, render, shipped_migrations
from stream_processors.settings import ClickHouseSettings
from stream_processors.sql_files import sql_directory

NUMBERS = [f"{migration.number:04d}" for migration in shipped_migrations()]
MAKING_TABLES = [one for one in shipped_migrations() if one.text.startswith("CREATE TABLE")]


@pytest.fixture
def store(clickhouse: str, database: str) -> Iterator[Store]:
    """A database that does not exist yet."""
    made = Store(ClickHouseSettings(url=clickhouse, database=database))
    yield made
    made.close()


def test_shipped_text_is_frozen() -> None:
    """Every migration has the text of `sql/migrations/HASHES` (`sha256sum -c` reads it too): a change is a new file and a new line."""
    lines = (sql_directory("migrations") / "HASHES").read_text(encoding="utf-8").splitlines()
    held = dict(reversed(line.split("  ")) for line in lines)
    assert {f"{one.name}.sql": one.digest for one in shipped_migrations()} == held


def test_numbers_are_whole() -> None:
    """Migrations are numbered from 1 without a gap or a repeat."""
    assert [f"{number:04d}" for number in range(1, len(NUMBERS) + 1)] == NUMBERS


def test_a_database_comes_up_to_date_once(store: Store) -> None:
    """The first run applies everything and says so, the second nothing; both leave every table, view and function there."""
    said: list[str] = []
    assert migrate(store, said=said.append) == len(NUMBERS)
    assert said[0] == "applied 0001_predictions"
    assert migrate(store) == 0
    assert pending(store) == []
    [row] = store.rows("SELECT count() AS n FROM system.tables WHERE database = currentDatabase()")
    assert row["n"] > len(MAKING_TABLES)


def test_a_crash_between_a_table_and_its_note_is_mended(store: Store) -> None:
    """A migration that ran and was not noted runs again without harm."""
    migrate(store)
    store.command("DELETE FROM migrations WHERE number = 3")
    assert [one.number for one in pending(store)] == [3]
    assert migrate(store) == 1


class Crashes:
    """A store whose server is gone after so many statements."""

    def __init__(self, store: Store, after: int) -> None:
        self._store, self.left = store, after

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def command(self, *given: Any, **named: Any) -> Any:
        """As the store's, while it lives."""
        if self.left <= 0:
            raise StoreUnavailable("gone")
        self.left -= 1
        return self._store.command(*given, **named)


class Watched:
    """A store whose statements are noted."""

    def __init__(self, store: Store, sent: list[str]) -> None:
        self._store, self._sent = store, sent

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def command(self, text: str, *given: Any, **named: Any) -> Any:
        """As the store's."""
        self._sent.append(text)
        return self._store.command(text, *given, **named)


def test_a_crash_between_any_two_statements_is_mended(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that dies after the second statement, the third and so on leaves what the next goes on with, and nothing is applied twice."""
    # a run that crashed cannot have let go of its lock: its lease is over at once here
    monkeypatch.setattr(migration_lock, "LEASE_S", -1)
    said: list[str] = []
    for statements in (*range(2, 15), 10_000):
        with suppress(StoreUnavailable):
            migrate(Crashes(store, statements), said=said.append)  # type: ignore[arg-type]  # a store as far as a run asks
    assert sorted(set(said)) == [f"applied {one.name}" for one in shipped_migrations()]
    assert len(said) == len(set(said))
    assert pending(store) == []


def test_of_two_runs_at_once_one_waits(store: Store, clickhouse: str) -> None:
    """A second run says that it waits, applies nothing while the first holds the lock, and then finds nothing left to do."""
    other = Store(ClickHouseSettings(url=clickhouse, database=store.database))
    found: list[int] = []
    heard: list[str] = []
    second = threading.Thread(target=lambda: found.append(migrate(other, said=heard.append)))

    def said(text: str) -> None:
        if text == "applied 0001_predictions":
            second.start()
            eventually(lambda: heard, saying="the second one waits")

    assert migrate(store, said=said) == len(NUMBERS)
    second.join(120)
    other.close()
    assert heard == [f"another run of migrate works on database {store.database}: waiting for its end"]
    assert found == [0]
    there = "SELECT count() AS n FROM system.tables WHERE database = currentDatabase() AND name = 'migrations_lock'"
    assert store.rows(there) == [{"n": 0}]


def test_a_lock_that_a_dead_run_left_is_taken_over(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that was killed keeps others waiting until its lease is over, and no longer."""
    migrate(store)
    store.command(migration_lock._TAKE.format(on_cluster=""))
    waits: list[float] = []

    def wait(seconds: float) -> None:
        waits.append(seconds)
        monkeypatch.setattr(migration_lock, "LEASE_S", -1)

    with migration_lock.migration_lock(store, lambda text: render(text, ""), said=[].append, wait=wait):
        pass
    assert len(waits) == 1


def test_a_lock_is_renewed_while_its_run_lives(store: Store) -> None:
    """A run that takes longer than the lease keeps its lock, and one that is quick does not spend its time on renewals."""
    migrate(store)
    sent: list[str] = []
    watched = Watched(store, sent)
    times = iter([0.0, 4.9, 5.0, 5.1, 9.9, 10.2, 10.3])
    with migration_lock.migration_lock(
        watched,  # type: ignore[arg-type]  # a store as far as a lock asks
        lambda text: render(text, ""),
        said=[].append,
        clock=lambda: next(times),
    ) as renew:
        for renewals in (0, 1, 1, 2):
            renew()
            assert sum(text.startswith("ALTER TABLE migrations_lock") for text in sent) == renewals


@pytest.mark.parametrize("text", [migration_lock._TAKE, migration_lock._RENEW, migration_lock._LET_GO])
def test_the_lock_is_taken_on_the_whole_cluster(text: str, store: Store) -> None:
    """Every node knows the lock, so that two runs that talk to two nodes are kept apart."""
    statement = render(text, "the_cluster")
    assert "migrations_lock ON CLUSTER the_cluster" in statement
    store.command(f"EXPLAIN AST {statement}", settings={"database": "default"})


def test_a_plan_names_everything_and_runs_nothing(store: Store) -> None:
    """A dry run on a server without the database lists its creation and every migration, and creates nothing."""
    plan = planned(store)
    assert plan[0] == f"CREATE DATABASE IF NOT EXISTS {store.database}"
    assert sum("ReplacingMergeTree" in statement for statement in plan) == len(MAKING_TABLES) + 1
    databases = "SELECT count() FROM system.databases WHERE name = {name:String}"
    assert store.command(databases, {"name": store.database}, {"database": "default"}) == 0
    migrate(store)
    assert not any("CREATE TABLE IF NOT EXISTS predictions" in statement for statement in planned(store))


def test_a_changed_migration_is_refused(store: Store) -> None:
    """A database to which another text was applied under the same number is not touched."""
    migrate(store)
    store.command(
        "ALTER TABLE migrations UPDATE digest = 'other' WHERE number = 2", settings={"mutations_sync": 1}
    )
    with pytest.raises(ConfigError, match=r"0002_intake was applied .* with another text"):
        migrate(store)


def test_a_newer_database_is_refused(store: Store) -> None:
    """A database with a migration that this version does not know is not touched."""
    migrate(store)
    store.command("INSERT INTO migrations (number, name, digest) VALUES (9999, 'x', 'y')")
    with pytest.raises(ConfigError, match="9999"):
        migrate(store)


@pytest.mark.parametrize("number", NUMBERS)
def test_the_same_file_serves_a_cluster(number: str, store: Store) -> None:
    """With a cluster's name a table is replicated, and made or changed on every node, and ClickHouse can read the statement."""
    one = shipped_migrations()[int(number) - 1]
    text, statement = one.text, render(one.text, "the_cluster")
    assert " ON CLUSTER the_cluster\n" in statement
    assert ("ENGINE = ReplicatedReplacingMergeTree(" in statement) == (one in MAKING_TABLES)
    assert "{" not in re.sub(r"'[^']*'", "", render(text, "") + statement)
    store.command(f"EXPLAIN AST {statement}", settings={"database": "default"})
    store.command(f"EXPLAIN AST {render(text, '')}", settings={"database": "default"})


@pytest.mark.parametrize("number", NUMBERS)
def test_every_column_says_what_it_is(number: str) -> None:
    """Each column, made or added, and each table has a comment."""
    one = shipped_migrations()[int(number) - 1]
    columns = re.findall(r"^    (?:ADD COLUMN IF NOT EXISTS )?`.*", one.text, re.MULTILINE)
    assert columns or "MODIFY SETTING" in one.text or "ADD INDEX" in one.text
    assert all(re.search(r" COMMENT '[^']+", line) for line in columns)
    assert re.search(r"\nCOMMENT '[^']+'\s*$", one.text) or one not in MAKING_TABLES


def test_a_table_of_an_older_version_gets_its_new_columns(store: Store) -> None:
    """A ledger recorded before queue_limit was there keeps its rows, which state none; running it again does no harm."""
    migrate(store)
    store.command("ALTER TABLE ledger DROP COLUMN queue_limit", settings={"mutations_sync": 1})
    store.command("INSERT INTO ledger (producer_id, model, accepted) VALUES ('p', 'm', 3)")
    store.command("DELETE FROM migrations WHERE number = 14")
    assert migrate(store) == 1
    assert store.rows("SELECT accepted, queue_limit FROM ledger") == [{"accepted": 3, "queue_limit": None}]
    store.command("DELETE FROM migrations WHERE number = 14")
    assert migrate(store) == 1
    where = "database = currentDatabase() AND table = 'ledger' AND name = 'spooled'"
    assert store.rows(f"SELECT comment FROM system.columns WHERE {where}") == [
        {"comment": "ever written to the spool"}
    ]


def test_read_back_reads_only_the_granules_of_new_offsets(store: Store) -> None:
    """The index on `_offset` leaves a look for new offsets almost nothing to read, however much is recorded."""
    migrate(store)
    store.command(
        "INSERT INTO predictions (prediction_id, model, event_time, _topic_id, _partition, _offset)"
        " SELECT toString(cityHash64(number)), 'm', toDateTime64('2026-01-01', 6) + number / 1000, 't', 0, number"
        " FROM numbers(200000)",
        settings={"max_block_size": 20_000, "min_insert_block_size_rows": 20_000},
    )
    explained = store.command(
        "EXPLAIN indexes = 1 SELECT max(_offset) FROM predictions"
        " WHERE _topic_id = 't' AND _partition = 0 AND _offset >= 199990"
    )
    granules = re.findall(r"Granules: (\d+)/(\d+)", str(explained))
    read, there = map(int, granules[-1])
    assert read <= 3
    assert there >= 15
