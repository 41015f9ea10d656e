"""Answers of any size, and clients who do not stay for them."""

from __future__ import annotations

import gzip
import hashlib
import re
import socket
import threading
import uuid
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, IncompleteRead
from pathlib import Path
from urllib.parse import unquote, urlencode, urlsplit

import lz4.frame
import psutil
import pytest
import zstandard
from http_answers import ask
from test_door_process import started
from waiting import eventually

from hindcast.local.clickhouse_door.statement import answering_into

_ENDLESS = "SELECT number FROM system.numbers"


def running(door: str, query_id: str) -> bool:
    """Whether the query is under way."""
    return ask(door, f"SELECT count() FROM system.processes WHERE query_id = '{query_id}'").text != "0\n"


@contextmanager
def sent(door: str, body: str, **parameters: object) -> Iterator[HTTPConnection]:
    """A request on its way, by a client who may go at any time."""
    parts = urlsplit(door)
    link = HTTPConnection(parts.hostname or "", parts.port, timeout=60)
    try:
        who = {"X-ClickHouse-User": "default", "X-ClickHouse-Key": _password(door)}
        link.request("POST", f"/?{urlencode(parameters)}", body.encode(), who)
        yield link
    finally:
        link.close()


def _password(door: str) -> str:
    return unquote(urlsplit(door).password or "")


@pytest.mark.parametrize(
    "form", ["TSVWithNames", "JSONCompactEachRow", "Native", "ArrowStream", "Parquet", "RowBinary", "CSV"]
)
def test_a_long_answer_is_one_file(door: str, form: str) -> None:
    """Of more bytes than are held: the same, with one header and one end, as when its end is waited for."""
    sql = f"SELECT number, toString(number) AS text FROM numbers(300000) ORDER BY number FORMAT {form}"
    streamed, waited = ask(door, sql), ask(door, sql, wait_end_of_query=1)
    assert streamed.headers["transfer-encoding"] == "chunked"
    assert len(streamed.body) > 1_000_000
    assert hashlib.sha256(streamed.body).digest() == hashlib.sha256(waited.body).digest()
    ask(door, "CREATE OR REPLACE TABLE streamed (number UInt64, text String) ENGINE = Memory")
    assert ask(door, streamed.body, query=f"INSERT INTO streamed FORMAT {form}").status in (200, 400)
    if form != "TSVWithNames":
        assert ask(door, "SELECT count(), sum(number), max(text) FROM streamed").text.startswith("300000\t")


@pytest.mark.parametrize(
    ("encoding", "unpack"),
    [
        ("gzip", gzip.decompress),
        ("deflate", zlib.decompress),
        ("lz4", lz4.frame.decompress),
        ("zstd", lambda data: zstandard.ZstdDecompressor().decompressobj().decompress(data)),
    ],
)
def test_a_long_answer_is_compressed_on_its_way(
    door: str, encoding: str, unpack: Callable[[bytes], bytes]
) -> None:
    """In every compression, as the same bytes."""
    sql = "SELECT number FROM numbers(400000)"
    packed = ask(door, sql, headers={"Accept-Encoding": encoding}, enable_http_compression=1)
    assert packed.headers["content-encoding"] == encoding
    assert unpack(packed.body) == ask(door, sql).body


def test_a_failure_on_the_way_is_told_and_the_answer_has_no_end(door: str) -> None:
    """Status and rows are out already: the exception stands in the body by its tag, and the transfer breaks off."""
    with sent(door, "SELECT throwIf(number = 3000000, 'here') FROM numbers(4000000)") as link:
        reply = link.getresponse()
        assert reply.status == 200
        with pytest.raises(IncompleteRead) as broken:
            reply.read()
    tag = reply.headers["X-ClickHouse-Exception-Tag"]
    pattern = rf"\r\n__exception__\r\n{tag}\r\n(Code: 395.*\n)(\d+) {tag}\r\n__exception__\r\n$"
    block = re.search(pattern.encode(), broken.value.partial[-16384:], re.DOTALL)
    assert block is not None
    assert len(block[1]) == int(block[2])
    assert b"here" in block[1]


def test_who_waits_for_the_end_learns_of_a_failure_by_the_status(door: str) -> None:
    """`wait_end_of_query=1` keeps a long answer back until it is known to be whole."""
    failing = ask(door, "SELECT throwIf(number = 3000000) FROM numbers(4000000)", wait_end_of_query=1)
    assert (failing.status, failing.headers["x-clickhouse-exception-code"]) == (500, "395")


def test_a_client_of_http_1_0_gets_no_chunks(door: str) -> None:
    """It could not read them (RFC 9112, 6.1): a long answer's length is said, also where it is compressed."""
    sql = "SELECT number FROM numbers(1000000)"
    whole = ask(door, sql).body
    for encoding in ("", "gzip"):
        asked = {"query": sql, "password": _password(door), "enable_http_compression": 1}
        with socket.create_connection((urlsplit(door).hostname, urlsplit(door).port)) as link:
            said = f"GET /?{urlencode(asked)} HTTP/1.0\r\nAccept-Encoding: {encoding}\r\n\r\n"
            link.sendall(said.encode())
            head, _, body = link.makefile("rb").read().partition(b"\r\n\r\n")
        assert b"chunked" not in head
        assert f"content-length: {len(body)}".encode() in head.lower()
        assert (gzip.decompress(body) if encoding else body) == whole


def test_an_answer_of_any_size_costs_little_memory(door_directory: Path) -> None:
    """Of half a gigabyte the door holds a small part, and its other clients are served meanwhile."""
    url, program = started(door_directory)
    try:
        door = psutil.Process(program.pid)
        ask(url, "SELECT number FROM numbers(1000000)")
        before = door.memory_info().rss
        most = size = 0
        with sent(url, "SELECT repeat('x', 100) FROM numbers(5000000)") as link:
            reply = link.getresponse()
            while data := reply.read(1 << 22):
                size += len(data)
                most = max(most, door.memory_info().rss)
        assert size == 101 * 5_000_000
        assert most - before < 200 * 2**20
    finally:
        program.stop()


@pytest.mark.parametrize(
    "sql",
    [
        _ENDLESS,
        "SELECT sum(number) FROM system.numbers",
        "FROM system.numbers SELECT sum(number)",
        "EXPLAIN ANALYZE SELECT sum(number) FROM system.numbers",
        "SELECT sum(sleepEachRow(0.1)) FROM numbers(3000) SETTINGS max_block_size = 1",
    ],
)
def test_a_query_ends_with_its_client(door: str, sql: str) -> None:
    """A client who goes while the answer comes, or before it begins, leaves nothing running."""
    name = f"left-{uuid.uuid4()}"
    with sent(door, sql, query_id=name):
        eventually(lambda: running(door, name), saying="the query runs")
    eventually(lambda: not running(door, name), saying="it has ended with its client")


def test_more_clients_than_threads_go_and_others_are_served(door: str) -> None:
    """Forty who ask and vanish take no thread with them."""
    name = uuid.uuid4().hex
    links = [sent(door, _ENDLESS, query_id=f"{name}-{place}") for place in range(40)]
    for link in links:
        link.__enter__()
    for link in links:
        link.__exit__(None, None, None)
    assert ask(door, "SELECT 1").text == "1\n"
    left = f"SELECT count() FROM system.processes WHERE startsWith(query_id, '{name}')"
    eventually(lambda: ask(door, left).text == "0\n", saying="none of their queries runs")


def test_a_query_that_streams_is_killed_by_its_id(door: str) -> None:
    """Its reader gets the exception in the body; a second query cannot take the id meanwhile."""
    name = f"killed-{uuid.uuid4()}"
    with sent(door, _ENDLESS, query_id=name) as link:
        reply = link.getresponse()
        reply.read(1000)
        assert ask(door, "SELECT 1", query_id=name).headers["x-clickhouse-exception-code"] == "216"
        shown = ask(door, f"SELECT query FROM system.processes WHERE query_id = '{name}'").text
        assert "OUTFILE" not in shown
        assert "system.numbers" in shown
        outcome: list[bytes] = []

        def rest() -> None:
            try:
                while data := reply.read(1 << 20):
                    outcome[:] = [*outcome[-1:], data]
            except IncompleteRead as broken:
                outcome.append(broken.partial)

        reader = threading.Thread(target=rest)
        reader.start()
        assert ask(door, f"KILL QUERY WHERE query_id = '{name}' SYNC").status == 200
        reader.join(30)
        assert b"Code: 394" in b"".join(outcome)


def test_a_client_who_goes_amid_an_insert_leaves_no_row(door: str) -> None:
    """Half a body is no insert, whether its length was said or it came in chunks."""
    ask(door, "CREATE OR REPLACE TABLE half (a Int64) ENGINE = MergeTree ORDER BY a")
    for said in ("Content-Length: 1000", "Transfer-Encoding: chunked"):
        parts = urlsplit(door)
        with socket.create_connection((parts.hostname or "", parts.port or 0)) as link:
            target = f"/?{urlencode({'query': 'INSERT INTO half FORMAT TSV', 'password': _password(door)})}"
            link.sendall(f"POST {target} HTTP/1.1\r\nHost: door\r\n{said}\r\n\r\n4\r\n1\n2\n\r\n".encode())
    assert ask(door, "SELECT count() FROM half").text == "0\n"
    assert ask(door, b"\x01", query="INSERT INTO half FORMAT Native").status != 200
    assert ask(door, "SELECT count() FROM half").text == "0\n"


@pytest.mark.parametrize(
    ("sql", "written"),
    [
        ("SELECT 1", "SELECT 1\nINTO OUTFILE 'p' TRUNCATE FORMAT TSV"),
        ("SELECT 1 -- one", "SELECT 1 -- one\nINTO OUTFILE 'p' TRUNCATE FORMAT TSV"),
        ("SELECT 1 FORMAT JSON;", "SELECT 1 \nINTO OUTFILE 'p' TRUNCATE FORMAT JSON"),
        ("SELECT 1 AS format", "SELECT 1 AS format\nINTO OUTFILE 'p' TRUNCATE FORMAT TSV"),
        (
            "SELECT format FROM t SETTINGS a = 1 FORMAT CSV SETTINGS b = 2",
            "SELECT format FROM t SETTINGS a = 1 \nINTO OUTFILE 'p' TRUNCATE FORMAT CSV SETTINGS b = 2",
        ),
        (
            "(SELECT 1) UNION ALL (SELECT 2)",
            "(SELECT 1) UNION ALL (SELECT 2)\nINTO OUTFILE 'p' TRUNCATE FORMAT TSV",
        ),
        (
            "SELECT 1 AS format ORDER BY format DESC",
            "SELECT 1 AS format ORDER BY format DESC\nINTO OUTFILE 'p' TRUNCATE FORMAT TSV",
        ),
        (
            "SELECT 1 AS insert, 2 AS format ORDER BY format DESC SETTINGS a = 1",
            "SELECT 1 AS insert, 2 AS format ORDER BY format DESC SETTINGS a = 1\nINTO OUTFILE 'p' TRUNCATE FORMAT TSV",
        ),
        (
            "FROM format f SELECT format x",
            "FROM format f SELECT format x\nINTO OUTFILE 'p' TRUNCATE FORMAT TSV",
        ),
        ("EXPLAIN SELECT 1 FORMAT JSON", "EXPLAIN SELECT 1 \nINTO OUTFILE 'p' TRUNCATE FORMAT JSON"),
        ("EXPLAIN AST SELECT 1", None),
        ("WITH 1 AS a INSERT INTO t SELECT a", None),
        ("SHOW TABLES", None),
    ],
)
def test_what_reads_writes_its_answer_to_a_path(sql: str, written: str | None) -> None:
    """Before its format, which is the default one where it names none."""
    got = answering_into(sql.encode(), "p", "TSV")
    assert (got.decode() if got else got) == written
