"""The header of a named query is its promise: parsed, bound, and kept by its answer."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import numpy as np
import pytest
from example_outputs import example_output, with_output

from evaluation.history import History
from evaluation.queries import Parameter, find_query, parse_query, shipped_queries
from producers.errors import ConfigError

NOW = datetime(2024, 5, 6, 7, 8, 9, 123456, tzinfo=UTC)
QUERIES = shipped_queries()

TEXT = """-- question: How many?
-- Counted with care.
-- parameters:
--   model String: model name
--   at DateTime64(6, 'UTC') = now: moment, UTC
--   note String = 'a: [b]': with signs
--   kind String = '' [, x, y]: one or all
--   most UInt32 = 7: rows
--   bits UInt8 = 3 [1 to 8]: bits
-- columns:
--   n: count
-- whole:
--   t: it is small
-- example: model=m most=3
-- plot: x=a y=n
-- output:
--      n
--   1234
SELECT count() AS n FROM t WHERE m = {model:String};
"""


def test_header_is_parsed() -> None:
    """Question, explanation, parameters with defaults and choices, columns, example and SQL."""
    query = parse_query("q", TEXT)
    assert (query.question, query.explanation) == ("How many?", "Counted with care.")
    assert [(one.name, one.type, one.default, one.choices) for one in query.parameters] == [
        ("model", "String", None, ()),
        ("at", "DateTime64(6, 'UTC')", "now", ()),
        ("note", "String", "a: [b]", ()),
        ("kind", "String", "", ("", "x", "y")),
        ("most", "UInt32", "7", ()),
        ("bits", "UInt8", "3", ()),
    ]
    assert [one.between for one in query.parameters] == [None] * 5 + [(1, 8)]
    assert [(one.name, one.meaning) for one in query.columns] == [("n", "count")]
    assert [(one.name, one.meaning) for one in query.whole] == [("t", "it is small")]
    assert query.example == {"model": "m", "most": "3"}
    assert query.plot == {"x": "a", "y": "n"}
    assert query.output == "   n\n1234"
    assert query.text == "SELECT count() AS n FROM t WHERE m = {model:String}"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("SELECT 1", "lacks question"),
        ("-- something\nSELECT 1", "line 1"),
        (
            "-- question: a\n-- parameters:\n--   model\n-- columns:\n--   n: count\nSELECT 1",
            "not a header line: model",
        ),
    ],
)
def test_a_wrong_header_is_one_clear_line(text: str, said: str) -> None:
    """A header that is not one names file and place."""
    with pytest.raises(ConfigError, match=said):
        parse_query("q", text)


def test_bound_values() -> None:
    """Defaults are filled in, `now` is the moment of asking, and what is given replaces a default."""
    assert parse_query("q", TEXT).bind({"model": "it's", "most": "9"}, NOW) == {
        "model": "it's",
        "at": "2024-05-06 07:08:09.123456",
        "note": "a: [b]",
        "kind": "",
        "most": "9",
        "bits": "3",
    }


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "needs --param model=…; it has model, at .else now., note"),
        ({"model": "m", "modle": "m"}, "no parameter modle; it has model, at"),
        ({"model": "m", "kind": "z"}, "kind is one of empty, x, y, not 'z'"),
        ({"model": "m", "most": "-1"}, "most wants a whole number from 0 to 4294967295, not '-1'"),
        ({"model": "m", "most": "many"}, "most wants a whole number from 0 to 4294967295, not 'many'"),
        (
            {"model": "m", "most": 2**32 + 1},
            "most wants a whole number from 0 to 4294967295, not '4294967297'",
        ),
        ({"model": "m", "bits": 9}, "bits wants a whole number from 1 to 8, not '9'"),
        ({"model": "m", "at": "soon"}, "at wants a time such as"),
        ({"model": "\ud800"}, "half of a surrogate"),
    ],
)
def test_wrong_parameters_are_one_clear_line(given: dict[str, str], said: str) -> None:
    """Missing, unknown and mistyped parameters are named, beside those that there are."""
    with pytest.raises(ConfigError, match=said) as raised:
        parse_query("q", TEXT).bind(given, NOW)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("kind", "given", "bound"),
    [
        ("DateTime64(6, 'UTC')", "2024-01-02", "2024-01-02 00:00:00.000000"),
        ("DateTime64(6, 'UTC')", "2024-01-02T03:04:05Z", "2024-01-02 03:04:05.000000"),
        ("DateTime64(6, 'UTC')", "2024-01-02T03:04:05+02:00", "2024-01-02 01:04:05.000000"),
        (
            "DateTime64(6, 'UTC')",
            datetime(2024, 1, 1, 23, tzinfo=timezone(timedelta(hours=-2))),
            "2024-01-02 01:00:00.000000",
        ),
        ("Int64", "-3", "-3"),
        ("Float64", "1e3", "1000.0"),
        ("Bool", "Yes", "true"),
        ("Bool", False, "false"),
        ("String", "'; DROP", "'; DROP"),
    ],
)
def test_each_type_is_written_as_clickhouse_reads_it(kind: str, given: object, bound: str) -> None:
    """Times become UTC, numbers and truth values their plain form, text stays as it is."""
    assert Parameter("p", kind, None, (), "").bound(given, NOW) == bound


@pytest.mark.parametrize(
    "given",
    [
        "0001-01-01T00:00+05:00",
        "9999-12-31T23:59-05:00",
        datetime.max.replace(tzinfo=timezone(timedelta(hours=-5))),
    ],
)
def test_a_time_that_utc_has_not_is_refused(history: History, given: object) -> None:
    """The calendar's ends are taken, and what an offset puts beyond them is refused."""
    with pytest.raises(ConfigError, match="parameter until wants a time of the years 1 to 9999 in UTC, not"):
        history.query("volume", model="m", until=given)
    assert history.query("volume", model="m", since="0001-01-01", until="9999-12-31T23:59:59").num_rows == 0


@pytest.mark.parametrize(("kind", "given"), [("Float64", "nan"), ("Bool", "maybe"), ("UInt8", "1.5")])
def test_what_is_no_value_is_refused(kind: str, given: str) -> None:
    """A value that is not of the type never reaches ClickHouse."""
    with pytest.raises(ConfigError, match="parameter p wants"):
        Parameter("p", kind, None, (), "").bound(given, NOW)


@pytest.mark.parametrize(
    ("kind", "least", "greatest"),
    [
        ("UInt8", 0, 255),
        ("UInt16", 0, 65535),
        ("UInt32", 0, 4294967295),
        ("UInt64", 0, 18446744073709551615),
        ("Int8", -128, 127),
        ("Int64", -9223372036854775808, 9223372036854775807),
    ],
)
def test_a_whole_number_beyond_its_type_is_refused(
    history: History, kind: str, least: int, greatest: int
) -> None:
    """ClickHouse would take it modulo the type's size: the ends pass and arrive, what is beyond is refused with the range."""
    one = Parameter("p", kind, None, (), "")
    for end in (least, greatest):
        found = history.sql(f"SELECT {{p:{kind}}} AS p", {"p": one.bound(end, NOW)})
        assert found.to_pylist() == [{"p": end}]
    for beyond in (least - 1, greatest + 1):
        with pytest.raises(ConfigError, match=f"p wants a whole number from {least} to {greatest}, not"):
            one.bound(str(beyond), NOW)


@pytest.mark.parametrize("bits", [0, 20])
def test_bits_have_the_range_of_sketches(history: History, bits: int) -> None:
    """Every number of bits that a sketch may have is taken, no other."""
    query = QUERIES["feature_histogram"]
    assert history.query(query.name, **query.example, bits=bits).num_rows > 0
    with pytest.raises(ConfigError, match="parameter bits wants a whole number from 0 to 20, not '60'"):
        history.query(query.name, **query.example, bits=60)


@pytest.mark.parametrize(
    ("given", "said"),
    [(None, "None"), (b"m", "a bytes"), (["m"], "a list"), (("m",), "a tuple"), ({"m": 1}, "a dict")],
)
def test_what_is_no_single_value_is_refused(history: History, given: object, said: str) -> None:
    """None is no model of that name, and a list is not asked for as a text."""
    with pytest.raises(ConfigError, match=f"parameter model wants a text, not {said}$"):
        history.query("volume", model=given)


def test_numbers_and_dates_of_any_library_are_values() -> None:
    """A whole number of numpy's, a date, a version given as a number."""
    for kind, given, bound in (
        ("UInt32", np.int64(7), "7"),
        ("String", 2, "2"),
        ("Float64", np.float32(0.5), "0.5"),
        ("DateTime64(6, 'UTC')", date(2024, 1, 2), "2024-01-02 00:00:00.000000"),
        ("DateTime64(6, 'UTC')", np.datetime64("2024-01-02T03"), "2024-01-02 03:00:00.000000"),
    ):
        assert Parameter("p", kind, None, (), "").bound(given, NOW) == bound


def test_an_unknown_query_names_those_that_there_are() -> None:
    """A misspelt name is answered by the names."""
    with pytest.raises(ConfigError, match="no query 'volumes'; there are accounting, alerts_fired"):
        find_query("volumes")


def test_about_thirty_questions_are_shipped() -> None:
    """The questions of the design have an answer each."""
    asked = {
        "drift_by_feature",
        "quality_by_version_and_month",
        "label_lag",
        "live_when",
        "entity_history",
        "worst_segments",
        "quality_as_known",
        "unlabelled_share",
        "dead_letters_by_reason",
        "accounting",
    }
    assert asked <= set(QUERIES)
    assert len(QUERIES) >= 30


@pytest.mark.parametrize("name", QUERIES)
def test_each_query_keeps_its_promise(history: History, name: str) -> None:
    """A query's example runs, and its answer has the columns of the header, in that order."""
    query = QUERIES[name]
    answer = history.query(name, **query.example)
    assert answer.column_names == [column.name for column in query.columns]
    assert query.question.endswith("?")


@pytest.mark.parametrize("name", QUERIES)
def test_each_query_shows_its_output(history: History, name: str) -> None:
    """The output in a query's header is what its example gives over the known history, and there is one."""
    shown = QUERIES[name].output
    assert shown.count("\n") >= 1
    assert shown == example_output(history, name)


def test_a_header_takes_another_output() -> None:
    """What is written into a header is read back, and replaces what stood there."""
    for output in ("  n\n 12", "   n\n1234"):
        assert parse_query("q", with_output(TEXT, output)).output == output
    assert with_output(TEXT, "   n\n1234") == TEXT


@pytest.mark.parametrize("name", QUERIES)
def test_each_parameter_is_used(name: str) -> None:
    """The header's parameters are those of the text, with the same types."""
    query = QUERIES[name]
    for one in query.parameters:
        assert f"{{{one.name}:{one.type}}}" in query.text
