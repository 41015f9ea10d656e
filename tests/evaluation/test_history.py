"""The read side's door lets questions through and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from known_history import MODEL
from recorded_rows import Recorder, utc

from evaluation.history import READ_LIMITS, History
from evaluation.statements import read_only
from producers.errors import ConfigError, HindcastError, StoreUnavailable
from stream_processors.clickhouse import QueryRefused
from stream_processors.settings import ClickHouseSettings


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT 1",
        "  select 1 ; ;\n",
        "-- a note\nWITH 1 AS a SELECT a",
        "(SELECT 1) UNION ALL (SELECT 2)",
        "SELECT ';' AS a, '-- no comment', \"x;y\" FROM (SELECT 1 AS `x;y`) -- the end; really",
        "SELECT 'it''s', 'a\\'; b' /* ; */ ;",
        "SHOW TABLES",
        "DESCRIBE predictions",
        "EXPLAIN SELECT 1",
        'SELECT 1 AS "insert", 2 AS `(`, 3 AS ";"',
    ],
)
def test_statements_that_read_are_answered(history: History, statement: str) -> None:
    """One statement that reads is answered, whatever stands in its quotes and comments."""
    assert history.sql(statement).num_rows > 0


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("", "no statement"),
        (" -- only a note", "no statement"),
        (";", "no statement"),
        ("SELECT 1; SELECT 2", "one statement"),
        ("SELECT 'a'; DROP TABLE predictions", "one statement"),
        ("INSERT INTO predictions SELECT 1", "only statements that read"),
        ("kill query where 1", "only statements that read"),
        ("/* SELECT */ DROP TABLE predictions", "only statements that read"),
        ("SET readonly = 0", "only statements that read"),
        ("SELECT 1 FORMAT JSON;", "leave FORMAT out"),
        ("WITH 1 AS a INSERT INTO labels SELECT a", "INSERT does not read"),
        ("SELECT * FROM file('/etc/hostname', 'LineAsString')", r"file\(\) reaches beyond the record"),
        ("SELECT file('/etc/hostname')", r"file\(\) reaches beyond the record"),
        ("DESCRIBE TABLE url('http://127.0.0.1:1/', 'LineAsString')", r"url\(\) reaches beyond the record"),
        ("SELECT * APPLY(file) FROM (SELECT '/etc/hostname' AS x)", "APPLY of a function"),
        ("SELECT arrayMap(file, ['/etc/hostname'])", "file names a function that reaches beyond the record"),
        ("SELECT arrayMap(\"file\" AS f, ['/etc/hostname'])", "file names a function"),
        ("SELECT \u2018'\u2019; SELECT 2 --'", "outside of quotation marks"),
        ("SELECT 1 // '\n; SELECT 2 --'", "outside of quotation marks"),
        ("SELECT 1 INTO OUTFILE '/tmp/x'", "INTO OUTFILE"),
        ("SELECT '\ud800'", "half of a surrogate pair"),
    ],
)
def test_other_statements_are_one_clear_line(statement: str, said: str) -> None:
    """What does not read is refused before it is sent, in a line that says why."""
    with pytest.raises(ConfigError, match=said) as raised:
        read_only(statement)
    assert "\n" not in str(raised.value)


def test_a_parameter_names_no_function_that_reads_files(history: History) -> None:
    """The engine takes the name that is bound for the function."""
    with pytest.raises(ConfigError, match="parameter f names a function that reaches beyond the record"):
        history.sql("SELECT arrayMap({f:Identifier}, ['/etc/hostname'])", {"f": "file"})


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT 1 SETTINGS max_execution_time = 0",
        "SELECT 1 SETTINGS readonly = 0",
    ],
)
def test_the_server_holds_the_limits(history: History, statement: str) -> None:
    """What lifts the limits is refused by ClickHouse."""
    with pytest.raises(QueryRefused):
        history.sql(statement)


def test_the_guard_bites(recorded: Recorder) -> None:
    """The limits are what refuses: the same table is dropped without them, and not with them."""
    recorded.store.command("CREATE TABLE precious (a Int8) ENGINE = Memory")
    with pytest.raises(QueryRefused):
        recorded.store.command("DROP TABLE precious", settings=READ_LIMITS)
    assert recorded.store.command("EXISTS TABLE precious") == 1
    recorded.store.command("DROP TABLE precious")
    assert recorded.store.command("EXISTS TABLE precious") == 0


def test_parameters_are_bound(history: History) -> None:
    """Values of an analyst's own statement are bound, never pasted."""
    text = "' OR 1=1 -- {x:String}"
    assert history.sql("SELECT {name:String} AS name", {"name": text}).to_pylist() == [{"name": text}]


@pytest.mark.parametrize("kind", ["UInt8", "Nullable(UInt8)", " LowCardinality( UInt8 )", "Array(UInt8)"])
def test_a_whole_number_beyond_its_type_is_refused(history: History, kind: str) -> None:
    """In an analyst's own statement too, alone or in an array; ClickHouse would take it modulo the type's size. What the type holds arrives."""
    of_one: Callable[[int], object] = (
        (lambda number: [1, number]) if "Array" in kind else (lambda number: number)
    )
    statement = f"SELECT '{{A:Int8}}' AS text, {{A:{kind}}} AS x, {{a:String}} AS other -- {{A:Int8}}"
    (row,) = history.sql(statement, {"A": of_one(255), "a": "300"}).to_pylist()
    assert (row["x"], row["other"]) == (of_one(255), "300")
    for beyond in (of_one(300), str(of_one(300))):
        with pytest.raises(ConfigError, match="parameter A wants a whole number from 0 to 255, not '300'"):
            history.sql(statement, {"A": beyond, "a": ""})


def test_what_is_no_whole_number_is_for_the_server_to_refuse(history: History) -> None:
    """Its words come through, also where a placeholder has no value."""
    for given in ({"a": "300.5"}, {"a": "x300"}, {}):
        with pytest.raises(QueryRefused):
            history.sql("SELECT {a:UInt8}", given)
    assert history.sql("SELECT {a:Nullable(UInt8)} AS a", {"a": None}).to_pylist() == [{"a": None}]


def test_what_will_be_known_is_not_known(recorded: Recorder) -> None:
    """A moment of knowledge that has not come is refused; this very moment is answered."""
    now = utc("2013-04-01")
    with History(recorded.store.settings, clock=lambda: now) as door:
        assert door.query("quality_as_known", model=MODEL, t=now).num_rows > 0
        with pytest.raises(ConfigError, match=r"t=2013-04-01 00:00:00\.000001 has not come yet"):
            door.query("quality_as_known", model=MODEL, t=now + timedelta(microseconds=1))


def test_a_bad_statement_is_refused_by_name(history: History) -> None:
    """ClickHouse's reason comes through."""
    with pytest.raises(QueryRefused, match="no_such_column"):
        history.sql("SELECT no_such_column FROM predictions_v")


def test_nobody_there_is_one_clear_line() -> None:
    """An address at which nothing answers is said with the address."""
    with pytest.raises(StoreUnavailable, match=r"127\.0\.0\.1:1\b") as raised:
        History(ClickHouseSettings(url="http://127.0.0.1:1"))
    assert isinstance(raised.value, HindcastError)
    assert "\n" not in str(raised.value)


def test_no_proxy_is_asked_for_this_machine(clickhouse: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy that the environment names for the world outside does not know what listens here; a host elsewhere is asked through it."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    with History(clickhouse, database="default") as history:
        assert history.sql("SELECT 1 AS a").to_pylist() == [{"a": 1}]
    with pytest.raises(StoreUnavailable):
        History(clickhouse.replace("127.0.0.1", "127.0.0.2"))


@pytest.mark.parametrize(
    ("where", "database", "said"),
    [
        (None, None, "where is an address or ClickHouseSettings, not None"),
        (b"http://u:secret@h", None, "where is an address or ClickHouseSettings, not of type bytes"),
        ("http://127.0.0.1:1", 5, "database 5: letters, digits and underscores are wanted"),
    ],
)
def test_what_is_no_address_is_one_clear_line(where: Any, database: Any, said: str) -> None:
    """As an environment variable that is not set gives None; what was given may hold a password, and is not repeated."""
    with pytest.raises(ConfigError) as raised:
        History(where, database=database)
    assert str(raised.value) == said


@pytest.mark.parametrize(("given", "told"), [(None, "None"), (b"SELECT 1", "of type bytes")])
def test_what_is_no_text_is_no_statement(history: History, given: Any, told: str) -> None:
    """Refused in one line, as other wrong use is."""
    with pytest.raises(ConfigError, match=f"a statement is a text, not {told}"):
        history.sql(given)
