"""A logged model answers as the model does, and every row of every call is an event."""

from __future__ import annotations

import asyncio
import copy
import pickle
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from answering import Answering, said
from sklearn.base import clone, is_classifier
from sklearn.datasets import load_iris
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from producers import InvalidEvent, PredictionLogger
from producers.logged import Logged
from producers.testing import MemorySink

ROOT = Path(__file__).parents[3]
FRAME = pd.DataFrame({"delay": [0.0, 1.0, 30.0, 40.0], "distance": [4.0, 3.0, 2.0, 1.0]})
LATE = np.array(["on_time", "on_time", "late", "late"])


@pytest.fixture
def sink() -> MemorySink:
    """A log in memory."""
    return MemorySink()


@pytest.fixture
def log(sink: MemorySink) -> Iterator[PredictionLogger]:
    """A logger that writes to it."""
    with PredictionLogger(model="m", model_version="1", sink=sink) as made:
        yield made


@pytest.fixture(scope="module")
def flights() -> LogisticRegression:
    """A model of two classes, fitted on a frame; its classes are late, on_time."""
    return LogisticRegression().fit(FRAME, LATE)


def test_each_row_of_a_frame_is_an_event(
    log: PredictionLogger, sink: MemorySink, flights: LogisticRegression
) -> None:
    """The rows share a request and have their places, features by the frame's columns, and the second class's probability."""
    answer = Logged(flights, log).predict_proba(FRAME)
    events = said(log, sink)
    assert [event["numeric_features"] for event in events] == FRAME.to_dict("records")
    assert [event["score"] for event in events] == answer[:, 1].tolist()
    assert [event["item_index"] for event in events] == [0, 1, 2, 3]
    assert (
        len({event["request_id"] for event in events}) == len({event["latency_ms"] for event in events}) == 1
    )
    assert len({event["prediction_id"] for event in events}) == 4
    assert {(event["status"], event["decision"], event["model_version"]) for event in events} == {
        ("ok", None, "1")
    }
    assert events[0]["latency_ms"] > 0


def test_predict_says_the_decision(
    log: PredictionLogger, sink: MemorySink, flights: LogisticRegression
) -> None:
    """The class that predict chose is the decision."""
    Logged(flights, log).predict(FRAME)
    assert [event["decision"] for event in said(log, sink)] == LATE.tolist()


def test_two_calls_are_two_requests(
    log: PredictionLogger, sink: MemorySink, flights: LogisticRegression
) -> None:
    """Each call has a request id of its own, and a service that makes two for one prediction says which counts."""
    both, one = Logged(flights, log), Logged(flights, log, methods=["predict_proba"])
    both.predict(FRAME[:1])
    both.predict_proba(FRAME[:1])
    assert len({event["request_id"] for event in said(log, sink)}) == 2
    one.predict(FRAME[:1])
    one.predict_proba(FRAME[:1])
    assert [event["score"] is None for event in said(log, sink)] == [True, False, False]
    with pytest.raises(ValueError, match="transform"):
        Logged(flights, log, methods=["transform"])


@pytest.mark.parametrize("rows", [FRAME.to_numpy(), FRAME.to_numpy().tolist()], ids=["array", "list"])
@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
def test_arrays_have_the_names_of_the_training(
    log: PredictionLogger, sink: MemorySink, flights: LogisticRegression, rows: Any
) -> None:
    """A model that knows its features names them, else they are counted, unless they are said."""
    Logged(flights, log).predict(rows)
    nameless = LogisticRegression().fit(FRAME.to_numpy(), LATE)
    Logged(nameless, log).predict(rows)
    Logged(nameless, log, features=["a", "b"]).predict(X=rows)
    names = [tuple(event["numeric_features"]) for event in said(log, sink)[::4]]
    assert names == [("delay", "distance"), ("f0", "f1"), ("a", "b")]


def test_more_classes_have_probabilities(log: PredictionLogger, sink: MemorySink) -> None:
    """A model of three kinds of iris gives each its probability, a pipeline as well, and the service's rule the decision."""
    irises = load_iris(as_frame=True)
    names = irises.target_names[irises.target]
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(irises.data, names)
    answer = Logged(model, log, decide=lambda p: max(p, key=lambda name: p[name])).predict_proba(
        irises.data[:60]
    )
    events = said(log, sink)
    assert [event["probabilities"] for event in events] == [
        dict(zip(model.classes_, row, strict=True)) for row in answer.tolist()
    ]
    assert [event["decision"] for event in events] == model.predict(irises.data[:60]).tolist()
    assert events[0]["score"] is None


def test_a_regression_has_scores(log: PredictionLogger, sink: MemorySink) -> None:
    """What a regression predicts is its score, for each of its outputs under one id."""
    targets = FRAME.to_numpy() * 2
    Logged(LinearRegression().fit(FRAME, targets[:, 0]), log).predict(FRAME)
    np.testing.assert_allclose([event["score"] for event in said(log, sink)], targets[:, 0], atol=1e-9)
    Logged(LinearRegression().fit(FRAME, targets), log, outputs=["a", "b"]).predict(FRAME)
    events = said(log, sink)[4:]
    np.testing.assert_allclose([event["score"] for event in events], targets.T.ravel(), atol=1e-9)
    ids = [event["prediction_id"] for event in events]
    assert ids[:4] == ids[4:]
    assert [event["output"] for event in events] == ["a"] * 4 + ["b"] * 4


def test_the_caller_notices_nothing(log: PredictionLogger, flights: LogisticRegression) -> None:
    """Answers are the model's own objects; attributes, other methods and what a model lacks are as before."""
    answer = object()
    assert Logged(Answering(answer), log).predict([1]) is answer
    model = Logged(flights, log)
    np.testing.assert_array_equal(model.decision_function(FRAME), flights.decision_function(FRAME))
    assert model.classes_ is flights.classes_
    assert model.unlogged is flights
    assert is_classifier(model)
    assert not hasattr(Logged(LinearSVC(), log), "predict_proba")
    with pytest.raises(AttributeError, match="LogisticRegression"):
        _ = model.nosuch
    assert {"predict", "coef_", "request", "unlogged"} <= set(dir(model))
    assert repr(model) == f"Logged({flights!r})"


def test_a_failure_is_an_event_for_each_row(
    log: PredictionLogger, sink: MemorySink, flights: LogisticRegression
) -> None:
    """What the model raised reaches the caller, and each row is a failed prediction with its features and the class of the error."""
    with pytest.raises(NotFittedError):
        Logged(LogisticRegression(), log).predict(FRAME)
    failure = KeyError("customer 17")
    with pytest.raises(KeyError) as caught:
        Logged(Answering(failure), log).predict([[1.0]])
    assert caught.value is failure
    with pytest.raises(asyncio.CancelledError):
        Logged(Answering(asyncio.CancelledError()), log).predict(iter([]))
    events = said(log, sink)
    assert [(event["status"], event["error"]) for event in events] == [
        *[("error", "sklearn.exceptions.NotFittedError")] * 4,
        ("error", "KeyError"),
        ("cancelled", "asyncio.exceptions.CancelledError"),
    ]
    assert [event["numeric_features"] for event in events[:4]] == FRAME.to_dict("records")
    assert len({event["request_id"] for event in events}) == 3
    assert all(event["score"] is None and event["latency_ms"] > 0 for event in events)


def test_features_are_those_before_the_call(log: PredictionLogger, sink: MemorySink) -> None:
    """A model that changes its input in place does not change what is said; what is not to be said is not."""

    class Rude:
        def predict(self, rows: np.ndarray) -> np.ndarray:
            rows *= 0
            return rows[:, 0].copy()

    Logged(Rude(), log).predict(np.array([[1.0, 2.0]]))
    Logged(Answering([0.5]), log, without=["name"]).predict([{"name": "Ada", "age": 36}])
    events = said(log, sink)
    assert [event["numeric_features"] for event in events] == [{"f0": 1.0, "f1": 2.0}, {"age": 36.0}]
    assert events[1]["categorical_features"] == {}


def test_labels_find_their_predictions(
    log: PredictionLogger, sink: MemorySink, flights: LogisticRegression
) -> None:
    """Inside a request the ids of the rows are known, in their order, over several calls; outside nothing is kept."""
    model, other = Logged(flights, log), Logged(flights, log)
    with model.request(request_id=17, entity_ids=["a", "b"], served=False) as request:
        model.predict(FRAME[:2])
        other.predict(FRAME[2:])
        model.predict(FRAME[2:])
    model.predict(FRAME[:1])
    events = said(log, sink)
    mine = [event for event in events if event["request_id"] == "17"]
    assert [event["prediction_id"] for event in mine] == request.prediction_ids
    assert [(event["entity_id"], event["decision"], event["served"]) for event in mine] == [
        ("a", "on_time", False),
        ("b", "on_time", False),
        ("a", "late", False),
        ("b", "late", False),
    ]
    others = [event for event in events if event["request_id"] != "17"]
    assert {(event["entity_id"], event["served"]) for event in others} == {(None, True)}
    assert len({event["request_id"] for event in others}) == 2
    log.label(request.prediction_ids[1], truth="late")


def test_the_innermost_request_counts(log: PredictionLogger, sink: MemorySink) -> None:
    """Requests may stand in each other, and end in any order, as some frameworks end them."""
    model = Logged(Answering([0.5]), log)
    outer, inner = ExitStack(), ExitStack()
    first = outer.enter_context(model.request(request_id="outer", entity_id="e"))
    second = inner.enter_context(model.request(request_id="inner"))
    model.predict([[1.0]])
    outer.close()
    model.predict([[1.0]])
    inner.close()
    model.predict([[1.0]])
    events = said(log, sink)
    assert [event["request_id"] for event in events][:2] == ["inner", "inner"]
    assert {event["entity_id"] for event in events} == {None}
    assert (len(first.prediction_ids), len(second.prediction_ids)) == (0, 2)
    with pytest.raises(TypeError, match="customer"), model.request(customer="x"):
        pass
    with pytest.raises(InvalidEvent), model.request(request_id=""):
        pass


def test_fifty_threads_have_fifty_requests(log: PredictionLogger, sink: MemorySink) -> None:
    """Threads and tasks that overlap do not see each other's request."""
    model, together = Logged(Answering([0.5]), log), threading.Barrier(50)

    def serve(number: int) -> list[str]:
        with model.request(request_id=number) as request:
            together.wait(60)
            model.predict([[1.0]])
        return request.prediction_ids

    with ThreadPoolExecutor(50) as pool:
        made = list(pool.map(serve, range(50)))
    found = {event["request_id"]: [event["prediction_id"]] for event in said(log, sink)}
    assert [found[str(number)] for number in range(50)] == made


def test_tasks_have_their_own_request(log: PredictionLogger, sink: MemorySink) -> None:
    """Fifty tasks of one thread, too, and a thread that a task waits for is in the task's request."""
    model = Logged(Answering([0.5]), log)

    async def serve(number: int) -> list[str]:
        with model.request(request_id=number) as request:
            await asyncio.to_thread(model.predict, [[1.0]])
            model.predict([[1.0]])
        return request.prediction_ids

    async def traffic() -> Sequence[list[str]]:
        return await asyncio.gather(*map(serve, range(50)))

    made = asyncio.run(traffic())
    found: dict[str, list[str]] = {}
    for event in said(log, sink):
        found.setdefault(event["request_id"], []).append(event["prediction_id"])
    assert [sorted(found[str(number)]) for number in range(50)] == [sorted(ids) for ids in made]


def test_an_awaitable_is_passed_on(log: PredictionLogger, caplog: pytest.LogCaptureFixture) -> None:
    """A model that answers later is not said, and the log says what to use."""

    async def later() -> str:
        return "late"

    assert asyncio.run(Logged(Answering(later()), log).predict([[1.0]])) == "late"
    assert "log.timed()" in caplog.text
    assert log.flush() == 0
    assert log.stats.accepted == 0


def test_a_job_waits_and_loses_nothing(sink: MemorySink) -> None:
    """In a batch job a call of more rows than the queue holds has every row delivered; in a service the rest is counted."""
    rows = np.zeros((25_000, 1))
    with PredictionLogger(model="m", sink=sink, queue_limit=12_000) as log:
        Logged(Answering(rows[:, 0]), log, batch=True).predict(rows)
        assert log.flush() == 0
        assert (log.stats.delivered, log.stats.dropped) == (25_000, {})
    away = MemorySink(capacity=100)
    away.away = True
    log = PredictionLogger(model="m", sink=away, queue_limit=1_000)
    Logged(Answering(rows[:, 0]), log).predict(rows)
    assert log.stats.accepted == 25_000
    assert log.stats.dropped["queue_full"] > 20_000
    log.close(0.1)


def test_a_logged_model_is_not_pickled(log: PredictionLogger, flights: LogisticRegression) -> None:
    """Pickling and copying are refused with a word on what to do; scikit-learn's clone is a clone of the model."""
    model = Logged(flights, log)
    for refused in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="unlogged"):
            refused(model)
    assert type(clone(model)) is LogisticRegression
    assert pickle.loads(pickle.dumps(model.unlogged)).classes_.tolist() == ["late", "on_time"]


def test_loading_it_loads_no_library() -> None:
    """A service that logs a model has loaded numpy only if its model has."""
    program = (
        "import sys; from producers import PredictionLogger; from producers.logged import Logged\n"
        "from producers.testing import MemorySink\n"
        "class Model:\n  def predict(self, rows): return [0.5 for _ in rows]\n"
        "log = PredictionLogger(model='m', sink=MemorySink())\n"
        "Logged(Model(), log).predict([[1.0]]); log.close()\n"
        "print(log.stats.delivered, [m for m in ('numpy', 'pandas', 'pyarrow', 'sklearn') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "1 []"
