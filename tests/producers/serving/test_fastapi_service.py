"""The FastAPI example, run by uvicorn and asked over HTTP: what it answers is what is in Kafka when it has ended."""

from __future__ import annotations

import json
import signal
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from served import ROOT, Served, served
from waiting import eventually

from producers.codec import decode
from producers.settings import KafkaSettings
from stream_processors.kafka import Message

ReadAll = Callable[[str], list[Message]]
UVICORN = [
    *(sys.executable, "-m", "uvicorn", "fastapi_service:app", "--app-dir", str(ROOT / "examples")),
    *("--port", "{port}"),
]
ADA = {"customer": "ada", "tenure_months": 3, "plan": "basic"}
BOB = {"customer": "bob", "tenure_months": 60, "plan": "plus"}
TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


def post(server: Served, path: str, body: Any, **headers: str) -> tuple[int, Any, str]:
    """Status, answer and request id of a POST."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{server.port}{path}",
        json.dumps(body).encode(),
        {
            "Content-Type": "application/json",
            **{name.replace("_", "-"): value for name, value in headers.items()},
        },
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as reply:
            return reply.status, json.load(reply), reply.headers["x-request-id"]
    except urllib.error.HTTPError as refusal:
        return refusal.code, json.load(refusal), refusal.headers["x-request-id"]


def records(read_all: ReadAll, topic: str) -> list[dict[str, Any]]:
    """The decoded values of a topic."""
    return [decode(message.value())[1] for message in read_all(topic)]


def metric(server: Served, name: str) -> float:
    """A metric of the service, as Prometheus reads it."""
    with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/metrics", timeout=60) as reply:
        families = text_string_to_metric_families(reply.read().decode())
    return next(sample.value for family in families for sample in family.samples if sample.name == name)


def test_what_it_answers_is_what_it_logged(
    settings: KafkaSettings, read_all: ReadAll, tmp_path: Path
) -> None:
    """A prediction, a batch, a failure and a label are events with the caller's request id and trace, and the answers' ids."""
    with served(UVICORN, settings, tmp_path) as server:
        _, ada, given = post(
            server, "/predictions", ADA, x_request_id="r-1", traceparent=f"00-{TRACE}-{SPAN}-01"
        )
        _, both, made = post(server, "/predictions/batch", [ADA, BOB])
        refused, why, _ = post(server, "/predictions", {**ADA, "plan": "gold"}, x_request_id="r-2")
        accepted, _, _ = post(server, f"/labels/{ada['prediction_id']}?truth=leave", None)
        eventually(lambda: metric(server, "hindcast_producer_delivered_total") == 5, saying="delivery")
        code = server.end()
    assert (given, refused, why, accepted) == ("r-1", 422, {"detail": "unknown plan"}, 202)
    events = {event["prediction_id"]: event for event in records(read_all, "predictions")}
    first = events.pop(ada["prediction_id"])
    assert (first["request_id"], first["trace_id"], first["span_id"]) == ("r-1", TRACE, SPAN)
    assert (first["entity_id"], first["score"], first["decision"]) == ("ada", ada["score"], "leave")
    assert (first["numeric_features"], first["categorical_features"]) == (
        {"tenure_months": 3.0},
        {"plan": "basic"},
    )
    items = [events.pop(one["prediction_id"]) for one in both]
    assert [(one["request_id"], one["item_index"], one["entity_id"]) for one in items] == [
        (made, 0, "ada"),
        (made, 1, "bob"),
    ]
    assert [one["decision"] for one in items] == [one["decision"] for one in both] == ["leave", "stay"]
    (failed,) = events.values()
    assert (failed["request_id"], failed["status"], failed["error"]) == ("r-2", "error", "KeyError")
    assert all(event["latency_ms"] > 0 for event in [first, *items, failed])
    (label,) = records(read_all, "labels")
    assert (label["prediction_id"], label["truth"]) == (ada["prediction_id"], "leave")
    assert code == -signal.SIGTERM, "uvicorn ends by the signal, past Python's exit handlers"


@pytest.mark.parametrize("workers", [1, 2])
def test_the_lifespan_flushes(
    settings: KafkaSettings, read_all: ReadAll, tmp_path: Path, workers: int
) -> None:
    """Thousands of predictions that were answered just before SIGTERM are in Kafka, each once, and each process says that it ended."""
    with served([*UVICORN, "--workers", str(workers)], settings, tmp_path) as server:
        answers = [post(server, "/predictions/batch", [ADA] * 2_000)[1] for _ in range(5)]
        server.end()
        assert "Traceback" not in server.said()
    told = sorted(one["prediction_id"] for answer in answers for one in answer)
    assert sorted(event["prediction_id"] for event in records(read_all, "predictions")) == told
    closed = [row for row in records(read_all, "ledger") if row["closing"]]
    assert sum(row["delivered"] for row in closed) == len(told) == 10_000
