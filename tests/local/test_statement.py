"""Reading statements as far as HTTP must."""

from __future__ import annotations

import pytest

from hindcast.local.clickhouse_door.query_ids import find_by_chosen_id
from hindcast.local.clickhouse_door.statement import (
    is_one_statement,
    output_format,
    split_insert,
    writes_a_file,
)


@pytest.mark.parametrize(
    ("text", "head", "tail", "data_format", "data"),
    [
        (b"INSERT INTO t FORMAT TSV\n1\t2\n", "INSERT INTO t ", "", "TSV", b"1\t2\n"),
        (b'insert into `a b`.t (x, y) format JSONEachRow {"x":1}', "insert into `a b`.t (x, y) ", "", "JSONEachRow", b'{"x":1}'),
        (b"INSERT INTO t SETTINGS async_insert=0 FORMAT Arrow\r\n\x00\xff", "INSERT INTO t ", "SETTINGS async_insert=0 ", "Arrow", b"\x00\xff"),
        (b"/* FORMAT no */ INSERT INTO t -- FORMAT no\n (`format`) FORMAT CSV\n\n1", "/* FORMAT no */ INSERT INTO t -- FORMAT no\n (`format`) ", "", "CSV", b"\n1"),
        (b"INSERT INTO t VALUES", "INSERT INTO t ", "", "Values", b""),
        (b"INSERT INTO x.format FORMAT TSV\n1", "INSERT INTO x.format ", "", "TSV", b"1"),
        (b"INSERT INTO TABLE values SETTINGS a = 1 FORMAT TSV\n1", "INSERT INTO TABLE values ", "SETTINGS a = 1 ", "TSV", b"1"),
        (b"INSERT INTO settings (a) VALUES", "INSERT INTO settings (a) ", "", "Values", b""),
        (b"INSERT INTO FUNCTION remote('x', 'FORMAT y') FORMAT Native\nN", "INSERT INTO FUNCTION remote('x', 'FORMAT y') ", "", "Native", b"N"),
    ],
)  # fmt: skip
def test_an_insert_is_split_before_its_data(
    text: bytes, head: str, tail: str, data_format: str, data: bytes
) -> None:
    """The data begin after the format's name and one line break, wherever quotes and comments try to hide it."""
    insert = split_insert(text)
    assert insert is not None
    assert (insert.head, insert.tail, insert.data_format) == (head, tail, data_format)
    assert text[insert.data_at :] == data


@pytest.mark.parametrize(
    "text",
    [
        b"SELECT 1 FORMAT TSV",
        b"INSERT INTO t SELECT * FROM s FORMAT TSV",
        b"INSERT INTO t VALUES (1, 'FORMAT CSV')",
        b"INSERT INTO t FROM INFILE 'x' FORMAT CSV",
        b"",
        b"INSERT INTO t FORMAT",
        "INSERT INTO t FORMAT \u20ac".encode(),
    ],
)
def test_statements_that_carry_everything_are_left_alone(text: bytes) -> None:
    """Only an INSERT whose data stand behind it is split."""
    assert split_insert(text) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"SELECT 1", "TabSeparated"),
        (b"SELECT 1 FORMAT JSON", "JSON"),
        (b"SELECT 1 format Native;", "Native"),
        (b"SELECT 'FORMAT JSON' -- FORMAT CSV", "TabSeparated"),
        (b"SELECT * FROM (SELECT 1 AS format) FORMAT TSV SETTINGS max_threads = 1", "TSV"),
        (b"SELECT 1 AS format ORDER BY format DESC", "TabSeparated"),
        (b"SELECT format FROM t WHERE not format LIMIT 1", "TabSeparated"),
        (b"SELECT t.format f FROM t", "TabSeparated"),
        (b"SELECT 1. FORMAT CSV", "CSV"),
        (b"SELECT * FORMAT CSV", "CSV"),
        (b"SELECT a FROM t GROUP BY ALL FORMAT CSV", "CSV"),
        (b"SELECT 1 AS offset, 2 AS from FORMAT CSV", "CSV"),
        (b"SELECT CASE WHEN a THEN b ELSE c END FORMAT CSV", "CSV"),
        (b"INSERT INTO x.values SELECT 1 FORMAT CSV", "CSV"),
    ],
)
def test_the_answers_format_is_the_statements(text: bytes, expected: str) -> None:
    """A FORMAT in the statement wins over the request's default; one in a string or comment is none."""
    assert output_format(text, "TabSeparated") == expected


@pytest.mark.parametrize(
    ("text", "does"),
    [
        (b"SELECT 1 INTO OUTFILE '/tmp/x'", True),
        (b"SELECT 1 into/**/OUTFILE '/tmp/x'", True),
        (b"INSERT INTO t FROM INFILE '/etc/passwd' FORMAT TSV", True),
        (b"INSERT INTO values FROM INFILE '/etc/passwd' FORMAT TSV", True),
        (b"SELECT 'INTO OUTFILE'", False),
        (b"INSERT INTO t VALUES ('a'), (into, outfile)", False),
    ],
)
def test_files_of_the_machine_are_noticed(text: bytes, does: bool) -> None:
    """INTO OUTFILE and FROM INFILE are found as words, not inside strings."""
    assert writes_a_file(text) is does


@pytest.mark.parametrize(
    ("text", "one"),
    [
        (b"SELECT 1", True),
        (b"SELECT ';' ; -- the end", True),
        (b"SELECT 1; SELECT 2", False),
        (b"INSERT INTO t VALUES (1); DROP TABLE t", False),
    ],
)
def test_a_second_statement_is_noticed(text: bytes, one: bool) -> None:
    """Behind a semicolon that is no string's or comment's, after any kind of statement."""
    assert is_one_statement(text) is one


def test_a_chosen_query_id_is_looked_for_where_it_travels() -> None:
    """KILL QUERY and queries of system.processes are rewritten; strings and other statements are not."""
    killed = find_by_chosen_id("KILL QUERY WHERE query_id = 'query_id' SYNC")
    assert killed == "KILL QUERY WHERE Settings['log_comment'] = 'query_id' SYNC"
    assert "log_comment" in find_by_chosen_id("SELECT count() FROM system.processes WHERE query_id = 'a'")
    assert find_by_chosen_id("SELECT query_id FROM t") == "SELECT query_id FROM t"
    others = "FROM System . Processes SELECT 1 WHERE query NOT LIKE '%system.processes%' -- system.processes"
    found = find_by_chosen_id(others)
    assert found.count("log_comment") == find_by_chosen_id("SELECT 1 FROM system.processes").count(
        "log_comment"
    )
    assert found.endswith(" SELECT 1 WHERE query NOT LIKE '%system.processes%' -- system.processes")
