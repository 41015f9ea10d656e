"""The user who only reads."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote, urlsplit

import clickhouse_connect
import pytest
from door_users import ANALYST_PASSWORD
from http_answers import ask
from waiting import eventually

from evaluation.statements import REFUSED_FUNCTIONS, REFUSED_NAMES, TABLE_FUNCTIONS


@pytest.fixture
def analyst(door: str) -> str:
    """The door's URL as the analyst has it."""
    ask(door, "CREATE TABLE IF NOT EXISTS seen (a Int8) ENGINE = MergeTree ORDER BY a")
    return f"http://analyst:{quote(ANALYST_PASSWORD)}@127.0.0.1:{urlsplit(door).port}"


def test_an_analyst_reads(analyst: str) -> None:
    """By HTTP and by clickhouse-connect, whose first requests send sessions and settings of its own."""
    assert ask(analyst, "SELECT count() FROM seen").status == 200
    assert clickhouse_connect.get_client(dsn=analyst).query("SELECT 1 + 1").result_rows == [(2,)]


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO seen VALUES (1)",
        "INSERT INTO seen FORMAT TSV\n1\n",
        "DROP TABLE seen",
        "CREATE TABLE mine (a Int8) ENGINE = Memory",
        "CREATE TEMPORARY TABLE mine (a Int8)",
        "ALTER TABLE seen DELETE WHERE 1",
        "KILL QUERY WHERE 1",
        "SYSTEM STOP MERGES",
        "SELECT 1; DROP TABLE seen",
        "SET readonly = 0",
        "SET max_execution_time = 0",
        "SELECT 1 SETTINGS max_execution_time = 0",
        "SELECT 1 SETTINGS readonly = 0",
        "SELECT * FROM file('/etc/hostname', 'LineAsString')",
        "SELECT * FROM url('http://127.0.0.1:1/', 'LineAsString')",
        "SELECT 1 INTO OUTFILE '/tmp/hindcast-analyst'",
        "INSERT INTO FUNCTION file('/tmp/hindcast-analyst', 'TSV') SELECT 1",
        # functions that reach beyond the record, however they are written
        "SELECT file('/etc/hostname')",
        "SELECT `file`('/etc/hostname')",
        "SELECT \"fi\\x6ce\"('/etc/hostname')",
        "SELECT file /* it is */ ('/etc/hostname')",
        "SELECT * APPLY(file) FROM (SELECT '/etc/hostname' AS x)",
        "SELECT COLUMNS('x') APPLY file FROM (SELECT '/etc/hostname' AS x)",
        "SELECT arrayMap(file, ['/etc/hostname'])",
        "SELECT arrayMap((`file`) AS f, ['/etc/hostname'])",
        "SELECT arrayMap(ALL file, ['/etc/hostname'])",
        "DESCRIBE TABLE file('/etc/passwd')",
        "DESC url('http://127.0.0.1:1/', 'CSV')",
        "DESCRIBE TABLE (SELECT * FROM s3('http://127.0.0.1:1/bucket/y'))",
        "EXPLAIN SELECT file('/etc/hostname')",
        "SELECT * FROM eval('SELECT 1')",
        "WITH 1 AS x INSERT INTO seen SELECT x",
        # quotes, spaces and comments that the engine knows and a plain reader of SQL does not
        "EXPLAIN SELECT \u2018'\u2019 INTO OUTFILE \u2018/tmp/hindcast-analyst\u2019 --'",
        "SELECT \u2018'\u2019; SELECT 2 INTO OUTFILE \u2018/tmp/hindcast-analyst\u2019; SELECT 3 --'",
        "SHOW TABLES LIKE \u2018'\u2019; KILL QUERY WHERE 1 --'",
        'SHOW TABLES LIKE \u201c"\u201d; KILL QUERY WHERE 1 --"',
        "EXPLAIN SELECT 1\u00a0INTO\u3000OUTFILE '/tmp/hindcast-analyst'",
        "SELECT 1 // '\n; KILL QUERY WHERE 1 --'",
        "SELECT $$ '$$; KILL QUERY WHERE 1 --'",
        "SELECT $--$x$--$; KILL QUERY WHERE 1",
        "SELECT a$$; KILL QUERY WHERE 1 --$$",
        "SELECT 1 /* /* */ ' */; KILL QUERY WHERE 1 --'",
        "SELECT 1 # '\n; KILL QUERY WHERE 1 --'",
    ],
)
def test_an_analyst_changes_nothing(analyst: str, sql: str) -> None:
    """Neither data nor tables, limits, other people's queries, or files of the machine."""
    answer = ask(analyst, sql)
    assert answer.status != 200
    assert answer.headers["x-clickhouse-exception-code"] in ("62", "164", "358"), answer.text


@pytest.mark.parametrize(
    "bound", ["f:Identifier", "f: /* of what? */ Identifier", "/* which? */ f:Identifier"]
)
def test_a_parameter_names_no_function_that_reaches_beyond_the_record(analyst: str, bound: str) -> None:
    """Where the engine takes a bound name for a function; of a text, and of a name of the record, there is nothing to fear."""
    sql = f"SELECT arrayMap({{{bound}}}, ['/etc/hostname'])"
    answer = ask(analyst, sql, param_f="file")
    assert answer.headers["x-clickhouse-exception-code"] == "164", answer.text
    assert (
        ask(analyst, method="GET", query=sql, param_f="file").headers["x-clickhouse-exception-code"] == "164"
    )
    assert ask(analyst, "SELECT {f:String}", param_f="file").text == "file\n"
    assert ask(analyst, "SELECT count({a:Identifier}) FROM seen", param_a="a").status == 200


def test_a_get_reads_whoever_asks(door: str) -> None:
    """Whatever lies between may repeat it."""
    assert ask(door, "CREATE TABLE IF NOT EXISTS got (a Int8) ENGINE = MergeTree ORDER BY a").status == 200
    for sql in (
        "INSERT INTO got VALUES (1)",
        "WITH 1 AS x INSERT INTO got SELECT x",
        'WITH 1 AS "(" INSERT INTO got SELECT 1',
        "SHOW TABLES LIKE \u2018'\u2019; INSERT INTO got SELECT 7 --'",
    ):
        assert ask(door, method="GET", query=sql).status != 200
    assert ask(door, "SELECT count() FROM got").text == "0\n"


def test_readers_hold_nobody_up(door: str, analyst: str) -> None:
    """However many of an analyst's questions wait, the owner is answered."""
    slow = "SELECT sleepEachRow(2) FROM numbers(1)"
    with ThreadPoolExecutor(40) as many:
        waiting = [many.submit(ask, analyst, slow) for _ in range(40)]
        eventually(
            lambda: (
                int(ask(door, "SELECT count() FROM system.processes WHERE query ILIKE '%sleepEach%'").text)
                > 1
            )
        )
        began = time.monotonic()
        assert ask(door, "SELECT 1").text == "1\n"
        assert time.monotonic() - began < 2
        assert not all(one.done() for one in waiting)
        assert {one.result().status for one in waiting} == {200}


def test_every_table_function_of_the_engine_is_known(door: str) -> None:
    """As one that reads the record or nothing, or as one that is refused: a new one must be looked at."""
    names = set(ask(door, "SELECT lower(name) FROM system.table_functions").text.split())
    assert names - TABLE_FUNCTIONS - REFUSED_FUNCTIONS == set()
    assert not TABLE_FUNCTIONS & REFUSED_FUNCTIONS


def test_a_refused_function_that_is_no_table_is_refused_by_its_bare_name(door: str) -> None:
    """The engine takes the name alone for the function where it wants one."""
    names = set(ask(door, "SELECT lower(name) FROM system.functions").text.split())
    assert names & REFUSED_FUNCTIONS
    assert names & REFUSED_FUNCTIONS <= REFUSED_NAMES


def test_an_analyst_cannot_lift_the_limits(analyst: str) -> None:
    """Not by URL either; and the limits bite."""
    assert ask(analyst, "SELECT 1", max_result_rows=0).headers["x-clickhouse-exception-code"] == "164"
    assert ask(analyst, "SELECT 1", readonly=0).headers["x-clickhouse-exception-code"] == "164"
    many = ask(analyst, "SELECT number FROM numbers(20000000) FORMAT Null")
    assert many.headers["x-clickhouse-exception-code"] == "396"
