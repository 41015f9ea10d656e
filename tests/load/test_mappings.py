"""What a file's columns are: refused by name where they cannot be that, and made into events with the same ids each time."""

from __future__ import annotations

import itertools
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from loaded_history import DIGEST, START, file_rows, history, predictions_mapping

from hindcast.load.mapping import FileMapping, LoadMapping
from producers.errors import ConfigError

TABLE = history(10)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (
            {"columns": {}},
            "history.parquet has no column event_time: --map event_time=COLUMN names it; there are scored_at,",
        ),
        (
            {"columns": {"event_time": "scoredat"}},
            "history.parquet has no column scoredat; there are scored_at, tenure",
        ),
        (
            {"columns": {"colour": "plan"}},
            "--map colour: a prediction has no such field; there are prediction_id, output",
        ),
        ({"columns": {"model": "plan"}}, "--map model: a prediction has no such field"),
        ({"constants": {"sequence": "1"}}, "--set sequence: a prediction has no such field"),
        (
            {"features": (), "categorical": ()},
            "no features: --features names the columns that were the model's inputs, of tenure, plan, zip",
        ),
        ({"features": ("age",), "categorical": ()}, "history.parquet has no column age; there are"),
        ({"categorical": ("plan", "p")}, "--categorical p: is not among --features"),
        ({"probabilities": {"yes": "nosuch"}}, "history.parquet has no column nosuch"),
        (
            {"constants": {"score": "1"}},
            "score has a column (--map) and a value for all rows (--set): say one of them",
        ),
        ({"constants": {"served": "maybe"}}, "--set served=maybe: true or false is wanted"),
        ({"constants": {"rank": "1.5"}}, "--set rank=1.5: a whole number is wanted"),
        ({"constants": {"rank": "3000000000"}}, "--set rank=3000000000: an integer beyond 32 bits"),
        ({"constants": {"sampling_rate": "0"}}, "--set sampling_rate=0: a number above 0 and up to 1"),
        ({"constants": {"sampling_rate": "nan"}}, "--set sampling_rate=nan: a number above 0 and up to 1"),
        ({"constants": {"entity_id": ""}}, "--set entity_id=: is empty"),
        (
            {"constants": {"latency_ms": "9007199254740993"}},
            "--set latency_ms=9007199254740993: an integer beyond 2^53",
        ),
        ({"constants": {"latency_ms": "fast"}}, "--set latency_ms=fast: a number is wanted"),
        (
            {"constants": {"target_time": "2024-05-31"}},
            "--set target_time=2024-05-31: a time with a zone, like",
        ),
    ],
)
def test_a_mapping_that_does_not_fit_is_refused_by_name(more: dict[str, Any], said: str) -> None:
    """The line names the option, the field or the column, and what there is."""
    with pytest.raises(ConfigError) as refusal:
        FileMapping(predictions_mapping(**more), TABLE.schema, "history.parquet")
    assert str(refusal.value).startswith(said)


def test_labels_need_to_know_their_prediction() -> None:
    """Without an id and without the prediction's time there is no telling what a label is about."""
    asked = LoadMapping("label", "churn", columns={"reported_at": "scored_at", "truth": "churned"})
    with pytest.raises(ConfigError, match=r"no column prediction_id: .*, or, .*--map predicted_at=COLUMN"):
        FileMapping(asked, TABLE.schema, "history.parquet")


def test_a_column_of_two_is_refused() -> None:
    """A name that two columns have says nothing."""
    twice = pa.table([TABLE["plan"], TABLE["plan"], TABLE["scored_at"]], names=["plan", "plan", "event_time"])
    with pytest.raises(ConfigError, match="has 2 columns plan"):
        FileMapping(LoadMapping("prediction", "m", features=("plan",)), twice.schema, "f")


def test_own_names_constants_and_known_at() -> None:
    """A column of a field's name is that field unless it is a feature; what happened was known when it happened."""
    table = pa.table(
        {"event_time": TABLE["scored_at"], "status": TABLE["plan"], "output": TABLE["plan"], "x": TABLE["p"]}
    )
    asked = LoadMapping("prediction", "m", features=("status", "x"), constants={"served": "false"})
    mapping = FileMapping(asked, table.schema, "f")
    assert mapping.columns == {"event_time": "event_time", "output": "output", "known_at": "event_time"}
    assert mapping.constants == {"served": False}
    fixed = LoadMapping(
        "prediction", "m", features=("x",), constants={"event_time": "2025-06-01T00:00Z", "output": "o"}
    )
    mapping = FileMapping(fixed, table.select(["x"]).schema, "f")
    assert (
        mapping.constants["known_at"] == mapping.constants["event_time"] == int(START.timestamp()) * 1_000_000
    )


@pytest.mark.parametrize(
    ("columns", "asked", "said"),
    [
        ({"scored_at": [START.replace(tzinfo=None)]}, {}, "column scored_at (event_time): has no time zone: --time-zone names it"),
        ({"scored_at": [START.replace(tzinfo=None)]}, {"time_zone": "Mars"}, "column scored_at (event_time): a time that Mars has not"),
        (
            {"scored_at": [START.replace(tzinfo=None, month=3, day=30, hour=2)]},
            {"time_zone": "Europe/Berlin"},
            "column scored_at (event_time): a time that Europe/Berlin has not or has twice",
        ),
        ({"scored_at": ["2025-06-01"]}, {}, "column scored_at (event_time): a timestamp with a time zone is wanted, not string"),
        ({"scored_at": pa.array([None], pa.timestamp("us", "UTC"))}, {}, "column scored_at (event_time): has nulls"),
        ({"tenure": [2**60]}, {}, "column tenure: an integer beyond 2^53"),
        ({"tenure": [[1.0]]}, {}, "column tenure: a number is wanted, not list"),
        ({"p": ["high"]}, {}, "column p (score): a number is wanted, not string"),
        ({"q": [None]}, {"probabilities": {"yes": "q"}}, "column q: has nulls"),
        ({"q": pa.array([None], pa.timestamp("us", "UTC"))}, {"columns": {"event_time": "scored_at", "known_at": "q"}}, "column q (known_at): has nulls"),
        ({"q": [1.5]}, {"segments": ("q",)}, "column q: a string is wanted, not double"),
    ],
)  # fmt: skip
def test_rows_that_would_change_silently_are_refused_by_column(
    columns: dict[str, Any], asked: dict[str, Any], said: str
) -> None:
    """The line names the file's column, the field where that is another, and the rows; never a value."""
    table = pa.table({**{name: TABLE[name][:1] for name in TABLE.column_names}, **columns})
    events = file_rows(predictions_mapping(**asked), table)
    with pytest.raises(ConfigError) as refusal:
        events.rows(events.prepared(table, 100), 100)
    assert str(refusal.value).startswith(said)
    assert str(refusal.value).endswith("(in rows 101 to 101)")


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"sampling_rate": [1.0, 0.0]}, "column sampling_rate: a number above 0 and up to 1 is wanted"),
        ({"entity_id": ["a", ""]}, "column entity_id: is empty"),
        ({"model": ["churn", "other"]}, "column model: another model than --model churn"),
    ],
)
def test_a_row_that_breaks_a_rule_is_named(columns: dict[str, Any], said: str) -> None:
    """What the recorder would not take, and what belongs to another model, by its row in the file."""
    table = pa.table({**{name: TABLE[name][:2] for name in TABLE.column_names}, **columns})
    events = file_rows(predictions_mapping(), table)
    with pytest.raises(ConfigError) as refusal:
        events.rows(events.prepared(table.select(events.mapping.needed), 100), 100)
    assert str(refusal.value) == f"{said} (in row 102)"


def test_a_row_is_named_beside_those_that_are_left_out() -> None:
    """Rows without a truth count among the file's rows although they are no labels."""
    table = pa.table({"prediction_id": ["a", "b", ""], "reported_at": [START] * 3, "truth": ["x", None, "y"]})
    events = file_rows(LoadMapping("label", "churn"), table)
    prepared = events.prepared(table, 0)
    with pytest.raises(ConfigError, match=r"^column prediction_id: is empty \(in row 3\)$"):
        events.rows(prepared, 0, events.unlabelled(prepared))


def test_a_model_is_what_the_option_says() -> None:
    """A column of its name agrees or says nothing; one that is something else is not asked, and names no model."""
    two = {name: TABLE[name][:2] for name in TABLE.column_names}
    table = pa.table({**two, "model": ["churn", None]})
    events = file_rows(predictions_mapping(), table)
    assert events.rows(events.prepared(table, 0), 0).fields["model"].to_pylist() == ["churn", "churn"]
    columns = {**predictions_mapping().columns, "model_version": "model"}
    other = pa.table({**two, "model": ["v1", "v2"]})
    events = file_rows(predictions_mapping(columns=columns), other)
    rows = events.rows(events.prepared(other, 0), 0)
    assert rows.fields["model"].to_pylist() == ["churn", "churn"]
    assert rows.fields["model_version"].to_pylist() == ["v1", "v2"]


def test_an_error_without_a_status_is_an_error() -> None:
    """As in a single call."""
    table = pa.table({**{name: TABLE[name][:2] for name in TABLE.column_names}, "error": [None, "E"]})
    events = file_rows(predictions_mapping(), table)
    assert events.rows(events.prepared(table, 0), 0).fields["status"].to_pylist() == ["ok", "error"]


def test_a_zone_is_given_to_times_without_one() -> None:
    """Local times become instants, summer time included."""
    local = TABLE["scored_at"].cast(pa.timestamp("us"))
    table = TABLE.set_column(0, "scored_at", local)
    events = file_rows(predictions_mapping(time_zone="Europe/Berlin"), table)
    rows = events.rows(events.prepared(table, 0), 0)
    assert rows.fields["event_time"][0].as_py() == datetime(2025, 5, 31, 22)  # noqa: DTZ001 - µs UTC without a zone


@given(st.lists(st.integers(0, 9_000), max_size=4), st.integers(0, 3))
def test_a_row_has_the_same_id_whatever_it_is_read_with(cuts: list[int], skipped: int) -> None:
    """Ids depend on the file's content and the row's number, not on the pieces or on where a load went on."""
    table = history(9_001)
    events = file_rows(predictions_mapping(), table)
    name = events.arguments()["columns"]["prediction_id"]
    whole = events.prepared(table, 0)[name].to_pylist()
    assert len(set(whole)) == 9_001
    edges = sorted({0, *cuts, 9_001})
    pieces = [
        events.prepared(table.slice(start, end - start), start)[name].to_pylist()
        for start, end in itertools.pairwise(edges)
    ]
    assert [one for piece in pieces[skipped:] for one in piece] == whole[
        edges[min(skipped, len(edges) - 1)] :
    ]
    other = (
        file_rows(predictions_mapping(), table, digest="cd" * 32)
        .prepared(table.slice(0, 9), 0)[name]
        .to_pylist()
    )
    assert not set(other) & set(whole)


def test_a_label_of_the_same_file_has_its_predictions_id() -> None:
    """Predictions and truths in one table without ids find each other."""
    asked = LoadMapping(
        "label",
        "churn",
        columns={"reported_at": "scored_at", "predicted_at": "scored_at", "truth": "churned"},
    )
    predictions, labels = file_rows(predictions_mapping(), TABLE), file_rows(asked, TABLE)
    name = predictions.arguments()["columns"]["prediction_id"]
    assert predictions.prepared(TABLE, 7)[name].equals(labels.prepared(TABLE, 7)[name])
    unlabelled = labels.unlabelled(history(1_000))
    assert unlabelled.tolist() == np.asarray(history(1_000)["churned"].is_null()).tolist()


def test_mappings_are_told_apart() -> None:
    """Another mapping is another load; the same one is the same."""
    assert predictions_mapping().digest() == predictions_mapping().digest()
    assert predictions_mapping().digest() != predictions_mapping(time_zone="UTC").digest()
    assert len(DIGEST) == 64
