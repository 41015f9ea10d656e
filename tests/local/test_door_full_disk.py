"""A door that cannot write what it must keep."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from http_answers import ask
from test_door_process import started

_MOST = 4 * 2**20


@pytest.fixture
def cramped(door_directory: Path) -> Iterator[str]:
    """A door none of whose files can grow beyond four megabytes, as on a full disk."""
    url, program = started(door_directory)
    try:
        ask(url, "CREATE TABLE t (a Int64, b String) ENGINE = MergeTree ORDER BY a")
        psutil.Process(program.pid).rlimit(psutil.RLIMIT_FSIZE, (_MOST, _MOST))
        yield url
    finally:
        program.stop()


def test_an_answer_that_cannot_be_kept_is_an_error(cramped: str) -> None:
    """In ClickHouse's form, and its query has ended; what need not be kept is sent."""
    sql = "SELECT number, repeat('x', 100) FROM numbers(100000)"
    answer = ask(cramped, sql, wait_end_of_query=1, query_id="kept")
    assert (answer.status, answer.headers["x-clickhouse-exception-code"]) == (500, "75")
    assert answer.text.startswith("Code: 75. DB::Exception: Cannot write to file: ")
    assert ask(cramped, "SELECT count() FROM system.processes WHERE query_id = 'kept'").text == "0\n"
    assert len(ask(cramped, sql).body) > 2 * _MOST


def test_an_insert_that_cannot_be_kept_is_an_error(cramped: str) -> None:
    """Whether its length is said or not: the client reads why, nothing is stored, and the next one is."""
    rows = b"".join(b"%d\t%s\n" % (number, b"x" * 100) for number in range(100_000))
    statement = "INSERT INTO t FORMAT TSV"
    pieces = (rows[start : start + 65536] for start in range(0, len(rows), 65536))
    for answer in (
        ask(cramped, rows, query=statement),
        ask(cramped, pieces, query=statement),
        ask(cramped, statement.encode() + b"\n" + rows),
    ):
        assert answer.status == 500
        assert answer.text.startswith("Code: ")
    assert ask(cramped, "SELECT count() FROM t").text == "0\n"
    assert ask(cramped, b"1\tone\n", query=statement).status == 200
    assert ask(cramped, "SELECT count() FROM t").text == "1\n"
