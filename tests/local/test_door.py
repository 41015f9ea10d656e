"""The ClickHouse door as HTTP clients meet it."""

from __future__ import annotations

import gzip
import json
import threading
import uuid
import zlib
from base64 import b64encode
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import lz4.frame
import pytest
import zstandard
from door_users import PASSWORD
from http_answers import ask
from waiting import eventually


@pytest.fixture
def table(door: str) -> str:
    """A table (a Int64, b String) that no other test uses."""
    name = f"t_{uuid.uuid4().hex[:8]}"
    assert ask(door, f"CREATE TABLE {name} (a Int64, b String) ENGINE = MergeTree ORDER BY a").status == 200
    return name


def test_ping_needs_no_password(door: str) -> None:
    """Health checks come without credentials."""
    assert ask(door, method="GET", path="/ping", user="nobody").text == "Ok.\n"


def test_a_query_stands_in_the_url_the_body_or_both(door: str) -> None:
    """All three ways give the same answer, with ClickHouse's headers."""
    assert ask(door, method="GET", query="SELECT 1").text == "1\n"
    assert ask(door, "SELECT 1").text == "1\n"
    answer = ask(door, "+ 1 AS two FORMAT JSONEachRow", query="SELECT 1", query_id="mine")
    assert json.loads(answer.text) == {"two": 2}
    assert answer.headers["x-clickhouse-query-id"] == "mine"
    assert answer.headers["x-clickhouse-format"] == "JSONEachRow"
    assert answer.headers["content-type"].startswith("application/json")
    assert json.loads(answer.headers["x-clickhouse-summary"])["result_rows"] == "1"


def test_parameters_are_bound_and_never_spliced(door: str) -> None:
    """A value with quotes, backslashes and a tab comes back as it went."""
    value = "it's \\ a\ttab"
    escaped = value.replace("\\", "\\\\").replace("\t", "\\t")
    answer = ask(door, "SELECT {v:String}, {n:UInt8} FORMAT JSONCompactEachRow", param_v=escaped, param_n=7)
    assert json.loads(answer.text) == [value, 7]


def test_settings_hold_for_one_request(door: str) -> None:
    """A setting in the URL changes this query, and no other."""
    asked = "SELECT getSetting('max_block_size')"
    before = ask(door, asked).text
    assert ask(door, asked, max_block_size=17).text == "17\n"
    assert ask(door, asked, max_block_size=17, session_id="s").text == "17\n"
    assert ask(door, asked, session_id="s").text == before == ask(door, asked).text


def test_inserts_are_written_before_they_are_acknowledged(door: str) -> None:
    """async_insert is off unless the client asks for it."""
    assert ask(door, "SELECT getSetting('async_insert')").text == "false\n"


def test_the_default_format_and_database_come_from_the_request(door: str) -> None:
    """By URL or by header."""
    assert ask(door, "SELECT 1 AS a", default_format="JSONEachRow").text == '{"a":1}\n'
    assert ask(door, "SELECT 1 AS a", headers={"X-ClickHouse-Format": "CSVWithNames"}).text == '"a"\n1\n'
    assert ask(door, "SELECT currentDatabase()", database="system").text == "system\n"
    assert ask(door, "SELECT 1", database="nowhere").headers["x-clickhouse-exception-code"] == "81"


@pytest.mark.parametrize(
    ("encoding", "compress"),
    [
        ("gzip", gzip.compress),
        ("deflate", zlib.compress),
        ("lz4", lz4.frame.compress),
        ("zstd", zstandard.ZstdCompressor().compress),
    ],
)
def test_bodies_and_answers_are_compressed(
    door: str, table: str, encoding: str, compress: Callable[[bytes], bytes]
) -> None:
    """Data behind a statement in the URL, whole statements, and answers."""
    said = {"Content-Encoding": encoding}
    assert ask(door, compress(b"1\ta\n"), headers=said, query=f"INSERT INTO {table} FORMAT TSV").status == 200
    assert ask(door, compress(f"INSERT INTO {table} FORMAT TSV\n2\tb\n".encode()), headers=said).status == 200
    assert (
        ask(door, compress(f"SELECT a, b FROM {table} ORDER BY a".encode()), headers=said).text
        == "1\ta\n2\tb\n"
    )
    wanted = {"Accept-Encoding": encoding}
    long = ask(door, "SELECT repeat('x', 1000)", headers=wanted, enable_http_compression=1)
    assert long.headers["content-encoding"] == encoding
    assert len(long.body) < 500
    assert "content-encoding" not in ask(door, "SELECT repeat('x', 1000)", headers=wanted).headers
    assert ask(door, b"no such bytes", headers=said).status != 200


@pytest.mark.parametrize(
    ("statement", "data"),
    [
        ("FORMAT JSONEachRow", '{"a":1,"b":"x"}\n{"a":2,"b":"y"}'),
        ("FORMAT CSV", '1,"x"\n2,"y"\n'),
        ("VALUES", "(1, 'x'), (2, 'y')"),
        ("SETTINGS max_insert_threads=1 FORMAT TSVWithNames", "a\tb\n1\tx\n2\ty\n"),
        ("(b, a) FORMAT TSV", "x\t1\ny\t2\n"),
    ],
)
def test_inserts_in_every_position(door: str, table: str, statement: str, data: str) -> None:
    """Statement in the URL and data in the body, or both in the body; the summary counts the rows."""
    for answer in (
        ask(door, data, query=f"INSERT INTO {table} {statement}"),
        ask(door, f"INSERT INTO {table} {statement}\n{data}"),
    ):
        assert answer.status == 200, answer.text
        assert json.loads(answer.headers["x-clickhouse-summary"])["written_rows"] == "2"
    assert (
        ask(door, f"SELECT a, b, count() FROM {table} GROUP BY ALL ORDER BY a").text == "1\tx\t2\n2\ty\t2\n"
    )


def test_binary_formats_come_back_as_they_went(door: str, table: str) -> None:
    """Native, RowBinary and Arrow leave one table and enter another unchanged."""
    ask(door, f"INSERT INTO {table} SELECT number, toString(number) FROM numbers(1000)")
    for form in ("Native", "RowBinary", "Arrow", "ArrowStream", "Parquet"):
        data = ask(door, f"SELECT * FROM {table} ORDER BY a FORMAT {form}").body
        ask(door, f"CREATE OR REPLACE TABLE {table}_copy AS {table}")
        assert ask(door, data, query=f"INSERT INTO {table}_copy FORMAT {form}").status == 200
        assert ask(door, f"SELECT sum(a), uniqExact(b) FROM {table}_copy").text == "499500\t1000\n"


@pytest.mark.parametrize(
    ("sql", "status", "code"),
    [
        ("SELECT * FROM nowhere", 404, 60),
        ("SELEC 1", 400, 62),
        ("SELECT nothing", 404, 47),
        ("SELECT throwIf(1)", 500, 395),
        ("SELECT 1 INTO OUTFILE '/tmp/x'", 500, 358),
    ],
)
def test_failures_look_like_clickhouses(door: str, sql: str, status: int, code: int) -> None:
    """Status, code header and text are what clients of a server parse."""
    answer = ask(door, sql)
    assert answer.status == status, answer.text
    assert answer.headers["x-clickhouse-exception-code"] == str(code)
    assert answer.text.startswith(f"Code: {code}. DB::Exception: ")


@pytest.mark.parametrize(
    ("parameter", "value"),
    [("session_check", 1), ("session_timeout", "x")],
)
def test_what_the_door_does_not_do_it_says(door: str, parameter: str, value: object) -> None:
    """A parameter without an equivalent is refused by name, not ignored."""
    given: dict[str, Any] = {parameter: value}
    answer = ask(door, "SELECT 1", **given)
    assert answer.status in (400, 501)
    assert parameter in answer.text


@pytest.mark.parametrize(
    "given",
    [
        {"query_id": "\u00e9\u20ac"},
        {"query_id": "a\r\nX-Other: b"},
        {"query_id": "a\0b"},
        {"query": "INSERT INTO t FORMAT \u20ac"},
        {"query": "SET max_threads = 1", "session_id": "s", "session_timeout": "9" * 400},
        {"query": "SET max_threads = 1", "session_id": "s", "session_timeout": "9" * 5000},
        {"query": "SET max_threads = 1", "session_id": "s", "session_timeout": "3601"},
        {"default_format": "Native", "client_protocol_version": "9" * 5000, "query": "SELEC 1"},
        {"body": b"SELECT \xff"},
        {"body": b"INSERT INTO \xff FORMAT TSV\n1\n"},
        {"body": b"INSERT INTO t FORMAT `\xff`\n1\n"},
    ],
)
def test_odd_requests_are_refused_in_clickhouses_form(door: str, given: dict[str, Any]) -> None:
    """By status 400 and in words; none of them meets a traceback, or no answer."""
    answer = ask(door, **given)
    assert answer.status == 400, answer.text
    assert answer.text.startswith("Code: ")
    assert answer.headers["x-clickhouse-exception-code"] in ("36", "62")
    assert "x-other" not in answer.headers


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("SELECT 1 AS format ORDER BY format DESC", "1\n"),
        ("SELECT arrayJoin([1, 2]) AS format ORDER BY format DESC SETTINGS max_threads = 1", "2\n1\n"),
        ("FROM numbers(2) SELECT number FORMAT CSV", "0\n1\n"),
        ("SELECT 'system.processes'", "system.processes\n"),
        ("SELECT count() FROM system.processes WHERE query NOT LIKE '%system.processes%'", "0\n"),
        ("EXPLAIN AST SELECT 1 FORMAT LineAsString", None),
        ("EXPLAIN SYNTAX SELECT 1 FORMAT TSVRaw", "SELECT 1\nFROM system.one\n"),
    ],
)
def test_words_are_taken_as_the_engine_takes_them(door: str, sql: str, said: str | None) -> None:
    """A column called format, a string that names a table, SELECT behind FROM; also by GET."""
    for answer in (ask(door, sql), ask(door, method="GET", query=sql)):
        assert answer.status == 200, answer.text
        assert answer.text == said or (said is None and answer.text.startswith("SelectWithUnionQuery"))


def test_a_table_may_be_called_format(door: str) -> None:
    """Its name is no clause of the INSERT."""
    ask(door, "CREATE DATABASE IF NOT EXISTS named")
    ask(door, "CREATE OR REPLACE TABLE named.format (a Int8) ENGINE = Memory")
    assert ask(door, "1\n", query="INSERT INTO named.format FORMAT TSV").status == 200
    assert ask(door, "INSERT INTO named.format FORMAT TSV\n2\n").status == 200
    assert ask(door, "SELECT sum(a) FROM named.format").text == "3\n"


def test_an_unknown_setting_is_refused(door: str) -> None:
    """As by a server."""
    assert ask(door, "SELECT 1", no_such_setting=1).headers["x-clickhouse-exception-code"] == "115"


def test_a_get_only_reads(door: str, table: str) -> None:
    """Whatever repeats or prefetches a URL changes nothing."""
    answer = ask(door, method="GET", query=f"DROP TABLE {table}")
    assert answer.headers["x-clickhouse-exception-code"] == "164"
    assert ask(door, f"EXISTS {table}").text == "1\n"


def test_credentials_come_in_three_ways(door: str) -> None:
    """URL, ClickHouse's headers, HTTP Basic; a wrong password is refused in each."""
    basic = {"Authorization": "Basic " + b64encode(f"default:{PASSWORD}".encode()).decode()}
    headers = {"X-ClickHouse-User": "default", "X-ClickHouse-Key": PASSWORD}
    assert ask(door, "SELECT 1", headers=basic).text == "1\n"
    assert ask(door, "SELECT 1", headers=headers).text == "1\n"
    assert ask(door, "SELECT 1", user="default", password=PASSWORD).text == "1\n"
    for wrong in (
        ask(door, "SELECT 1", headers={"Authorization": "Basic " + b64encode(b"default:guess").decode()}),
        ask(door, "SELECT 1", headers=headers | {"X-ClickHouse-Key": "guess"}),
        ask(door, "SELECT 1", user="default", password="guess"),
        ask(door, "SELECT 1", user="default"),
        ask(door, "SELECT 1", headers={"Authorization": "Basic ~"}),
    ):
        assert (wrong.status, wrong.headers["x-clickhouse-exception-code"]) == (403, "516")


def test_a_session_keeps_what_was_left_in_it(door: str) -> None:
    """SET and temporary tables live in their session, and only there."""
    name = uuid.uuid4().hex
    ask(door, "SET max_block_size = 11", session_id=name)
    ask(door, "CREATE TEMPORARY TABLE here (a Int8)", session_id=name)
    assert ask(door, "SELECT getSetting('max_block_size')", session_id=name).text == "11\n"
    assert ask(door, "INSERT INTO here VALUES (1)", session_id=name).status == 200
    assert ask(door, "SELECT * FROM here", session_id=name).text == "1\n"
    assert ask(door, "SELECT * FROM here", session_id=name + "x").status == 404
    assert ask(door, "SELECT * FROM here").status == 404


def test_queries_run_at_once_and_are_killed_by_the_id_their_client_chose(door: str) -> None:
    """A long query does not stop short ones; KILL QUERY ends it and says so to its client."""
    outcome = []
    slow = "SELECT sum(sleepEachRow(0.2)) FROM numbers(300) SETTINGS max_block_size = 1"
    name = f"slow-{uuid.uuid4()}"
    thread = threading.Thread(target=lambda: outcome.append(ask(door, slow, query_id=name)))
    thread.start()
    running = f"SELECT count() FROM system.processes WHERE query_id = '{name}'"
    eventually(lambda: ask(door, running).text == "1\n", saying="the query is listed under its id")
    assert name in ask(door, "SELECT query_id FROM system.processes").text
    assert ask(door, f"KILL QUERY WHERE query_id = '{name}' SYNC").status == 200
    thread.join(timeout=20)
    assert outcome[0].headers["x-clickhouse-exception-code"] == "394"
    assert ask(door, running).text == "0\n"


def test_many_clients_insert_and_read_at_once(door: str, table: str) -> None:
    """Every acknowledged row of eight writers is there, once."""

    def write(writer: int) -> None:
        for batch in range(10):
            rows = "".join(f"{writer * 1000 + batch * 10 + i}\tw\n" for i in range(10))
            assert ask(door, rows, query=f"INSERT INTO {table} FORMAT TSV").status == 200
            assert (
                ask(door, f"SELECT count() FROM {table} WHERE intDiv(a, 1000) = {writer}").text
                == f"{batch * 10 + 10}\n"
            )

    with ThreadPoolExecutor(8) as writers:
        list(writers.map(write, range(8)))
    assert ask(door, f"SELECT count(), uniqExact(a) FROM {table}").text == "800\t800\n"


def test_a_database_of_one_request_is_not_the_sessions(door: str) -> None:
    """It is taken back after it, and what USE chose stays."""
    name, asked = uuid.uuid4().hex, "SELECT currentDatabase()"
    ask(door, "USE system", session_id=name)
    assert ask(door, asked, session_id=name).text == "system\n"
    assert ask(door, asked, session_id=name, database="default").text == "default\n"
    assert ask(door, asked, session_id=name).text == "system\n"
    ask(door, "USE information_schema", session_id=name, database="default")
    assert ask(door, asked, session_id=name).text == "information_schema\n"


def test_an_encoding_of_no_weight_is_not_used(door: str) -> None:
    """`q=0` says that a client does not take it."""
    for accepted, used in [("br;q=1.0, gzip;q=0", None), ("gzip;q=0.5, zstd;q=0.0", "gzip")]:
        answer = ask(
            door,
            "SELECT number FROM numbers(10000)",
            enable_http_compression=1,
            headers={"Accept-Encoding": accepted},
        )
        assert answer.headers.get("content-encoding") == used


def test_data_that_a_select_would_read_are_refused_and_not_dropped(door: str, table: str) -> None:
    """The engine would take the statement, answer well, and store no row."""
    statement = f"INSERT INTO {table} SELECT a, upper(b) FROM input('a Int64, b String') FORMAT TSV"
    for answer in (ask(door, "16\tinp\n", query=statement), ask(door, f"{statement}\n16\tinp\n")):
        assert answer.status == 501
        assert "input()" in answer.text
    assert ask(door, f"INSERT INTO {table} SELECT 1, 'input (x)'").status == 200
    assert ask(door, "CREATE TABLE IF NOT EXISTS input (a Int8) ENGINE = Memory").status == 200
    assert ask(door, "INSERT INTO input (a) SELECT 1").status == 200
    assert ask(door, f"SELECT b FROM {table}").text == "input (x)\n"
    assert ask(door, "SELECT 1", session_id="s", session_timeout="\u00b2").status == 400


def test_a_look_up_reads_filters_once(door: str, table: str) -> None:
    """What a look-up has read of a column's filters is kept: the next one, of another value, finds it in memory."""
    ask(door, f"ALTER TABLE {table} ADD INDEX b_bloom b TYPE bloom_filter GRANULARITY 1")
    ask(door, f"INSERT INTO {table} SELECT number, toString(number) FROM numbers(100000)")

    def found_in_memory() -> int:
        return int(
            ask(door, "SELECT sum(value) FROM system.events WHERE event = 'UncompressedCacheHits'").text
        )

    assert ask(door, f"SELECT a FROM {table} WHERE b = '17'").text == "17\n"
    before = found_in_memory()
    assert ask(door, f"SELECT a FROM {table} WHERE b = '99017'").text == "99017\n"
    assert found_in_memory() > before
