"""Tables become the same events as single calls, whatever library they come from, and nothing changes silently."""

from __future__ import annotations

import math
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from producers import ConfigError, InvalidEvent, PredictionLogger
from producers.testing import MemorySink

ROOT = Path(__file__).parents[2]
NOON = datetime(2024, 9, 9, 12, 30, tzinfo=UTC)


@pytest.fixture
def sink() -> MemorySink:
    """A log in memory."""
    return MemorySink()


@pytest.fixture
def log(sink: MemorySink) -> Iterator[PredictionLogger]:
    """A logger that writes to it; a zip code is a category."""
    made = PredictionLogger(
        model="m", model_version="1", sink=sink, categorical={"zip"}, clock=lambda: 1_700_000_000 * 10**9
    )
    yield made
    made.close(1)


COLUMNS: dict[str, list[Any]] = {
    "id": ["a", "b", "c"],
    "age": [41, 7, 2**53],
    "temp": [1.5, None, -2.0],
    "vip": [True, False, None],
    "carrier": ["UA", None, "é"],
    "zip": [10_001, 94_103, None],
    "p": [0.25, 0.5, 1.0],
    "region": ["east", None, "west"],
    "decision": [1, 0, 1],
    "rank": [1, 2, None],
    "at": [NOON, NOON.replace(hour=1), NOON.replace(microsecond=7)],
}
FEATURES = ["age", "temp", "vip", "carrier", "zip"]


def said_one_by_one(log: PredictionLogger) -> None:
    """The table's rows as single calls."""
    for row in (dict(zip(COLUMNS, values, strict=True)) for values in zip(*COLUMNS.values(), strict=True)):
        log.prediction(
            prediction_id=row["id"],
            features={name: row[name] for name in FEATURES},
            score=row["p"],
            decision=row["decision"],
            rank=row["rank"],
            probabilities={"late": row["p"]},
            segments={"region": row["region"]},
            event_time=row["at"],
            served=False,
        )


@pytest.mark.parametrize("library", ["arrow", "polars", "pandas"])
def test_a_table_says_what_its_rows_would_say(log: PredictionLogger, sink: MemorySink, library: str) -> None:
    """A table of any library makes the events that a call per row makes, but for nulls whose kind only a table knows."""
    arrow = pa.table(COLUMNS)
    table = {
        "arrow": arrow,
        "polars": pl.from_arrow(arrow),
        "pandas": arrow.to_pandas(types_mapper=pd.ArrowDtype),
    }[library]
    ids = log.predictions(
        table,
        features=FEATURES,
        columns={"prediction_id": "id", "score": "p", "event_time": "at"},
        probabilities={"late": "p"},
        segments=["region"],
        served=False,
    )
    assert log.flush() == 0
    by_table = sink.records("predictions")
    sink.messages.clear()
    said_one_by_one(log)
    assert log.flush() == 0
    by_row = sink.records("predictions")
    assert ids == COLUMNS["id"]
    assert [record.pop("sequence") for record in by_table + by_row] == list(range(6))
    # a call cannot know that None is a carrier; a column of strings can
    by_row[1]["categorical_features"]["carrier"] = by_row[1]["numeric_features"].pop("carrier")
    by_row[2]["categorical_features"]["vip"] = by_row[2]["numeric_features"].pop("vip")
    assert by_table == by_row


@pytest.mark.parametrize(
    "column",
    [
        pl.Series("plan", ["basic", None, "plus"], dtype=pl.Categorical),
        pl.Series("plan", ["basic", None, "plus"], dtype=pl.Enum(["plus", "basic"])),
    ],
    ids=["Categorical", "Enum"],
)
def test_categories_of_polars_are_texts(log: PredictionLogger, sink: MemorySink, column: pl.Series) -> None:
    """Polars gives them to Arrow as a dictionary of string views, which Arrow casts to nothing."""
    log.predictions(pl.DataFrame([column]), features=["plan"])
    assert log.flush() == 0
    found = [record["categorical_features"]["plan"] for record in sink.records("predictions")]
    assert found == ["basic", None, "plus"]


@pytest.mark.parametrize(
    "table",
    [pa.table([pa.array([1]), pa.array([2])], names=["x", "x"]), pd.DataFrame([[1, 2]], columns=["x", "x"])],
    ids=["arrow", "pandas"],
)
def test_two_columns_of_one_name_are_refused_by_it(log: PredictionLogger, table: Any) -> None:
    """Which of them was meant is not to be guessed."""
    with pytest.raises(ConfigError, match="two columns x: rename one"):
        log.predictions(table, features=["x"])


def test_pandas_nan_is_null_and_arrows_is_nan(log: PredictionLogger, sink: MemorySink) -> None:
    """Classic pandas has no null but NaN; Arrow and polars have both."""
    log.predictions(pd.DataFrame({"x": [math.nan]}), features=["x"])
    log.predictions(pa.table({"x": [math.nan]}), features=["x"])
    log.predictions(pl.DataFrame({"x": [math.nan]}), features=["x"])
    log.flush()
    found = [record["numeric_features"]["x"] for record in sink.records("predictions")]
    assert found[0] is None
    assert math.isnan(found[1])
    assert math.isnan(found[2])


def test_defaults_own_columns_and_constants(log: PredictionLogger, sink: MemorySink) -> None:
    """A constant wins over a column of the field's name, that over the logger's default; a feature is never a field."""
    table = pa.table(
        {"model_version": ["7", "8"], "environment": ["a", "b"], "status": ["x", "y"], "score": [0, 1]}
    )
    ids = log.predictions(table, features=["status"], environment="shadow", known_at=NOON)
    log.flush()
    first, second = sink.records("predictions")
    assert (first["model_version"], second["model_version"]) == ("7", "8")
    assert (first["environment"], first["status"], first["score"]) == ("shadow", "ok", 0.0)
    assert first["categorical_features"] == {"status": "x"}
    assert (first["event_time"], first["known_at"]) == (datetime.fromtimestamp(1_700_000_000, tz=UTC), NOON)
    assert [first["prediction_id"], second["prediction_id"]] == ids
    assert ids[0] != ids[1]


@pytest.mark.parametrize(
    "empty", [pa.table({"x": pa.array([], pa.float64())}), pl.DataFrame({"x": []}), pd.DataFrame({"x": []})]
)
def test_an_empty_table_is_no_event(log: PredictionLogger, sink: MemorySink, empty: Any) -> None:
    """No rows, no events, no error."""
    assert log.predictions(empty, features=["x"]) == []
    assert log.flush() == 0
    assert sink.records("predictions") == []


@pytest.mark.parametrize(
    ("columns", "said", "field"),
    [
        ({"x": [2**53 + 1]}, {"features": ["x"]}, "features.x"),
        ({"x": [[1.0]]}, {"features": ["x"]}, "features.x"),
        ({"x": [date(2024, 1, 1)]}, {"features": ["x"]}, "features.x"),
        ({"x": [NOON]}, {"features": ["x"]}, "features.x"),
        ({"x": [1.0]}, {"features": ["y"]}, "y"),
        ({"x": [1.0]}, {"features": ["x"], "nosuch": 1}, "nosuch"),
        ({"x": [1.0]}, {"features": ["x"], "sequence": 1}, "sequence"),
        ({"x": [1.0]}, {"features": ["x"], "event_time": NOON.replace(tzinfo=None)}, "event_time"),
        ({"event_time": [NOON.replace(tzinfo=None)]}, {"features": []}, "event_time"),
        ({"event_time": [1_700_000_000]}, {"features": []}, "event_time"),
        ({"event_time": [NOON, None]}, {"features": []}, "event_time"),
        ({"event_time": [datetime(9999, 1, 1, tzinfo=UTC)]}, {"features": []}, "event_time"),
        ({"prediction_id": ["a", None]}, {"features": []}, "prediction_id"),
        ({"prediction_id": [1.5]}, {"features": []}, "prediction_id"),
        ({"score": ["high"]}, {"features": []}, "score"),
        ({"rank": [2**40]}, {"features": []}, "rank"),
        ({"served": ["yes"]}, {"features": []}, "served"),
        ({"p": [0.5, None]}, {"features": [], "probabilities": {"late": "p"}}, "probabilities.late"),
        ({"r": [1.5]}, {"features": [], "segments": ["r"]}, "segments.r"),
    ],
    ids=str,
)
def test_a_column_that_would_change_silently_is_refused(
    log: PredictionLogger, columns: dict[str, list[Any]], said: dict[str, Any], field: str
) -> None:
    """The table is refused whole, by the name of the column or field, and nothing is sent."""
    with pytest.raises(InvalidEvent) as refusal:
        log.predictions(pa.table(columns), **said)
    assert refusal.value.field == field
    assert log.stats.accepted == 0


def test_what_is_no_table_is_said(log: PredictionLogger) -> None:
    """A list is no table, and a column of mixed kinds cannot be one."""
    with pytest.raises(ConfigError, match="not list"):
        log.predictions([1, 2], features=[])
    with pytest.raises(InvalidEvent, match="table"):
        log.predictions(pd.DataFrame({"x": [1, "a"]}), features=["x"])
    with pytest.raises(InvalidEvent, match="table"):
        log.predictions(pd.DataFrame({"x": pd.Series(["a\ud800"], dtype=object)}), features=["x"])


def test_every_numeric_kind_is_a_double(log: PredictionLogger, sink: MemorySink) -> None:
    """Every width of number, decimals and dictionary-encoded categories have their place."""
    columns = {
        "i8": pa.array([-1], pa.int8()),
        "u64": pa.array([5], pa.uint64()),
        "f16": pa.array([np.float16(0.5)], pa.float16()),
        "f32": pa.array([0.25], pa.float32()),
        "dec": pa.array([Decimal("1.25")]),
        "none": pa.nulls(1),
        "dict": pa.array(["x"]).dictionary_encode(),
        "large": pa.array(["y"], pa.large_string()),
        "view": pa.array(["z"], pa.string_view()),
    }
    log.predictions(pa.table(columns), features=list(columns))
    log.flush()
    (record,) = sink.records("predictions")
    assert record["numeric_features"] == {
        "i8": -1,
        "u64": 5,
        "f16": 0.5,
        "f32": 0.25,
        "dec": 1.25,
        "none": None,
    }
    assert record["categorical_features"] == {"dict": "x", "large": "y", "view": "z"}


def test_many_chunks_arrive_in_order_and_balance(log: PredictionLogger, sink: MemorySink) -> None:
    """A table larger than a chunk arrives whole; ledger and stats count every row."""
    rows = 25_000
    times = pa.array(np.arange(rows) * 1_000_000 + 1_700_000_000_000_000, pa.timestamp("us", "UTC"))
    log.predictions(pa.table({"x": np.arange(rows), "event_time": times}), features=["x"])
    assert log.flush(60) == 0
    log.close()
    records = sink.records("predictions")
    assert [record["numeric_features"]["x"] for record in records] == list(range(rows))
    assert [record["sequence"] for record in records] == list(range(rows))
    closing = [row for row in sink.records("ledger") if row["closing"]]
    assert len(closing) == 8
    assert sum(row["accepted"] for row in closing) == sum(row["delivered"] for row in closing) == rows


def test_a_table_waits_for_room_and_then_drops() -> None:
    """While the log is away a table waits as long as it was told, then counts what found no room; the rest arrives."""
    sink = MemorySink()
    sink.away = True
    log = PredictionLogger(model="m", sink=sink)
    began = time.monotonic()
    ids = log.predictions(pa.table({"x": np.arange(50_000)}), features=["x"], wait=0.1)
    assert 0.1 <= time.monotonic() - began < 10
    assert len(ids) == 50_000
    assert log.stats.dropped == {"queue_full": 30_000}
    assert log.stats.waiting == 20_000
    sink.away = False
    assert log.flush(60) == 0
    assert log.stats.delivered == 20_000
    log.close()
    log.predictions(pa.table({"x": [1]}), features=["x"])
    assert log.stats.dropped == {"queue_full": 30_000, "closed": 1}


def test_a_table_waits_as_long_as_anything_is_delivered() -> None:
    """A slow log takes longer for a chunk than the table may wait without progress: nothing is dropped, for there is some."""
    sink = MemorySink(pace=500)  # a fiftieth of a second each: nearly half a second a part
    log = PredictionLogger(model="m", sink=sink)
    log.predictions(pa.table({"x": np.arange(30_000)}), features=["x"], wait=1)
    assert log.stats.dropped == {}
    assert log.flush(60) == 0
    assert log.stats.delivered == 30_000
    log.close()


def test_labels_of_a_table(log: PredictionLogger, sink: MemorySink) -> None:
    """A load of labels done twice repeats nothing: an id is made from the fact, and another fact has another."""
    table = pa.table(
        {
            "prediction_id": ["a", "b", "c"],
            "late": [True, False, None],
            "truth_value": [20.0, -3.0, None],
            "kind": ["truth", "correction", "void"],
            "reported_at": [NOON, NOON, NOON],
        }
    )
    first = log.labels(table, columns={"truth": "late"}, known_at=NOON)
    again = log.labels(table, columns={"truth": "late"}, known_at=NOON)
    other = log.labels(table, columns={"truth": "late"}, output="second")
    assert log.flush() == 0
    assert first == again
    assert len(set(first + other)) == 6
    records = sink.records("labels")
    assert [record["label_id"] for record in records] == first + again + other
    assert [record["truth"] for record in records[:3]] == ["true", "false", None]
    assert [record["kind"] for record in records[:3]] == ["truth", "correction", "void"]
    assert (records[0]["reported_at"], records[0]["known_at"], records[0]["environment"]) == (
        NOON,
        NOON,
        None,
    )


@pytest.mark.parametrize(
    ("columns", "field"),
    [
        ({"truth": ["a"]}, "prediction_id"),
        ({"prediction_id": ["a"]}, "truth"),
        ({"prediction_id": ["a", "b"], "truth": ["x", None]}, "truth"),
        ({"prediction_id": ["a"], "truth": ["x"], "kind": ["guess"]}, "kind"),
        ({"prediction_id": ["a"], "truth": [0.5], "truth_value": [0.5]}, "truth"),
        ({"prediction_id": ["a", "b"], "truth": [0.5, None]}, "truth"),
        ({"prediction_id": ["a"], "truth": [math.nan]}, "truth_value"),
        ({"prediction_id": ["a"], "truth": [2**60]}, "truth_value"),
        ({"prediction_id": ["a"], "truth": [[1]]}, "truth"),
    ],
    ids=str,
)
def test_labels_that_say_nothing_are_refused(
    log: PredictionLogger, columns: dict[str, list[Any]], field: str
) -> None:
    """A label table without ids, without truth or with an unknown kind is refused by field."""
    with pytest.raises(InvalidEvent) as refusal:
        log.labels(pa.table(columns))
    assert refusal.value.field == field


@pytest.mark.parametrize(
    "truths",
    [["late", "on_time"], [True, False], [3.5, -1.0], [Decimal("1.25"), Decimal("2.50")], [1, 0]],
    ids=lambda truths: type(truths[0]).__name__,
)
@pytest.mark.parametrize("column", ["truth", "what was so"])
def test_a_column_of_truths_says_what_its_rows_would_say(
    log: PredictionLogger, sink: MemorySink, truths: list[Any], column: str
) -> None:
    """Classes, booleans, numbers and codes mean in a table what they mean in a call, as a constant too."""
    log.labels(pa.table({"prediction_id": ["a", "b"], column: truths}), columns={"truth": column})
    for prediction_id, truth in zip("ab", truths, strict=True):
        log.labels(pa.table({"prediction_id": [prediction_id], "truth": ["beside the point"]}), truth=truth)
    for prediction_id, truth in zip("ab", truths, strict=True):
        log.label(prediction_id, truth=truth)
    assert log.flush() == 0
    said = [(row["prediction_id"], row["truth"], row["truth_value"]) for row in sink.records("labels")]
    assert said[0:2] == said[2:4] == said[4:6]


def test_codes_beside_numbers_are_classes(log: PredictionLogger, sink: MemorySink) -> None:
    """A column of whole numbers beside one of true numbers is of classes; so is a column of categories."""
    table = pa.table({"prediction_id": ["a"], "truth": [3], "truth_value": [0.25]})
    log.labels(table)
    log.labels(pa.table({"prediction_id": ["a"], "truth": pa.array([3]).dictionary_encode()}))
    log.flush()
    assert [(row["truth"], row["truth_value"]) for row in sink.records("labels")] == [
        ("3", 0.25),
        ("3", None),
    ]


def test_a_missing_column_of_truth_may_be_void(log: PredictionLogger, sink: MemorySink) -> None:
    """A table of predictions whose truth will never come needs no truth."""
    log.labels(pa.table({"prediction_id": ["a"]}), kind="void")
    log.flush()
    assert sink.records("labels")[0]["kind"] == "void"


def test_without_pyarrow_one_line_says_what_to_install() -> None:
    """A light installation says what tables need."""
    program = (
        "import sys; sys.modules['pyarrow'] = None\n"
        "from producers import ConfigError, PredictionLogger; from producers.testing import MemorySink\n"
        "try: PredictionLogger(model='m', sink=MemorySink()).predictions({}, features=[])\n"
        "except ConfigError as error: print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "tables need pyarrow: pip install 'hindcast[processors]'\n"
