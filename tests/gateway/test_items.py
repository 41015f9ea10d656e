"""What a request may say: it becomes the event that the logger would have sent, or a problem with its place and field."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from running_gateway import GOOD, NDJSON, RunningGateway

from producers import PredictionLogger
from producers.testing import MemorySink

AT = datetime(2026, 3, 1, 12, 30, 15, 123456, UTC)
EVENT: dict[str, Any] = {
    "prediction_id": "p-1",
    "output": "risk",
    "request_id": 17,
    "item_index": 2,
    "rank": 1,
    "entity_id": "customer-9",
    "served": False,
    "features": {"age": 41, "income": 1.5, "plan": "plus", "member": True, "region": None, "code": 7},
    "score": 1,
    "decision": True,
    "probabilities": {"yes": 0.25, "no": 0.75},
    "quantiles": {"0.1": -1.0},
    "segments": {"country": "NL", "tier": 2, "unknown": None},
    "status": "ok",
    "error": "ValueError",
    "latency_ms": 12.5,
    "sampling_rate": 0.5,
    "trace_id": "0af7651916cd43dd8448eb211c80319c",
    "span_id": "b7ad6b7169203331",
}


def logged(stream: str, event: dict[str, Any], **made: Any) -> dict[str, Any]:
    """The record that a logger sends."""
    sink = MemorySink()
    log = PredictionLogger(model="churn", model_version="3", sink=sink, sigterm=False, **made)
    with log:
        getattr(log, stream.removesuffix("s"))(**event)
    (record,) = sink.records(stream)
    return record


def same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Equal but for who sent it."""
    return {**one, "producer_id": 0, "sequence": 0} == {**other, "producer_id": 0, "sequence": 0}


def test_a_prediction_is_what_the_logger_sends(gateway: RunningGateway) -> None:
    """Every field arrives as `PredictionLogger.prediction` would have written it, with a producer and a number."""
    times = {name: AT.isoformat() for name in ("event_time", "target_time", "known_at")}
    reply = gateway.send("predictions", {**GOOD, **EVENT, **times, "categorical": ["region", "code"]})
    assert (reply.status, reply.content) == (202, {"accepted": 1, "refused": 0, "ids": ["p-1"]})
    (record,) = gateway.recorded("predictions", ["p-1"])
    expected = logged(
        "predictions",
        {**EVENT, "event_time": AT, "target_time": AT, "known_at": AT},
        categorical=("region", "code"),
    )
    assert same(record, expected)
    assert record["producer_id"]
    assert record["sequence"] >= 0


def test_a_label_is_what_the_logger_sends(gateway: RunningGateway) -> None:
    """So does every field of a label."""
    label = {
        "prediction_id": "p-1",
        "label_id": "l-1",
        "truth": 3,
        "kind": "correction",
        "output": "risk",
        "model_version": "3",
        "environment": "staging",
        "source": "billing",
    }
    times = ("true_at", "reported_at", "predicted_at", "known_at")
    reply = gateway.send("labels", {"model": "churn", **label, **dict.fromkeys(times, AT.isoformat())})
    assert (reply.status, reply.content["ids"]) == (202, ["l-1"])
    (record,) = gateway.recorded("labels", ["l-1"])
    assert same(record, logged("labels", {**label, **dict.fromkeys(times, AT)}))


def test_a_deployment_is_what_the_logger_sends(gateway: RunningGateway) -> None:
    """And of a deployment, which has no id."""
    facts = {
        "role": "champion",
        "traffic_share": 1,
        "artifact_uri": "file:model",
        "artifact_digest": "sha256:0",
        "code_revision": "abc",
        "training_data_uri": "file:data",
        "training_data_digest": "sha256:1",
        "training_run": "r-7",
        "parameters": {"depth": "3"},
        "approved_by": "a",
        "actor": "b",
        "reason": "better",
    }
    times = ("valid_from", "known_at")
    reply = gateway.send(
        "deployments?durable=true", {**GOOD, **facts, **dict.fromkeys(times, AT.isoformat())}
    )
    assert (reply.status, reply.content) == (200, {"accepted": 1, "refused": 0, "outcomes": ["delivered"]})
    record = gateway.sink.records("deployments")[-1]
    assert record == logged("deployments", {**facts, **dict.fromkeys(times, AT)})


def test_ids_and_times_are_made_where_none_are_given(gateway: RunningGateway) -> None:
    """They are answered, all different, and the time is that of arrival."""
    before = datetime.now(UTC)
    ids = gateway.send("predictions", [GOOD] * 3).content["ids"]
    records = gateway.recorded("predictions", ids)
    assert len(set(ids)) == 3
    assert all(before <= record["event_time"] <= datetime.now(UTC) for record in records)
    label = gateway.send("labels", {"model": "churn", "prediction_id": 5, "truth_value": 0.5}).content["ids"]
    assert gateway.recorded("labels", label)[0]["prediction_id"] == "5"


@pytest.mark.parametrize(
    ("time", "micros"),
    [
        ("2026-03-01T12:30:15Z", "2026-03-01T12:30:15.000000"),
        ("2026-03-01t14:30:15.5+02:00", "2026-03-01T12:30:15.500000"),
        ("2026-03-01T12:30:15.123456789Z", "2026-03-01T12:30:15.123457"),
    ],
)
def test_times_have_a_zone_and_keep_their_microseconds(
    gateway: RunningGateway, time: str, micros: str
) -> None:
    """As any language writes them, nanoseconds rounded."""
    ids = gateway.send("predictions", {**GOOD, "event_time": time}).content["ids"]
    (record,) = gateway.recorded("predictions", ids)
    assert record["event_time"] == datetime.fromisoformat(micros).replace(tzinfo=UTC)


WRONG: list[tuple[str, dict[str, Any], str, str]] = [
    ("predictions", {"model": ""}, "model", "is empty"),
    ("predictions", {"model": None}, "model", "expected integer | string, got null"),
    ("predictions", {"modle": "x"}, "modle", "is not a field of this kind of item"),
    (
        "predictions",
        {"event_time": "2026-03-01T12:30:15"},
        "event_time",
        "expected RFC 3339 time with a timezone component",
    ),
    (
        "predictions",
        {"event_time": 1_700_000_000},
        "event_time",
        "expected RFC 3339 time | null, got integer",
    ),
    (
        "predictions",
        {"event_time": "yesterday"},
        "event_time",
        "is no RFC 3339 time, such as 2026-03-01T12:30:15Z",
    ),
    ("predictions", {"event_time": "2500-01-01T00:00:00Z"}, "event_time", "outside the years 1900 to 2299"),
    (
        "predictions",
        {"features": {"a": 2**53 + 1}},
        "features.a",
        "an integer beyond 2^53 changes as a double: send it as a string",
    ),
    ("predictions", {"features": {"a": [1]}}, "features.a", "a number is wanted, not array"),
    ("predictions", {"features": {"a": {"b": 1}}}, "features.a", "a number is wanted, not object"),
    ("predictions", {"features": [1]}, "features", "expected object, got array"),
    ("predictions", {"score": "high"}, "score", "expected number | null, got string"),
    (
        "predictions",
        {"score": 2**60},
        "score",
        "an integer beyond 2^53 changes as a double: send it as a string",
    ),
    ("predictions", {"decision": 0.5}, "decision", "expected boolean | integer | string | null, got number"),
    ("predictions", {"probabilities": {"yes": None}}, "probabilities.yes", "is null"),
    ("predictions", {"segments": {"a": 0.5}}, "segments.a", "a string is wanted, not number"),
    ("predictions", {"served": "yes"}, "served", "expected boolean, got string"),
    ("predictions", {"item_index": 2**31}, "item_index", "an integer beyond 32 bits"),
    ("predictions", {"item_index": 0.5}, "item_index", "expected integer | null, got number"),
    ("predictions", {"sampling_rate": 0}, "sampling_rate", "a number above 0 and up to 1 is wanted"),
    ("predictions", {"categorical": [1]}, "categorical[0]", "expected string, got integer"),
    ("predictions", {"x" * 5_000: 1}, "x" * 100 + "…", "is not a field of this kind of item"),
    (
        "labels",
        {"truth": None},
        "truth",
        "a truth says truth or truth_value; where it will never come, say kind='void'",
    ),
    ("labels", {"kind": "lie"}, "kind", "one of truth, correction, retraction, void is wanted"),
    ("labels", {"truth": [1]}, "truth", "expected boolean | number | string | null, got array"),
    ("labels", {"prediction_id": ""}, "prediction_id", "is empty"),
    ("deployments", {"role": "boss"}, "role", "one of champion, challenger, shadow, retired is wanted"),
    ("deployments", {"traffic_share": 2}, "traffic_share", "a number from 0 to 1 is wanted"),
    ("deployments", {"parameters": {"depth": 3}}, "parameters[...]", "expected string, got integer"),
]
WHOLE = {
    "predictions": GOOD,
    "labels": {"model": "churn", "prediction_id": "p", "truth": "yes"},
    "deployments": {**GOOD, "role": "shadow"},
}


@pytest.mark.parametrize(("stream", "change", "field", "reason"), WRONG)
def test_what_does_not_fit_is_named(
    gateway: RunningGateway, stream: str, change: dict[str, Any], field: str, reason: str
) -> None:
    """With its place, its field, and what is wrong; the good item beside it is taken."""
    reply = gateway.send(stream, [{**WHOLE[stream], **change}, WHOLE[stream]])
    assert reply.status == 202
    assert reply.content["errors"] == [{"index": 0, "field": field, "reason": reason}]
    assert (reply.content["accepted"], reply.content["refused"]) == (1, 1)


@pytest.mark.parametrize("missing", ["model", "model_version"])
def test_what_is_missing_is_named(gateway: RunningGateway, missing: str) -> None:
    """No item is good: 422."""
    reply = gateway.send("predictions", {name: value for name, value in GOOD.items() if name != missing})
    assert reply.status == 422
    assert reply.content["errors"] == [{"index": 0, "field": missing, "reason": "is missing"}]
    assert reply.content["ids"] == [None]


def test_bad_items_leave_the_good_ones_alone(gateway: RunningGateway) -> None:
    """In an array and in lines alike: ids stand where the items stood, and what is no JSON costs its own line only."""
    bad = b'{"model": "\xff", "model_version": "3"}'
    lines = [
        json.dumps(GOOD).encode(),
        bad,
        b"",
        b"{nonsense",
        json.dumps({**GOOD, "score": "x"}).encode(),
        b"[]",
    ]
    reply = gateway.send("predictions", b"\r\n".join([*lines, json.dumps(GOOD).encode()]), NDJSON)
    assert reply.status == 202
    ids = reply.content["ids"]
    assert [known is None for known in ids] == [False, True, True, True, True, False]
    problems = {one["index"]: (one["field"], one["reason"][:11]) for one in reply.content["errors"]}
    assert problems == {
        1: ("", "is not UTF-"),
        2: ("", "is not JSON"),
        3: ("score", "expected nu"),
        4: ("", "expected ob"),
    }
    assert len(gateway.recorded("predictions", [known for known in ids if known])) == 2
    reply = gateway.send("predictions", b"[%s, %s, 5]" % (json.dumps(GOOD).encode(), bad))
    assert [known is None for known in reply.content["ids"]] == [False, True, True]
