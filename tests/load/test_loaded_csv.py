"""CSV has no types: what is a text is loaded as it is written, and what would change as a number is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hindcast.load import source
from hindcast.load.file_rows import FileRows
from hindcast.load.loader import Load
from hindcast.load.mapping import FileMapping, LoadMapping
from hindcast.load.retention import Keeper
from hindcast.load.source import open_source
from hindcast.load.state import LoadState
from producers import ConfigError, PredictionLogger
from producers.testing import MemorySink
from stream_processors.contracts.effect import ContractHistory

AT = "2025-01-01T00:00:00Z"
NOW = 1_750_000_000_000_000


def loaded(path: Path, asked: LoadMapping) -> list[dict[str, Any]]:
    """The events of a file that was checked and sent."""
    opened, sink = open_source(path, asked.nulls), MemorySink()
    events = FileRows(FileMapping(asked, opened.schema, path.name), "ab" * 32)
    keeper = Keeper(ContractHistory(), "m", NOW) if asked.name == "prediction" else None
    what = Load(opened, events, keeper)
    what.check(NOW, lambda _: None)
    with (
        LoadState(path.with_suffix(".state"), {}) as state,
        PredictionLogger(model="m", categorical=asked.categorical, sink=sink, spool="") as log,
    ):
        what.send(log, state, lambda _: None)
    return sink.records(f"{asked.name}s")


def csv(directory: Path, head: str, *rows: str) -> Path:
    """A file of predictions, or of labels, each of which says its time."""
    path = directory / "rows.csv"
    path.write_text("\n".join([head, *rows, ""]))
    return path


def predictions(*features: str, **more: Any) -> LoadMapping:
    """Predictions of a model with these features."""
    return LoadMapping("prediction", "m", features=features, **more)


def test_texts_are_loaded_as_they_are_written(tmp_path: Path) -> None:
    """Zeros before an id, words that other tools take for null or for truth values, and hexadecimal digits all stay."""
    path = csv(
        tmp_path,
        "event_time,prediction_id,entity_id,decision,a,country,store",
        f"{AT},0001,007,01,1,NA,0x1F",
        f"{AT},1,7,1,2,DE,True",
        f'{AT},"+1",null,None,3,"",1e5',
    )
    found = loaded(path, predictions("a", "country", categorical=("country",), segments=("store",)))
    names = ("prediction_id", "entity_id", "decision")
    assert [[record[name] for name in names] for record in found] == [
        ["0001", "007", "01"],
        ["1", "7", "1"],
        ["+1", "null", "None"],
    ]
    assert [record["categorical_features"]["country"] for record in found] == ["NA", "DE", ""]
    assert [record["segments"]["store"] for record in found] == ["0x1F", "True", "1e5"]
    assert [record["numeric_features"]["a"] for record in found] == [1.0, 2.0, 3.0]


def test_a_label_finds_its_id(tmp_path: Path) -> None:
    """Ids of labels keep their zeros, and a truth that is no number is as it is written."""
    path = csv(tmp_path, "prediction_id,reported_at,truth", f"0001,{AT},True", f"1,{AT},NA")
    found = loaded(path, LoadMapping("label", "m"))
    assert [(record["prediction_id"], record["truth"]) for record in found] == [("0001", "True"), ("1", "NA")]


@pytest.mark.parametrize(
    ("truths", "expected"),
    [(["1", "0"], [("1", 1.0), ("0", 0.0)]), (["1.5", "2"], [(None, 1.5), (None, 2.0)])],
)
def test_a_truth_of_numbers_is_what_it_is_in_a_call(
    truths: list[str], expected: list[tuple[str | None, float]], tmp_path: Path
) -> None:
    """Numbers are values, and whole ones classes too."""
    path = csv(tmp_path, "prediction_id,reported_at,truth", *(f"p{truth},{AT},{truth}" for truth in truths))
    found = loaded(path, LoadMapping("label", "m"))
    assert [(record["truth"], record["truth_value"]) for record in found] == expected


def test_what_stands_for_nothing(tmp_path: Path) -> None:
    """An empty cell is null, and so is a word that --null names; in quotes only where a column holds no text."""
    path = csv(
        tmp_path,
        "event_time,a,b,plan,entity_id,target_time",
        f"{AT},1.5,,basic,x,{AT}",
        f'{AT},NA,"","NA",x,""',
        f'{AT},"NA",-,NA,NA,-',
        f"{AT},nan,inf,,,",
    )
    found = loaded(path, predictions("a", "b", "plan", nulls=("NA", "-")))
    assert [str(record["numeric_features"]["a"]) for record in found] == ["1.5", "None", "None", "nan"]
    assert [record["numeric_features"]["b"] for record in found] == [None, None, None, float("inf")]
    assert [record["categorical_features"]["plan"] for record in found] == ["basic", "NA", None, None]
    assert [record["target_time"] is None for record in found] == [False, True, True, True]


def test_an_empty_id_in_quotes_is_refused(tmp_path: Path) -> None:
    """It is a text of no letters, not a null, unless --null '' says so."""
    path = csv(tmp_path, "event_time,a,entity_id", f"{AT},1,x", f'{AT},2,""')
    with pytest.raises(ConfigError, match=r"^column entity_id: is empty \(in row 2\)$"):
        loaded(path, predictions("a"))
    found = loaded(path, predictions("a", nulls=("",)))
    assert [record["entity_id"] for record in found] == ["x", None]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (["1", "007"], "column a holds a number with zeros before it or in hexadecimal, which would change: --categorical"),
        (["1", " -00.5"], "column a holds a number with zeros before it"),
        (["1", "0x1F"], "column a holds a number with zeros before it or in hexadecimal"),
        (["1.5", "9007199254740993"], "column a holds a whole number beyond 2^53"),
        (["1", "-123456789012345678901234"], "column a holds a whole number beyond 2^53"),
        (["1", "NA"], "column a holds numbers and what is none: --categorical reads a feature as it is written, --null WORD"),
    ],
)  # fmt: skip
def test_numbers_that_would_change_are_refused_by_row(values: list[str], said: str, tmp_path: Path) -> None:
    """The column and the row are named, never the value; as a category each is loaded as it is written."""
    path = csv(tmp_path, "event_time,prediction_id,a", *(f"{AT},{value},{value}" for value in values))
    with pytest.raises(ConfigError) as refusal:
        loaded(path, predictions("a"))
    assert str(refusal.value).startswith(f"{path}: {said}")
    assert str(refusal.value).endswith("(in row 2)")
    assert values[1] not in str(refusal.value)
    found = loaded(path, predictions("a", categorical=("a",)))
    assert [record["categorical_features"]["a"] for record in found] == values


def test_numbers_that_a_double_holds_are_loaded(tmp_path: Path) -> None:
    """Numbers of any spelling that stay what they are."""
    values = ["0", "-0.5", "9007199254740992", "-9007199254740992", "1e300", " 7 ", "0.25", "-inf"]
    path = csv(tmp_path, "event_time,a", *(f"{AT},{value}" for value in values))
    found = loaded(path, predictions("a"))
    assert [record["numeric_features"]["a"] for record in found] == [float(value) for value in values]


def test_a_column_may_be_a_number_and_a_segment(tmp_path: Path) -> None:
    """A feature to slice by stays the number that it is; its digits are the slice."""
    path = csv(tmp_path, "event_time,a", f"{AT},1", f"{AT},2")
    found = loaded(path, predictions("a", segments=("a",)))
    assert [(record["numeric_features"], record["segments"]) for record in found] == [
        ({"a": 1.0}, {"a": "1"}),
        ({"a": 2.0}, {"a": "2"}),
    ]


def test_rows_are_counted_through_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A row far down is named by its place in the file, where reading begins anywhere."""
    monkeypatch.setattr(source, "_CSV_BLOCK", 2_000)
    path = csv(tmp_path, "a", *["1"] * 3_000, "007")
    for start in (0, 1, 2_345):
        with pytest.raises(ConfigError, match=r"\(in row 3,001\)$"):
            list(open_source(path).pieces(["a"], start))


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        (["", "1"], "column a begins as null and holds something else further down"),
        (["true", "7x"], "column a begins as bool and holds something else further down"),
        (["12:30:00", "12:31:00"], "column a holds times of day, which no field takes"),
    ],
)
def test_a_column_of_another_kind_further_down_is_named(
    cells: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its column, and without a traceback of Arrow's."""
    monkeypatch.setattr(source, "_CSV_BLOCK", 2_000)
    path = csv(tmp_path, "at,a", *[f"{AT},{cells[0]}"] * 500, f"{AT},{cells[1]}")
    with pytest.raises(ConfigError) as refusal:
        list(open_source(path).pieces(["at", "a"]))
    assert str(refusal.value).startswith(f"{path}: {said}")


def test_text_in_another_encoding_is_named(tmp_path: Path) -> None:
    """Bytes that are no UTF-8 are refused by their column."""
    path = tmp_path / "rows.csv"
    path.write_bytes(f"event_time,a\n{AT},\xe9\n".encode("latin-1"))
    with pytest.raises(ConfigError, match="column a is not UTF-8 text: save the file as UTF-8"):
        loaded(path, predictions("a", categorical=("a",)))


def test_words_for_null_are_of_csv_only(history_file: Path) -> None:
    """Other files say themselves what is null."""
    with pytest.raises(ConfigError, match=r"--null is for CSV: .*history.parquet has nulls of its own"):
        open_source(history_file, ["NA"])
