"""The commands `hindcast query` and `hindcast sql`, as a shell runs them."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest
from known_history import MODEL, KnownHistory
from recorded_rows import Recorder

from evaluation.queries import shipped_queries
from hindcast.cli.answers import json_value, write_answer
from hindcast.cli.ask import settings
from producers.errors import ConfigError
from stream_processors.clickhouse import reason

EQUAL_NAMES = pa.Table.from_arrays([pa.array([n]) for n in (1, 2, 3)], names=["n", "n", "b"])
Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def run(recorded: Recorder) -> Run:
    """Runs a command line of `hindcast` against the known history."""
    environment = {
        **os.environ,
        "HINDCAST_CLICKHOUSE": recorded.store.settings.url,
        "HINDCAST_DATABASE": recorded.store.database,
    }

    def command(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "hindcast", *arguments],
            env=environment,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return command


def refused(done: subprocess.CompletedProcess[str], said: str, code: int) -> None:
    """One line on stderr, nothing on stdout, this exit code."""
    assert (done.returncode, done.stdout) == (code, "")
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


def test_without_a_name_the_questions_are_listed(run: Run) -> None:
    """Every query and what it asks, also for programs."""
    listed = run("query")
    assert all(
        name in listed.stdout and one.question in listed.stdout for name, one in shipped_queries().items()
    )
    assert [row["name"] for row in json.loads(run("query", "--json").stdout)] == list(shipped_queries())


def test_a_query_describes_itself(run: Run) -> None:
    """`query NAME --help` tells question, parameters, columns and an example; `query --help` the command."""
    told = run("query", "quality_as_known", "--help").stdout
    for part in (
        "as it was known at a moment?",
        "t (DateTime64(6, 'UTC'); required)",
        "roc_auc: area",
        "Example: hindcast query",
    ):
        assert part in told
    assert "traffic (String; default served; one of served, shadow, all)" in told
    assert "bits (UInt8; default 3; 0 to 20)" in run("query", "feature_histogram", "--help").stdout
    assert "--format" in run("query", "--help").stdout


def test_one_answer_in_four_forms(run: Run, known: KnownHistory) -> None:
    """Table, CSV, JSON and JSON lines hold the same rows."""
    asked = ("query", "volume", "--param", f"model={MODEL}", "--param", "every=month")
    rows = json.loads(run(*asked, "--json").stdout)
    assert sum(row["predictions"] for row in rows) == known.predictions.served.sum()
    assert rows[0]["window"] == "2013-02-01T00:00:00Z"
    assert [json.loads(line) for line in run(*asked, "--format", "jsonl").stdout.splitlines()] == rows
    table = list(csv.DictReader(io.StringIO(run(*asked, "--format", "csv").stdout)))
    assert [(row["window"], row["role"], row["predictions"], row["served"]) for row in table] == [
        (row["window"], row["role"], str(row["predictions"]), "true") for row in rows
    ]
    lines = run(*asked).stdout.splitlines()
    assert len(lines) == len(rows) + 1
    assert lines[0].split()[:3] == ["window", "model_version", "role"]
    assert lines[1].split()[:3] == ["2013-02-01", "1", "champion"]


def test_an_answer_without_rows_says_what_is_not_recorded(run: Run) -> None:
    """A mistyped model or environment is told on stderr; a known one of which there is nothing to tell is not."""
    for given, said in {
        "model=m\nx": "hindcast: no prediction of model m\\nx is recorded\n",
        f"model={MODEL}": f"hindcast: model {MODEL} is recorded in production, staging, not in nowhere\n",
    }.items():
        done = run("query", "volume", "--param", given, "--param", "environment=nowhere", "--json")
        assert (done.returncode, json.loads(done.stdout), done.stderr) == (0, [], said)
    later = run("query", "volume", "--param", f"model={MODEL}", "--param", "since=2100-01-01", "--json")
    assert (later.returncode, json.loads(later.stdout), later.stderr) == (0, [], "")


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("feature_histogram column=nosuch", f"no sketch of column nosuch of model {MODEL} is recorded in production"),
        ("calibration model_version=9", f"no prediction of version 9 of model {MODEL} is recorded in production"),
        (
            "champion_against_challenger champion=1 challenger=9",
            f"no prediction of version 9 of model {MODEL} is recorded in production",
        ),
        (
            "volume since=2013-03-01 until=2013-02-01",
            "no moment is from since=2013-03-01 00:00:00.000000 to before until=2013-02-01 00:00:00.000000",
        ),
        (
            "segment_quality segment=carier value=B6",
            f"no segment carier of model {MODEL} is recorded in production: there are carrier, origin, region",
        ),
        (
            "segment_quality segment=carrier value=ZZ",
            f"no segment carrier=ZZ of model {MODEL} is recorded in production: there are AA, B6, UA",
        ),
        (
            "worst_segments by=carier",
            f"no segment carier of model {MODEL} is recorded in production: there are carrier, origin, region",
        ),
        (
            "feature_histogram column=distance slice=origin=XXX",
            f"no slice origin=XXX of model {MODEL} is recorded in production",
        ),
        ("segment_quality segment=carrier value=B6 since=2100-01-01", ""),
        ("segment_quality segment=region value=east since=2100-01-01", ""),
        ("worst_segments by=carrier minimum=1000000", ""),
        ("feature_histogram column=distance since=2100-01-01", ""),
        ("calibration model_version=1 since=2100-01-01", ""),
    ],
)  # fmt: skip
def test_an_answer_without_rows_says_which_part_is_not_recorded(run: Run, asked: str, said: str) -> None:
    """A column, version, slice, segment or period that cannot have rows is told on stderr, and one that can is not."""
    name, *pairs = asked.split()
    given = [word for pair in (f"model={MODEL}", *pairs) for word in ("--param", pair)]
    done = run("query", name, *given, "--json")
    assert (done.returncode, json.loads(done.stdout), done.stderr) == (0, [], said and f"hindcast: {said}\n")


def test_a_picture_of_what_is_not_recorded_says_so(run: Run) -> None:
    """It is the reason why nothing is drawn, in one line."""
    refused(
        run("query", "volume", "-p", "model=m", "--plot"), "nothing to plot: no prediction of model m is", 2
    )


def test_own_sql_from_argument_and_stdin(run: Run) -> None:
    """A statement comes as an argument or on the standard input, with bound parameters."""
    statement = "SELECT {x:String} AS a, count() AS n FROM predictions_v WHERE model = {model:String}"
    given = ("--param", 'x=it\'s = "so"', "--param", f"model={MODEL}", "--format", "jsonl")
    first = json.loads(run("sql", statement, *given).stdout)
    assert first["a"] == 'it\'s = "so"'
    assert first["n"] > 100
    assert json.loads(run("sql", *given, stdin=statement + ";\n").stdout) == first


def test_wrong_use_is_one_line(run: Run) -> None:
    """Whatever is wrong with a question is said in one line, with exit code 2, or 1 where ClickHouse refuses."""
    refused(run("query", "volumes"), "no query 'volumes'; there are", 2)
    refused(run("query", "volume"), "needs --param model=…; it has model, environment", 2)
    refused(run("query", "volume", "-p", "model=m", "-p", "evry=day"), "no parameter evry; it has", 2)
    refused(run("query", "volume", "-p", "model"), "NAME=VALUE", 2)
    refused(run("query", "volume", "-p", "model=a", "-p", "model=b"), "twice", 2)
    period = (
        "since=2013-04-01",
        "until=2013-05-01",
        "reference_since=2013-04-01",
        "reference_until=2013-03-01",
    )
    given = [word for pair in (f"model={MODEL}", *period) for word in ("-p", pair)]
    refused(run("query", "new_categories", *given), "must be before 2013-03-01", 2)
    refused(run("query", "feature_change", *given), "must be before 2013-03-01", 2)
    refused(run("sql", "DROP TABLE predictions"), "only statements that read", 2)
    refused(run("sql"), "no statement", 2)
    refused(
        run("sql", "SELECT {a:UInt8}", "-p", "a=300"), "a wants a whole number from 0 to 255, not '300'", 2
    )
    refused(run("query", "--json", "--format", "csv"), "leave it out, or --format csv", 2)
    refused(run("sql", "SELECT nothing FROM predictions_v"), "nothing", 1)
    refused(run("sql", "SELECT 1 SETTINGS readonly = 0"), "readonly", 1)


def test_nobody_there_is_one_line() -> None:
    """An address at which nothing answers: one line, exit code 3."""
    environment = {**os.environ, "HINDCAST_CLICKHOUSE": "http://127.0.0.1:1"}
    done = subprocess.run(
        [sys.executable, "-m", "hindcast", "query", "volume", "-p", "model=m"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    refused(done, "ClickHouse does not answer at 127.0.0.1:1", 3)


def test_a_reader_that_goes_is_no_complaint(recorded: Recorder) -> None:
    """`hindcast sql … | head -1` prints its line and nothing on stderr."""
    environment = {
        **os.environ,
        "HINDCAST_CLICKHOUSE": recorded.store.settings.url,
        "HINDCAST_DATABASE": recorded.store.database,
    }
    line = f"{sys.executable} -m hindcast sql 'SELECT number FROM numbers(200000)' --format csv | head -1"
    done = subprocess.run(
        line, shell=True, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.stdout, done.stderr) == ("number\n", "")


def test_values_are_written_for_programs() -> None:
    """Times are ISO 8601 with Z, maps are objects, what JSON has no number for is a word: null is another answer."""
    moment = datetime(2024, 1, 2, 3, 4, 5, 6, tzinfo=UTC)
    assert json_value(moment) == "2024-01-02T03:04:05.000006Z"
    unlike_numbers = [float("nan"), float("inf"), float("-inf"), None, 1.5]
    assert json_value({"a": [("k", float("nan")), ("l", None)], "b": unlike_numbers, "c": []}) == {
        "a": {"k": "NaN", "l": None},
        "b": ["NaN", "Infinity", "-Infinity", None, 1.5],
        "c": [],
    }
    out = io.StringIO()
    write_answer(pa.table({"x": unlike_numbers}), "csv", out)
    assert out.getvalue().split() == ["x", "NaN", "Infinity", "-Infinity", '""', "1.5"]


def test_a_map_is_an_object_though_it_is_empty() -> None:
    """In every form and row alike; one that is not there is null."""
    maps = pa.array([[("k", 1.0)], [], None], pa.map_(pa.string(), pa.float64()))
    found = {}
    for form in ("jsonl", "csv", "table"):
        out = io.StringIO()
        write_answer(pa.table({"m": maps}), form, out)
        found[form] = out.getvalue().split("\n")[:-1]
    assert found["jsonl"] == ['{"m": {"k": 1.0}}', '{"m": {}}', '{"m": null}']
    assert found["csv"] == ["m", '"{""k"": 1.0}"', "{}", '""']
    assert [line.strip() for line in found["table"]] == ["m", '{"k": 1.0}', "{}", "-"]


def drawn(rows: list[dict[str, Any]]) -> str:
    """The plain table of some rows."""
    out = io.StringIO()
    write_answer(pa.Table.from_pylist(rows), "table", out)
    return out.getvalue()


def test_numbers_and_times_are_readable() -> None:
    """Four digits, whole numbers whole, midnights as dates, nothing as a dash, and no control characters."""
    text = drawn(
        [
            {
                "share": 0.123456,
                "n": 302213,
                "big": 1234567.8,
                "whole": 2.0,
                "day": datetime(2024, 1, 2, tzinfo=UTC),
                "word": "a\n\x1b[1m",
            },
            {
                "share": None,
                "n": 1,
                "big": 2e20,
                "whole": 3.0,
                "day": datetime(2024, 1, 3, tzinfo=UTC),
                "word": "[red]b",
            },
        ]
    )
    assert [line.split() for line in text.splitlines()] == [
        ["share", "n", "big", "whole", "day", "word"],
        ["0.1235", "302213", "1234567.8", "2", "2024-01-02", "a\\n\\x1b[1m"],
        ["-", "1", "2e+20", "3", "2024-01-03", "[red]b"],
    ]


@pytest.mark.parametrize("form", ["csv", "table"])
def test_columns_of_one_name_are_all_written(form: str) -> None:
    """A row of CSV has as many cells as the head."""
    out = io.StringIO()
    write_answer(EQUAL_NAMES, form, out)
    assert out.getvalue().replace("  ", ",") == "n,n,b\n1,2,3\n"


@pytest.mark.parametrize("form", ["json", "jsonl"])
def test_columns_of_one_name_are_no_object(form: str) -> None:
    """Nothing is dropped: one line says what to do, and nothing is written."""
    out = io.StringIO()
    with pytest.raises(ConfigError, match="2 columns are named 'n': name them apart with AS"):
        write_answer(EQUAL_NAMES, form, out)
    assert out.getvalue() == ""


class Terminal(io.StringIO):
    """A place to write that says it is a terminal."""

    def isatty(self) -> bool:
        """It is."""
        return True


def test_a_terminal_gets_a_drawn_table() -> None:
    """On a terminal a table is drawn, with the number of rows below; markup in values stays text."""
    out = Terminal()
    write_answer(pa.Table.from_pylist([{"word": "[red]b[/red]"}]), "table", out)
    assert "[red]b[/red]" in out.getvalue()
    assert "1 row" in out.getvalue()


def test_an_empty_answer_has_its_columns() -> None:
    """No rows are an empty list, or a head without rows."""
    empty = pa.table({"n": pa.array([], pa.int64())})
    forms = {}
    for form in ("table", "csv", "json", "jsonl"):
        out = io.StringIO()
        write_answer(empty, form, out)
        forms[form] = out.getvalue()
    assert forms == {"table": "n\n", "csv": "n\n", "json": "[]\n", "jsonl": ""}


def test_reason_of_a_refusal() -> None:
    """ClickHouse's words alone, in one line."""
    message = (
        "Received ClickHouse exception, code: 47, server response: Code: 47. DB::Exception: Unknown expression identifier `x`"
        " in scope SELECT\n1. In scope WITH long AS (SELECT 1) SELECT x. (UNKNOWN_IDENTIFIER) (version 26.9) (for url http://h:1)"
    )
    assert reason(message) == "Unknown expression identifier `x` in scope SELECT 1 (UNKNOWN_IDENTIFIER)"


def test_the_environment_says_where_to_ask() -> None:
    """HINDCAST_CLICKHOUSE and HINDCAST_DATABASE are taken as they are."""
    found = settings({"HINDCAST_CLICKHOUSE": "http://h:1", "HINDCAST_DATABASE": "d"})
    assert (found.url, found.database) == ("http://h:1", "d")
