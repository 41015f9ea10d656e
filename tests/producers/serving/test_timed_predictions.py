"""A prediction that is timed: said once at its end, as what it was."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from producers import InvalidEvent, PredictionLogger
from producers.testing import MemorySink
from producers.timing import FIELDS, PredictionFields, TimedPrediction, failure_of

NOON = datetime(2024, 9, 9, 12, 30, tzinfo=UTC)


class ModelGone(Exception):
    """What a service's own model may raise."""


@pytest.fixture
def sink() -> MemorySink:
    """A log in memory."""
    return MemorySink()


@pytest.fixture
def log(sink: MemorySink) -> Iterator[PredictionLogger]:
    """A logger that writes to it."""
    with PredictionLogger(model="m", model_version="1", sink=sink) as made:
        yield made


def only(log: PredictionLogger, sink: MemorySink) -> dict[str, Any]:
    """The one event that was said."""
    assert log.flush() == 0
    (record,) = sink.records("predictions")
    return record


def fails(event: TimedPrediction, failure: BaseException, **said: object) -> None:
    """A service's code that sets some fields and then does not come to its end."""
    for name, value in said.items():
        setattr(event, name, value)
    raise failure


def test_what_is_set_inside_is_said_with_its_latency(log: PredictionLogger, sink: MemorySink) -> None:
    """The event has what was given and what was set, the id that was known inside, and a latency; the id carries the event's time."""
    with log.timed(features={"x": 1.0}, entity_id=17) as event:
        known = event.prediction_id
        event.score = 0.7
        event.decision = "leave"
    record = only(log, sink)
    assert (record["prediction_id"], record["entity_id"], record["numeric_features"]) == (
        known,
        "17",
        {"x": 1.0},
    )
    assert (record["score"], record["decision"], record["status"], record["error"]) == (
        0.7,
        "leave",
        "ok",
        None,
    )
    assert record["latency_ms"] == event.latency_ms
    assert record["latency_ms"] > 0
    milliseconds = (record["event_time"] - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
    assert int(known.replace("-", "")[:12], 16) == milliseconds


def test_the_time_is_that_of_the_start(sink: MemorySink) -> None:
    """The event's time is exact and from before the prediction; ids, times and latencies that the caller has are taken."""
    times = iter([1_700_000_000_123_456_789, 1_700_000_009_000_000_000])
    log = PredictionLogger(model="m", sink=sink, clock=lambda: next(times))
    with log.timed() as event:
        assert event.event_time == datetime.fromtimestamp(1_700_000_000, tz=UTC) + timedelta(
            microseconds=123_456
        )
    assert only(log, sink)["event_time"] == event.event_time
    with log.timed(prediction_id=7, event_time=NOON, latency_ms=3):
        pass
    log.flush()
    second = sink.records("predictions")[1]
    assert (second["prediction_id"], second["event_time"], second["latency_ms"]) == ("7", NOON, 3.0)
    log.close()


def test_an_exception_is_an_event_and_passes(log: PredictionLogger, sink: MemorySink) -> None:
    """A failed prediction is said with its class and what was known, without its message, and the caller gets the exception itself."""
    raised = ModelGone("customer 17 has no income")
    event = log.timed(features={"x": 1.0})
    with pytest.raises(ModelGone) as caught, event:
        fails(event, raised, score=0.2)
    assert caught.value is raised
    record = only(log, sink)
    assert (record["status"], record["error"]) == ("error", f"{__name__}.ModelGone")
    assert (record["score"], record["numeric_features"]) == (0.2, {"x": 1.0})
    assert record["latency_ms"] > 0
    assert b"income" not in sink.messages[0].value


@pytest.mark.parametrize(
    ("error", "status", "name"),
    [
        (ValueError("x"), "error", "ValueError"),
        (TimeoutError(), "error", "TimeoutError"),
        (ModelGone(), "error", f"{__name__}.ModelGone"),
        (InvalidEvent("a", "b"), "error", "producers.errors.InvalidEvent"),
        (asyncio.CancelledError(), "cancelled", "asyncio.exceptions.CancelledError"),
        (GeneratorExit(), "cancelled", "GeneratorExit"),
        (KeyboardInterrupt(), "cancelled", "KeyboardInterrupt"),
        (SystemExit(0), "cancelled", "SystemExit"),
    ],
)
def test_what_is_no_failure_of_the_model_is_cancelled(
    log: PredictionLogger, sink: MemorySink, error: BaseException, status: str, name: str
) -> None:
    """What ends a prediction from outside is told apart from what went wrong, and both pass."""
    assert failure_of(error) == (status, name)
    with pytest.raises(type(error)), log.timed():
        raise error
    record = only(log, sink)
    assert (record["status"], record["error"]) == (status, name)


def test_a_status_of_the_caller_stays(log: PredictionLogger, sink: MemorySink) -> None:
    """Who says what kind of failure it was is believed."""
    event = log.timed()
    with pytest.raises(TimeoutError), event:
        fails(event, TimeoutError(), status="timeout", error="upstream")
    record = only(log, sink)
    assert (record["status"], record["error"]) == ("timeout", "upstream")


def test_a_failure_answered_by_the_service_may_be_said(log: PredictionLogger, sink: MemorySink) -> None:
    """An error set inside without an exception is a failed prediction too."""
    with log.timed() as event:
        event.error = "fallback"
    record = only(log, sink)
    assert (record["status"], record["error"]) == ("error", "fallback")


def test_a_misfit_is_said_at_the_end(log: PredictionLogger, sink: MemorySink) -> None:
    """A score that is none raises InvalidEvent with the field's name at the exit."""
    with pytest.raises(InvalidEvent) as refusal, log.timed() as event:
        event.score = "high"
    assert refusal.value.field == "score"
    assert log.stats.accepted == 0


def test_a_misfit_does_not_hide_a_failure(log: PredictionLogger, sink: MemorySink) -> None:
    """Where the block failed its exception passes, and the event is said without what does not fit."""
    event = log.timed(entity_id="e")
    with pytest.raises(ModelGone), event:
        fails(event, ModelGone(), score="high")
    record = only(log, sink)
    assert (record["prediction_id"], record["error"], record["score"]) == (
        event.prediction_id,
        f"{__name__}.ModelGone",
        None,
    )


def test_a_wrong_name_is_found(log: PredictionLogger) -> None:
    """A misspelt field is an error where it is written, and id and time are fixed."""
    with pytest.raises(TypeError, match="scroe"):
        log.timed(scroe=1.0)
    with log.timed() as event:
        with pytest.raises(AttributeError):
            event.scroe = 1.0  # type: ignore[attr-defined]
        with pytest.raises(AttributeError):
            event.prediction_id = "p"  # type: ignore[misc]
    with pytest.raises(InvalidEvent):
        log.timed(prediction_id="")


def test_one_is_for_one_prediction(log: PredictionLogger) -> None:
    """Entered a second time it would say another prediction under the same id, so it does not."""
    event = log.timed()
    with event:
        pass
    with pytest.raises(RuntimeError, match="call timed"), event:
        pass
    assert log.flush() == 0
    assert log.stats.accepted == 1


def test_every_field_of_a_prediction_may_be_set() -> None:
    """Names and defaults are those of PredictionLogger.prediction."""
    taken = {
        name: parameter.default
        for name, parameter in inspect.signature(PredictionLogger.prediction).parameters.items()
        if name not in {"self", "prediction_id", "event_time"}
    }
    offered = {name: getattr(PredictionFields, name) for name in FIELDS}
    assert offered == taken


def test_in_coroutines_each_has_its_own(log: PredictionLogger, sink: MemorySink) -> None:
    """Fifty tasks that overlap say fifty events; one that is cancelled says that it was."""

    async def serve(number: int, go: asyncio.Event) -> str:
        with log.timed(entity_id=number) as event:
            await go.wait()
            event.score = number / 50
        return event.prediction_id

    async def traffic() -> list[str | BaseException]:
        go, never = asyncio.Event(), asyncio.Event()
        tasks = [asyncio.create_task(serve(number, go)) for number in range(50)]
        given_up = asyncio.create_task(serve(50, never))
        await asyncio.sleep(0)  # a turn of the loop: every task has begun
        given_up.cancel()
        go.set()
        return await asyncio.gather(*tasks, given_up, return_exceptions=True)

    *made, last = asyncio.run(traffic())
    assert isinstance(last, asyncio.CancelledError)
    assert log.flush() == 0
    found = {record["entity_id"]: record for record in sink.records("predictions")}
    assert found.pop("50")["status"] == "cancelled"
    assert {entity: record["score"] for entity, record in found.items()} == {
        str(n): n / 50 for n in range(50)
    }
    assert [found[str(number)]["prediction_id"] for number in range(50)] == made
