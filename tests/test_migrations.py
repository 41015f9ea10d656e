"""Migrations: shipped text is frozen, a database comes up to date once, and the same files serve a cluster."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from producers.errors import ConfigError
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
    assert columns or "MODIFY SETTING" in one.text
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
