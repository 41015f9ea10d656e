"""Where answers of `hindcast query` go: files, Parquet, pictures; and what the shell proposes."""

from __future__ import annotations

import errno
import io
import os
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from known_history import MODEL
from recorded_rows import Recorder

from evaluation.history import History
from evaluation.queries import shipped_queries
from hindcast.cli.answers import write_answer
from hindcast.cli.outputs import Output
from hindcast.cli.plots import MOST_LINES, Picture, draw, draw_file, picture
from producers.errors import ConfigError

TABLE = pa.table(
    {
        "day": [datetime(2024, 1, day, tzinfo=UTC) for day in (1, 2, 3)] * 2,
        "version": ["1"] * 3 + ["2"] * 3,
        "share": [0.1, None, 0.3, 0.5, 0.6, float("nan")],
    }
)
AXES = {"x": "day", "y": "share", "by": "version"}


def hindcast(*arguments: str, **variables: str) -> subprocess.CompletedProcess[bytes]:
    """Run a command line of `hindcast`."""
    return subprocess.run(
        [sys.executable, "-m", "hindcast", *arguments],
        env={**os.environ, **variables},
        capture_output=True,
        timeout=120,
        check=False,
    )


def output(**options: Any) -> Output:
    """What these options say."""
    usual = {"form": None, "file": None, "plot": None, "axes": "", "as_json": False}
    return Output.from_options(**{**usual, **options})


def test_parquet_by_a_pipe_and_a_picture(recorded: Recorder, history: History, tmp_path: Path) -> None:
    """As a shell runs them: Parquet into a pipe is the answer itself, and a picture is drawn into the terminal."""
    variables = {
        "HINDCAST_CLICKHOUSE": recorded.store.settings.url,
        "HINDCAST_DATABASE": recorded.store.database,
    }
    asked = ("query", "volume", "-p", f"model={MODEL}", "-p", "every=month")
    piped = hindcast(*asked, "--format", "parquet", **variables)
    answer = history.query("volume", model=MODEL, every="month")
    # Parquet knows no whole seconds: types are one finer, values the same
    assert pq.read_table(io.BytesIO(piped.stdout)).to_pylist() == answer.to_pylist()
    drawn = hindcast(*asked, "--plot", **variables)
    assert "predictions" in drawn.stdout.decode()
    assert drawn.stderr == b""


@pytest.mark.parametrize("suffix", ["parquet", "csv", "json", "jsonl", "txt"])
def test_a_file_has_the_form_of_its_name(tmp_path: Path, suffix: str) -> None:
    """The ending gives the form, an unknown one a table; nothing else is left behind, and what was there is replaced."""
    file = tmp_path / f"answer.{suffix}"
    file.write_text("old")
    output(file=str(file)).write(TABLE)
    assert [path.name for path in tmp_path.iterdir()] == [file.name]
    if suffix == "parquet":
        # NaN equals nothing
        assert pq.read_table(file).slice(0, 5).equals(TABLE.slice(0, 5))
    else:
        beginnings = {"csv": "day,version", "json": "[\n {", "jsonl": '{"day"', "txt": "day "}
        assert file.read_text().startswith(beginnings[suffix])
    output(file=str(file), form="csv").write(TABLE)
    assert file.read_text().startswith("day,version")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"plot": "volume"}, "ends in .png, .svg, .pdf, not 'volume'"),
        ({"plot": "-", "form": "csv"}, "leave --format and --output out"),
        ({"axes": "z=a"}, "--axes wants x=COLUMN"),
        ({"axes": "x"}, "--axes wants x=COLUMN"),
    ],
)
def test_options_that_make_no_sense(options: dict[str, str], said: str) -> None:
    """They are refused before anything is asked."""
    with pytest.raises(ConfigError, match=said):
        output(**options)


def test_no_parquet_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bytes are not thrown at a terminal."""
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    with pytest.raises(ConfigError, match="not for a terminal: --output"):
        output(form="parquet")


def test_a_file_that_cannot_be_written(tmp_path: Path) -> None:
    """One line that names it."""
    with pytest.raises(ConfigError, match=r"cannot write .*nosuch.*: No such file"):
        output(file=str(tmp_path / "nosuch" / "a.csv")).write(TABLE)


def test_columns_of_one_name_are_no_parquet(tmp_path: Path) -> None:
    """No file that nobody can read, and no picture of either column."""
    same = pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["n", "n"])
    with pytest.raises(ConfigError, match="2 columns are named 'n': name them apart with AS"):
        output(file=str(tmp_path / "a.parquet")).write(same)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ConfigError, match="several columns are named n: name them apart with AS"):
        picture(same, {"x": "n", "y": "n"})


def test_points_of_a_picture() -> None:
    """A line per value of by, in the order of rows; what is no number is left out."""
    drawn = picture(TABLE, AXES)
    assert {name: [y for _, y in points] for name, points in drawn.lines.items()} == {
        "1": [0.1, 0.3],
        "2": [0.5, 0.6],
    }
    whole = picture(TABLE, {"x": "day", "y": "share"})
    assert [len(points) for points in whole.lines.values()] == [4]


@pytest.mark.parametrize(
    ("axes", "said"),
    [
        ({}, "say what to plot: --axes x=COLUMN,y=COLUMN of day, version, share"),
        ({"x": "day", "y": "nosuch"}, "no column nosuch to plot"),
        ({"x": "day", "y": "version"}, "version cannot be plotted"),
    ],
)
def test_what_cannot_be_drawn(axes: Mapping[str, str], said: str) -> None:
    """It is said in one line which column is wanted or wrong."""
    with pytest.raises(ConfigError, match=said):
        picture(TABLE, axes)


def test_a_picture_of_nothing_and_of_too_much() -> None:
    """Neither an empty picture is drawn nor one in which nothing can be told apart."""
    with pytest.raises(ConfigError, match="nothing to plot: the answer has no rows"):
        picture(TABLE.slice(0, 0), AXES)
    categories = pa.table({"middle": pa.array([None], pa.float64()), "value": ["a"], "share": [1.0]})
    with pytest.raises(
        ConfigError, match=r"no row has both middle and share; --axes .* of middle, value, share"
    ):
        picture(categories, {"x": "middle", "y": "share"})
    many = pa.table({"x": [1] * 20, "y": [1.0] * 20, "by": [str(n) for n in range(20)]})
    with pytest.raises(ConfigError, match=f"20 lines of by cannot be told apart.*{MOST_LINES}"):
        picture(many, {"x": "x", "y": "y", "by": "by"})


def test_a_file_that_fails_in_the_middle_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the file is there nor the part that was written beside it."""

    def disk_full(answer: pa.Table, form: str, out: io.TextIOBase) -> None:
        out.write("a,b")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("hindcast.cli.outputs.write_answer", disk_full)
    with pytest.raises(ConfigError, match=r"cannot write .*answer\.csv: No space left"):
        Output("csv", tmp_path / "answer.csv", None, {}).write(TABLE)
    assert list(tmp_path.iterdir()) == []


def test_lines_and_bars_in_a_terminal() -> None:
    """Time and numbers are lines with marks and a legend, words are bars as long as their numbers; colours only on a terminal."""
    out = io.StringIO()
    draw(picture(TABLE, AXES), out, width=80)
    assert "24-01-01" in out.getvalue()
    assert "Legend" in out.getvalue()
    assert "\x1b" not in out.getvalue()
    out = io.StringIO()
    words = pa.table({"word": ["a", "b\x1b[1m"], "n": [1, 2]})
    draw(picture(words, {"x": "word", "y": "n"}), out, width=80)
    first, second = out.getvalue().splitlines()[1:]
    assert second.count("█") == 2 * first.count("█") > 0
    assert "\x1b" not in out.getvalue()


@pytest.mark.parametrize("variables", [{"TERM": "dumb"}, {"TERM": "xterm-256color", "NO_COLOR": "1"}])
def test_lines_without_colours_have_marks(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]) -> None:
    """A terminal that knows no colours, or whose owner wants none, gets what a pipe gets: lines are told apart all the same."""
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    out, piped = io.StringIO(), io.StringIO()
    monkeypatch.setattr(out, "isatty", lambda: True)
    draw(picture(TABLE, AXES), out, width=80)
    draw(picture(TABLE, AXES), piped, width=80)
    assert out.getvalue() == piped.getvalue()


def bars(words: list[str], numbers: list[float]) -> Picture:
    """A picture of words."""
    return picture(pa.table({"word": words, "n": numbers}), {"x": "word", "y": "n"})


def test_every_row_has_a_bar_of_its_own(tmp_path: Path) -> None:
    """Rows of one word are as many bars, in the terminal and in a file, in the order of the rows; and words are no formulas."""
    same = bars(["distance", "carrier $\\nosuch$", "distance", "distance"], [0.2, 0.1, 0.9, 0.5])
    out = io.StringIO()
    draw(same, out, width=80)
    assert [line.split()[-1] for line in out.getvalue().splitlines()[1:]] == ["0.2", "0.1", "0.9", "0.5"]
    draw_file(same, tmp_path / "p.svg")
    svg = (tmp_path / "p.svg").read_text()
    assert svg.count("<!-- distance -->") == 3
    # the frame, and what is filled in the colour of bars
    assert svg.count("fill: #1f77b4") == 4


def test_bars_of_several_lines_say_whose_they_are() -> None:
    """As most_drifted's are of slices; they are told apart by their words, so that there may be many."""
    names = ["", *(f"slice={n}" for n in range(MOST_LINES + 1))]
    table = pa.table({"word": ["a"] * len(names), "n": [1.0] * len(names), "by": names})
    drawn = picture(table, {"x": "word", "y": "n", "by": "by"})
    assert [label for label, _ in drawn.bars] == [f"{name} a".strip() for name in names]
    assert shipped_queries()["most_drifted"].plot["by"] == "slice"


def test_bars_below_nothing_go_the_other_way() -> None:
    """To the left of a line, as long as their numbers."""
    out = io.StringIO()
    draw(bars(["a", "b", "c"], [-0.5, 1.0, 0.0]), out, width=80)
    lines = out.getvalue().splitlines()[1:]
    assert [line[3:].partition("│")[0].strip().count("█") for line in lines] == [17, 0, 0]
    assert [line.partition("│")[2].count("█") for line in lines] == [0, 33, 0]
    assert len({line.index("│") for line in lines}) == 1
    out = io.StringIO()
    draw(bars(["a", "b"], [-1.0, -2.0]), out, width=80)
    assert [line.count("█") for line in out.getvalue().splitlines()[1:]] == [25, 50]


@pytest.mark.parametrize("suffix", [".png", ".svg"])
def test_a_picture_in_a_file(tmp_path: Path, suffix: str) -> None:
    """The file is of the kind its name says."""
    file = tmp_path / f"picture{suffix}"
    output(plot=str(file), axes="x=day,y=share,by=version").write(TABLE)
    assert file.read_bytes()[:5] in (b"\x89PNG\r", b"<?xml")
    draw_file(picture(pa.table({"word": ["a"], "n": [1]}), {"x": "word", "y": "n"}), file)
    assert [path.name for path in tmp_path.iterdir()] == [file.name]


@pytest.mark.parametrize("name", [one.name for one in shipped_queries().values() if one.plot])
def test_usual_axes_are_columns(name: str) -> None:
    """What a header names as axes are columns of the answer."""
    query = shipped_queries()[name]
    assert set(query.plot) <= {"x", "y", "by"}
    assert {"x", "y"} <= set(query.plot)
    axes = {name for columns in query.plot.values() for name in columns.split("|")}
    assert axes <= {column.name for column in query.columns}


@pytest.mark.parametrize(("middle", "value", "x"), [(1.5, None, "middle"), (None, "JFK", "value")])
def test_a_histogram_is_drawn_by_what_the_feature_has(
    capsys: pytest.CaptureFixture[str], middle: float | None, value: str | None, x: str
) -> None:
    """The bins of numbers and the words of categories, without --axes; rows of neither, such as absences, are left out."""
    answer = pa.table(
        {
            "middle": pa.array([middle, None], pa.float64()),
            "value": pa.array([value, None], pa.string()),
            "share": [0.9, 0.1],
        }
    )
    output(plot="-").write(answer, shipped_queries()["feature_histogram"].plot)
    drawn = capsys.readouterr().out
    assert x in drawn
    assert ("JFK" in drawn) == (x == "value")


def test_long_cells_of_a_table_are_shortened() -> None:
    """In CSV and JSON, and in a column alone, they are whole."""
    long = "x" * 100_000
    beside = pa.table({"model": [long, "m"], "n": [1, 2]})
    out = io.StringIO()
    write_answer(beside, "table", out)
    assert out.getvalue().splitlines()[1] == f"{'x' * 500}… (100,000 characters)  1"
    for form, answer in (
        ("csv", beside),
        ("json", beside),
        ("jsonl", beside),
        ("table", beside.select(["model"])),
    ):
        out = io.StringIO()
        write_answer(answer, form, out)
        assert long in out.getvalue()


def proposed(words: str) -> list[str]:
    """What the shell is given to choose from for the last word."""
    place = len(words.split(" ")) - 1
    done = hindcast(_HINDCAST_COMPLETE="bash_complete", COMP_WORDS=words, COMP_CWORD=str(place))
    return [line.partition(",")[2] for line in done.stdout.decode().splitlines()]


def test_the_shell_completes_names_and_parameters() -> None:
    """Names of questions; then the parameters of the one named, but not those given; then the values of one that has few."""
    assert proposed("hindcast query vol") == ["volume"]
    offered = proposed("hindcast query volume -p model=m -p ")
    assert "every=" in offered
    assert "model=" not in offered
    assert proposed("hindcast query volume -p traffic=s") == ["traffic=served", "traffic=shadow"]
