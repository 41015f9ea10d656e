"""The user who only reads."""

from __future__ import annotations

from urllib.parse import quote, urlsplit

import clickhouse_connect
import pytest
from door_users import ANALYST_PASSWORD
from http_answers import ask


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
    ],
)
def test_an_analyst_changes_nothing(analyst: str, sql: str) -> None:
    """Neither data nor tables, limits, other people's queries, or files of the machine."""
    answer = ask(analyst, sql)
    assert answer.status != 200
    assert answer.headers["x-clickhouse-exception-code"] in ("62", "164", "358"), answer.text


def test_an_analyst_cannot_lift_the_limits(analyst: str) -> None:
    """Not by URL either; and the limits bite."""
    assert ask(analyst, "SELECT 1", max_result_rows=0).headers["x-clickhouse-exception-code"] == "164"
    assert ask(analyst, "SELECT 1", readonly=0).headers["x-clickhouse-exception-code"] == "164"
    many = ask(analyst, "SELECT number FROM numbers(20000000) FORMAT Null")
    assert many.headers["x-clickhouse-exception-code"] == "396"
