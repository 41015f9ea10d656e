"""Values that Arrow's types do not tell: texts that are none, wide whole numbers, addresses."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from evaluation.history import History
from hindcast.cli.answers import write_answer
from hindcast.cli.outputs import Output
from hindcast.cli.plots import draw, picture

NO_TEXT = """
SELECT unhex('ff00') AS a, [unhex('ff61')] AS l, map(unhex('ff'), 'é') AS m, [('h', unhex('fe'))] AS h, 'é' AS t
UNION ALL SELECT 'b', [], map(), [], 'u'"""
ROWS = [
    {"a": b"\xff\x00", "l": [b"\xffa"], "m": [(b"\xff", "é".encode())], "h": [{"1": b"h", "2": b"\xfe"}], "t": "é"},
    {"a": b"b", "l": [], "m": [], "h": [], "t": "u"},
]  # fmt: skip


def by_first_length(rows: list[dict[str, object]]) -> list[dict[str, object]]:
    """The rows in the order of `ROWS`: a union has none."""
    return sorted(rows, key=lambda row: len(row["a"]), reverse=True)  # type: ignore[arg-type]


def written(history: History, statement: str, form: str) -> str:
    """An answer in one form."""
    out = io.StringIO()
    write_answer(history.sql(statement), form, out)
    return out.getvalue()


def test_what_is_no_text_comes_as_bytes(history: History, tmp_path: Path) -> None:
    """A column with anything but UTF-8 is a column of bytes, at any depth, in Python and in Parquet; others stay text."""
    answer = history.sql(NO_TEXT)
    assert by_first_length(answer.to_pylist()) == ROWS
    file = tmp_path / "a.parquet"
    Output.from_options(None, str(file), None, "", as_json=False).write(answer)
    assert by_first_length(pq.read_table(file).to_pylist()) == ROWS
    assert set(history.sql(NO_TEXT, as_="pandas")["a"]) == {b"\xff\x00", b"b"}
    assert set(history.sql(NO_TEXT, as_="polars")["a"]) == {b"\xff\x00", b"b"}


def test_what_is_no_text_can_be_read(history: History) -> None:
    r"""Table, CSV and JSON write \xff for a byte that is no UTF-8, and what is UTF-8 as it is."""
    (first, _) = by_first_length(
        [json.loads(line) for line in written(history, NO_TEXT, "jsonl").splitlines()]
    )
    assert first == {
        "a": "\\xff\x00",
        "l": ["\\xffa"],
        "m": {"\\xff": "é"},
        "h": [{"1": "h", "2": "\\xfe"}],
        "t": "é",
    }
    one = "SELECT unhex('ff61') AS a, map(unhex('ff'), 'é') AS m"
    assert written(history, one, "csv") == 'a,m\n\\xffa,"{""\\\\xff"": ""é""}"\n'
    assert written(history, one, "table").splitlines()[1].split() == ["\\xffa", '{"\\\\xff":', '"é"}']
    out = io.StringIO()
    draw(picture(history.sql("SELECT unhex('ff61') AS a, 1 AS n"), {"x": "a", "y": "n"}), out, width=80)
    assert out.getvalue().splitlines()[1].startswith("\\xffa  █")


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("toUInt128(5)", "5"),
        ("toInt128(-5)", "-5"),
        ("toInt256('-170141183460469231731687303715884105729')", "-170141183460469231731687303715884105729"),
        ("toUInt256(toUInt64(18446744073709551615)) * 4", "73786976294838206460"),
        ("toIPv6('2001:db8::1')", "2001:db8::1"),
        ("toNullable(toIPv6('::1'))", "::1"),
        ("CAST(NULL, 'Nullable(UInt128)')", None),
        ("toIPv4('10.0.0.255')", "10.0.0.255"),
        ("CAST(-2, 'Enum8(\\'a, (b) \\\\\\\\ \\\\\\'c = 1\\' = -2, \\'d\\' = 1)')", "a, (b) \\ 'c = 1"),
        ("CAST('x', 'Nullable(Enum16(\\'x\\' = 1000))')", "x"),
        ("toUInt32(7)", 7),
        ("toInt8(-7)", -7),
    ],
)
def test_values_are_what_clickhouse_writes_for_them(history: History, value: str, shown: object) -> None:
    """Whole numbers beyond 64 bits, addresses and words of an enumeration; numbers of the types that these are stored as stay numbers."""
    assert history.sql(f"WITH 1 AS one SELECT one, {value} AS v").column("v").to_pylist() == [shown]


def test_a_datetime_is_a_time(history: History) -> None:
    """As `toStartOfHour` makes one of every time; also of another zone, and where there is none."""
    noon = datetime(2026, 5, 1, 12, tzinfo=UTC)
    (row,) = history.sql(
        "SELECT toStartOfHour(toDateTime64('2026-05-01 12:30:00', 6, 'UTC')) AS a, toDateTime('2026-05-01 21:00:00', 'Asia/Tokyo') AS b,"
        " CAST(NULL, 'Nullable(DateTime)') AS c"
    ).to_pylist()
    assert row == {"a": noon, "b": noon, "c": None}
    hours = "SELECT toStartOfHour(toDateTime64('2026-05-01 12:30:00', 6, 'UTC')) AS hour"
    assert written(history, hours, "csv") == "hour\n2026-05-01T12:00:00Z\n"
    assert str(history.sql(hours, as_="pandas")["hour"][0]) == "2026-05-01 12:00:00+00:00"
    assert history.sql(hours, as_="polars")["hour"][0] == noon


def test_what_is_no_table_comes_as_it_is(history: History) -> None:
    """Statements that DESCRIBE does not take."""
    assert history.sql("EXPLAIN SELECT 1").num_rows
    assert history.sql("SHOW TABLES LIKE 'labels'").num_rows


def test_bytes_of_that_length_are_no_numbers(history: History) -> None:
    """A fixed string of 16 bytes stays bytes, beside a number of 16 bytes."""
    (row,) = history.sql(
        "SELECT toFixedString('abc', 16) AS f, {n:UInt128} AS n", {"n": str(2**127)}
    ).to_pylist()
    assert row == {"f": b"abc".ljust(16, b"\0"), "n": str(2**127)}
