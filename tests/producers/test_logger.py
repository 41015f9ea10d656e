"""What PredictionLogger promises, on a log in memory."""

from __future__ import annotations

import logging
import math
import threading
import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from producers import InvalidEvent, PredictionLogger
from producers.testing import MemorySink

NOON = datetime(2024, 9, 9, 12, 30, tzinfo=UTC)
NAIVE = datetime(2024, 9, 9)  # noqa: DTZ001 - a datetime without zone is the subject


def test_the_example_of_the_module_works(sink: MemorySink) -> None:
    """Everything said stands in the log, with the fields as they were said."""
    with PredictionLogger(model="m", model_version="1", environment="staging", sink=sink) as log:
        prediction_id = log.prediction(
            features={"age": 41, "carrier": "UA", "temp": None},
            score=0.7,
            decision=True,
            event_time=NOON,
            probabilities={"late": 0.7},
            segments={"region": "east", "none": None},
            request_id=88,
            item_index=0,
            entity_id="e",
            latency_ms=3,
        )
        label_id = log.label(prediction_id, truth=True, true_at=NOON + timedelta(hours=2), source="tower")
        log.deployment(role="champion", traffic_share=1, parameters={"C": 1.0}, reason="first")
    (prediction,) = sink.records("predictions")
    (label,) = sink.records("labels")
    (deployment,) = sink.records("deployments")
    expected = {
        "prediction_id": prediction_id,
        "model": "m",
        "model_version": "1",
        "environment": "staging",
        "event_time": NOON,
        "numeric_features": {"age": 41.0, "temp": None},
        "categorical_features": {"carrier": "UA"},
        "score": 0.7,
        "decision": "true",
        "probabilities": {"late": 0.7},
        "segments": {"region": "east"},
        "request_id": "88",
        "item_index": 0,
        "entity_id": "e",
        "latency_ms": 3.0,
        "served": True,
        "status": "ok",
        "sequence": 0,
        "producer_id": log.stats.producer_id,
        "known_at": None,
    }
    assert {field: prediction[field] for field in expected} == expected
    assert (label["label_id"], label["prediction_id"], label["truth"]) == (label_id, prediction_id, "true")
    assert (label["environment"], label["source"], label["sequence"]) == (None, "tower", 0)
    assert (deployment["role"], deployment["parameters"], deployment["environment"]) == (
        "champion",
        {"C": "1.0"},
        "staging",
    )
    assert [message.key for message in sink.messages[:3]] == [
        prediction_id.encode(),
        prediction_id.encode(),
        b"m",
    ]


def test_defaults_are_of_the_call(sink: MemorySink) -> None:
    """Without times, event_time and reported_at are the moment of the call, and the id carries it."""
    moment = 1_700_000_000_123_456_789
    with PredictionLogger(model="m", sink=sink, clock=lambda: moment) as log:
        prediction_id = log.prediction(score=1.0)
        log.label(prediction_id, truth_value=2)
    at = datetime.fromtimestamp(moment // 1000 / 1e6, tz=UTC)
    assert sink.records("predictions")[0]["event_time"] == at
    assert sink.records("labels")[0]["reported_at"] == at
    assert int(prediction_id.replace("-", "")[:12], 16) == moment // 1_000_000


def test_a_failed_prediction_is_an_event(log: PredictionLogger, sink: MemorySink) -> None:
    """An error without a status is a status of its own."""
    log.prediction(error="TimeoutError")
    log.prediction(error="TimeoutError", status="timeout")
    log.flush()
    assert [record["status"] for record in sink.records("predictions")] == ["error", "timeout"]


def test_later_changes_of_the_caller_are_not_seen(log: PredictionLogger, sink: MemorySink) -> None:
    """The features are those of the call, whatever the caller does to its dictionary afterwards."""
    sink.away = True
    features: dict[str, object] = {"a": 1.0}
    log.prediction(features=features)
    features.clear()
    sink.away = False
    log.flush()
    assert sink.records("predictions")[0]["numeric_features"] == {"a": 1.0}


@pytest.mark.parametrize(
    ("call", "field"),
    [
        (lambda log: log.prediction(event_time=NAIVE), "event_time"),
        (lambda log: log.prediction(target_time=NAIVE), "target_time"),
        (lambda log: log.prediction(known_at=NAIVE), "known_at"),
        (lambda log: log.prediction(prediction_id=""), "prediction_id"),
        (lambda log: log.prediction(features=[1.0]), "features"),
        (lambda log: log.prediction(features="abc"), "features"),
        (lambda log: log.prediction(model_version=2.0), "model_version"),
        (lambda log: log.prediction(environment=None, output=None), "output"),
        (lambda log: log.prediction(score="0.5"), "score"),
        (lambda log: log.prediction(score=2**60), "score"),
        (lambda log: log.prediction(decision=0.5), "decision"),
        (lambda log: log.prediction(latency_ms="slow"), "latency_ms"),
        (lambda log: log.prediction(sampling_rate=0), "sampling_rate"),
        (lambda log: log.prediction(sampling_rate=None), "sampling_rate"),
        (lambda log: log.label("p", truth=1, true_at=NAIVE), "true_at"),
        (lambda log: log.label("p", truth=1, reported_at=NAIVE), "reported_at"),
        (lambda log: log.label("p", truth=1, kind="guess"), "kind"),
        (lambda log: log.label(None, truth=1), "prediction_id"),
        (lambda log: log.label("p"), "truth"),
        (lambda log: log.label("p", kind="correction"), "truth"),
        (lambda log: log.label("p", truth=[1]), "truth"),
        (lambda log: log.label("p", truth=math.nan), "truth"),
        (lambda log: log.label("p", truth=2**60), "truth"),
        (lambda log: log.label("p", truth=0.5, truth_value=0.5), "truth"),
        (lambda log: log.label("p", truth_value="much"), "truth_value"),
        (lambda log: log.label("p", truth_value=math.nan), "truth_value"),
        (lambda log: log.label("p", truth="a\ud800b"), "truth"),
        (lambda log: log.label("p", truth="late", label_id=""), "label_id"),
        (lambda log: log.label("p", truth="late", source=3), "source"),
        (lambda log: log.deployment(role="king"), "role"),
        (lambda log: log.deployment(role="champion", traffic_share=2), "traffic_share"),
        (lambda log: log.deployment(role="champion", valid_from=NAIVE), "valid_from"),
        (lambda log: log.deployment(role="champion", artifact_uri=7), "artifact_uri"),
        (lambda _: PredictionLogger(model="", sink=MemorySink()), "model"),
    ],
)
def test_what_the_developer_got_wrong_is_said_in_the_call(
    log: PredictionLogger, call: Any, field: str
) -> None:
    """A mistake in the call itself raises InvalidEvent with the field's name, and nothing is counted."""
    with pytest.raises(InvalidEvent) as refusal:
        call(log)
    assert refusal.value.field == field
    assert log.stats.accepted == 0


BAD_VALUES = [
    {"features": {"n": 2**60}},
    {"features": {"embedding": [1.0, 2.0]}},
    {"features": {"when": NAIVE}},
    {"features": {"text": "a\ud800b"}},
    {"features": {7: 1.0}},
    {"probabilities": {"late": None}},
    {"segments": {"region": 0.5}},
    {"rank": 2**40},
    {"entity_id": "a\udfffb"},
    {"trace_id": 17},
]


@pytest.mark.parametrize("said", BAD_VALUES, ids=str)
def test_a_value_that_does_not_fit_drops_its_event_only(
    log: PredictionLogger, sink: MemorySink, said: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    """The event is counted as invalid, the log names the field and not the value, and the next event arrives."""
    log.prediction(**said)
    log.prediction(score=0.5)
    assert log.flush() == 0
    assert (log.stats.accepted, log.stats.delivered, log.stats.dropped) == (2, 1, {"invalid": 1})
    (field,) = said
    assert any(field in message or "features" in message for message in caplog.messages)
    value = next(iter(said[field].values())) if isinstance(said[field], dict) else said[field]
    assert not any(repr(value) in message for message in caplog.messages)


@pytest.mark.parametrize("said", BAD_VALUES, ids=str)
def test_strict_says_it_in_the_call(sink: MemorySink, said: dict[str, Any]) -> None:
    """A strict logger raises for a value too."""
    with PredictionLogger(model="m", sink=sink, strict=True) as log, pytest.raises(InvalidEvent):
        log.prediction(**said)


@pytest.mark.parametrize(
    ("truth", "true_class", "true_number"),
    [
        ("late", "late", None),
        (True, "true", None),
        (np.bool_(False), "false", None),
        (3.7, None, 3.7),
        (np.float32(0.5), None, 0.5),
        (Decimal("1.25"), None, 1.25),
        (math.inf, None, math.inf),
        (1, "1", 1.0),
        (np.int64(-3), "-3", -3.0),
    ],
)
def test_a_truth_is_what_it_is(
    log: PredictionLogger, sink: MemorySink, truth: object, true_class: str | None, true_number: float | None
) -> None:
    """A string or boolean is a class, a number a true number, a whole number both: a code of a class or a count."""
    log.label("p", truth=truth)
    log.label("p", truth=truth, kind="correction")
    assert log.flush() == 0
    for label in sink.records("labels"):
        assert (label["truth"], label["truth_value"]) == (true_class, true_number)


def test_a_class_may_have_a_number_beside_it(log: PredictionLogger, sink: MemorySink) -> None:
    """A truth_value said beside a class, in words or as a code, is the true number."""
    log.label("p", truth="late", truth_value=20)
    log.label("p", truth=3, truth_value=20)
    log.flush()
    assert [(label["truth"], label["truth_value"]) for label in sink.records("labels")] == [
        ("late", 20.0),
        ("3", 20.0),
    ]


def test_a_retraction_or_void_needs_no_truth(log: PredictionLogger, sink: MemorySink) -> None:
    """What takes a truth back, or says that none will come, says none."""
    log.label("p", kind="retraction")
    log.label("p", kind="void")
    log.flush()
    assert [(label["kind"], label["truth"]) for label in sink.records("labels")] == [
        ("retraction", None),
        ("void", None),
    ]


def test_odd_but_legal_values_arrive(log: PredictionLogger, sink: MemorySink) -> None:
    """NaN, infinities, quotes, newlines, NUL and other scripts arrive as they are."""
    odd = {"nan": math.nan, "inf": math.inf, "minus": -math.inf, "quo'te\"\n": "a'b\"c\\\n\x00", "飛": "✈️"}
    log.prediction(features=odd, prediction_id='it\'s "one"', decision="")
    log.flush()
    (record,) = sink.records("predictions")
    arrived = record["numeric_features"] | record["categorical_features"]
    assert {name: repr(value) for name, value in arrived.items()} == {
        name: repr(value) for name, value in odd.items()
    }
    assert (record["prediction_id"], record["decision"]) == ('it\'s "one"', "")


def test_ten_megabytes_are_too_large(log: PredictionLogger, sink: MemorySink) -> None:
    """An event beyond the broker's limit is dropped as too_large, and the next one arrives."""
    log.prediction(features={"text": "x" * 10_000_000})
    log.prediction()
    assert log.flush() == 0
    assert (log.stats.delivered, log.stats.dropped) == (1, {"too_large": 1})


def test_a_call_does_not_wait_for_a_log_that_is_away(sink: MemorySink) -> None:
    """Flush and close end at their time limit, and close counts what it gives up."""
    sink.away = True
    log = PredictionLogger(model="m", sink=sink)
    log.prediction()
    began = time.monotonic()
    assert log.flush(0.2) == 1
    assert log.close(0.4) == 0
    assert time.monotonic() - began < 5
    assert log.stats.dropped == {"closed": 1}


def test_after_close_events_are_counted_as_closed(log: PredictionLogger, sink: MemorySink) -> None:
    """A closed logger raises nothing; it counts."""
    log.prediction()
    log.close()
    log.prediction()
    log.label("p", truth=1)
    assert (log.stats.delivered, log.stats.dropped, log.stats.waiting) == (1, {"closed": 2}, 0)
    assert len(sink.records("predictions")) == 1
    assert log.close() == 0
    assert log.flush() == 0


def test_a_logger_never_used_starts_nothing(sink: MemorySink) -> None:
    """Without an event there is no thread, no ledger and no wait."""
    before = threading.active_count()
    log = PredictionLogger(model="m", sink=sink)
    assert threading.active_count() == before
    assert (log.flush(), log.close(), log.stats.accepted, sink.messages) == (0, 0, 0, [])
    log.prediction()
    assert log.stats.dropped == {"closed": 1}


def test_the_ledger_balances_per_model_environment_and_hour(sink: MemorySink) -> None:
    """The ledgers of one producer add up to what was said, each account for itself, cumulatively."""
    sink.refuse = {"deployments": "TOPIC_AUTHORIZATION_FAILED"}
    with PredictionLogger(model="m", model_version="1", sink=sink) as log:
        for minutes in (0, 29, 30, 90):
            log.prediction(event_time=NOON + timedelta(minutes=minutes))
        log.prediction(event_time=NOON, environment="shadow", features={"x": [1]})
        assert log.flush() == 0
        log.label("p", truth=1, reported_at=NOON)
        log.label("p", truth=1, reported_at=NOON, environment="production")
        log.deployment(role="champion", valid_from=NOON)
        log.prediction(event_time=NOON)
    last = {
        (row["environment"], row["stream"], row["hour"].hour): row
        for row in sink.records("ledger")
        if row["producer_id"] == log.stats.producer_id
    }
    counts = {
        account: (
            row["accepted"],
            row["delivered"],
            row["failed"],
            row["dropped"],
            row["first_sequence"],
            row["last_sequence"],
        )
        for account, row in last.items()
    }
    assert counts == {
        ("production", "predictions", 12): (3, 3, 0, {}, 0, 4),
        ("production", "predictions", 13): (1, 1, 0, {}, 2, 2),
        ("production", "predictions", 14): (1, 1, 0, {}, 3, 3),
        ("shadow", "predictions", 12): (1, 0, 0, {"invalid": 1}, None, None),
        ("", "labels", 12): (1, 1, 0, {}, 0, 0),
        ("production", "labels", 12): (1, 1, 0, {}, 1, 1),
        ("production", "deployments", 12): (1, 0, 1, {}, None, None),
    }
    assert all(row["closing"] for row in last.values())
    assert [row["closing"] for row in sink.records("ledger")].count(False) == 4


def test_losses_are_said_once(sink: MemorySink, caplog: pytest.LogCaptureFixture) -> None:
    """A refusal by the broker is said in the log once with its count, not once per event."""
    caplog.set_level(logging.WARNING)
    sink.refuse = {"predictions": "UNKNOWN_TOPIC_OR_PART"}
    log = PredictionLogger(model="m", sink=sink)
    for _ in range(50):
        log.prediction()
    assert log.flush() == 0
    log.close()
    said = [message for message in caplog.messages if "UNKNOWN_TOPIC_OR_PART" in message]
    assert len(said) == 1
    assert "hindcast topics" in said[0]
    assert log.stats.failed == 50


def test_fifty_threads(sink: MemorySink) -> None:
    """Fifty threads log at once: every event arrives once, with a sequence number of its own."""
    log = PredictionLogger(model="m", sink=sink)
    made: list[str] = []

    def serve() -> None:
        made.extend([log.prediction(score=0.5) for _ in range(200)])

    threads = [threading.Thread(target=serve) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert log.flush(60) == 0
    records = sink.records("predictions")
    assert sorted(record["prediction_id"] for record in records) == sorted(made)
    assert sorted(record["sequence"] for record in records) == list(range(10_000))
    log.close()
