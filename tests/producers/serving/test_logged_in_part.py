"""A logged model whose input or answer cannot be read, or does not fit: its rows are events all the same, and the log says what they lack."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import pandas as pd
import pytest
from answering import Answering, said
from scipy.sparse import csr_array
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression

from producers import InvalidEvent, PredictionLogger
from producers.logged import Logged
from producers.testing import MemorySink

FRAME = pd.DataFrame({"delay": [0.0, 1.0, 30.0, 40.0], "distance": [4.0, 3.0, 2.0, 1.0]})
LATE = np.array(["on_time", "on_time", "late", "late"])


@pytest.mark.parametrize(
    ("answer", "rows", "settings", "problem"),
    [
        ({"a": 1}, [[1.0]], {}, "rows: a list or array is wanted, not dict"),
        ([0.5, 0.5], [[1.0]], {}, "rows: 2 answers for 1 rows"),
        ([0.5], [[1.0]], {"features": ["a", "b"]}, "features: 2 names for 1 columns"),
        (np.zeros((1, 2)), [[1.0]], {}, "outputs: 2 values a row"),
    ],
)
def test_what_cannot_be_read_is_said_in_part(
    log: PredictionLogger,
    sink: MemorySink,
    caplog: pytest.LogCaptureFixture,
    answer: Any,
    rows: Any,
    settings: dict[str, Any],
    problem: str,
) -> None:
    """The caller gets its answer, the event has what could be read, the log says what could not, and strict raises it."""
    caplog.set_level(logging.WARNING)
    model = Logged(Answering(answer), log, **settings)
    assert model.predict(rows) is answer
    assert model.predict(rows) is answer
    events = said(log, sink)
    assert len(events) == 2
    assert (
        ("features" in problem) == (events[0]["score"] is not None) == (events[0]["numeric_features"] == {})
    )
    assert [problem in message for message in caplog.messages] == [True]
    with pytest.raises(InvalidEvent, match=problem):
        Logged(Answering(answer), log, strict=True, **settings).predict(rows)


def test_what_the_service_decides_may_fail(
    log: PredictionLogger, sink: MemorySink, caplog: pytest.LogCaptureFixture
) -> None:
    """A rule that raises, or entities of another number, cost the event a field and the caller nothing."""
    model = Logged(
        LogisticRegression().fit(FRAME, LATE), log, decide=lambda p: p["no such class, of customer 17"]
    )
    with model.request(entity_ids=["a"]):
        assert len(model.predict_proba(FRAME)) == 4
    assert [event["entity_id"] for event in said(log, sink)] == [None] * 4
    assert "predictions of LogisticRegression are logged in part: KeyError" in caplog.messages
    assert any("entity_ids: 1 for 4 rows" in message for message in caplog.messages)
    assert "customer 17" not in caplog.text


@pytest.mark.parametrize("rows", [1, 2, 3])
def test_a_model_of_outputs_without_names_loses_no_event(
    log: PredictionLogger, sink: MemorySink, rows: int
) -> None:
    """Each row is an event under the id that the request knows, without an answer, however many rows there are."""
    targets = np.column_stack([LATE, LATE[::-1]])
    model = Logged(RandomForestClassifier(2, random_state=1).fit(FRAME, targets), log)
    with model.request() as request:
        model.predict_proba(FRAME[:rows])
    events = said(log, sink)
    assert [event["prediction_id"] for event in events] == request.prediction_ids
    assert [event["numeric_features"] for event in events] == FRAME[:rows].to_dict("records")
    assert {event["score"] for event in events} == {None}


def test_an_answer_that_does_not_fit_costs_its_event_a_field(
    log: PredictionLogger, sink: MemorySink, caplog: pytest.LogCaptureFixture
) -> None:
    """A score that is none, and segments that are none, are left out; the rows behind are said whole."""

    class Odd:
        def predict_proba(self, _: Any) -> list[object]:
            return ["much", 0.5]

    model = Logged(Odd(), log)
    with model.request(segments=["east"], served=False) as request:
        model.predict_proba([[1.0], [2.0]])
    events = said(log, sink)
    assert [event["prediction_id"] for event in events] == request.prediction_ids
    assert [(event["score"], event["served"]) for event in events] == [(None, False), (0.5, False)]
    assert [event["numeric_features"] for event in events] == [{"f0": 1.0}, {"f0": 2.0}]
    assert (
        "predictions of Odd are logged in part: InvalidEvent: score: a number is wanted, not str"
        in caplog.messages
    )
    with pytest.raises(InvalidEvent):
        Logged(Odd(), log, strict=True).predict_proba([[1.0], [2.0]])


@pytest.mark.parametrize(
    "fields",
    [
        {"environment": 2.5},
        {"model_version": "\ud800"},
        {"sampling_rate": 0},
        {"served": "no"},
        {"known_at": pd.NaT},
    ],
    ids=str,
)
def test_what_is_said_of_all_rows_is_examined_where_it_is_written(
    log: PredictionLogger, fields: dict[str, Any]
) -> None:
    """Left out of every row it would file them under what nobody said."""
    model = Logged(Answering([0.5]), log)
    with pytest.raises(InvalidEvent) as refusal, model.request(**fields):
        pass
    assert refusal.value.field in fields


@pytest.mark.parametrize(
    "inputs",
    [csr_array(np.eye(2)), np.ones((2, 2, 2)), (row for row in [[1.0], [2.0]])],
    ids=lambda one: type(one).__name__,
)
def test_an_input_without_features_is_said_in_the_log(
    log: PredictionLogger, sink: MemorySink, caplog: pytest.LogCaptureFixture, inputs: Any
) -> None:
    """Sparse rows, images and generators have no features, their rows are events, and the log names the type; strict raises."""
    Logged(Answering([0.5, 0.25]), log).predict(inputs)
    assert [event["score"] for event in said(log, sink)] == [0.5, 0.25]
    why = f"features: none can be read from {type(inputs).__name__}"
    assert [why in message for message in caplog.messages] == [True]
    with pytest.raises(InvalidEvent, match=why):
        Logged(Answering([0.5, 0.25]), log, strict=True).predict(inputs)


def test_a_frame_has_one_kind_of_null_by_both_ways(log: PredictionLogger, sink: MemorySink) -> None:
    """A null among texts is a category's, whether the frame goes through its model or is logged as a table."""
    frame = pd.DataFrame({"plan": ["basic", None], "calls": [1.0, None]})
    Logged(Answering([0.5, 0.25]), log).predict(frame)
    log.predictions(frame, features=["plan", "calls"])
    events = said(log, sink)
    assert [event["categorical_features"] for event in events] == [{"plan": "basic"}, {"plan": None}] * 2
    assert all(list(event["numeric_features"]) == ["calls"] for event in events)
