"""PredictionLogger on the real Kafka: once, in the right partition, across forks, and quick when nobody answers."""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aiokafka.partitioner import murmur2
from waiting import eventually

from producers import ConfigError, PredictionLogger
from producers.codec import decode
from producers.settings import KafkaSettings
from producers.topics import topics
from stream_processors.kafka import Message, create_topics

ReadAll = Callable[[str], list[Message]]
ROOT = Path(__file__).parents[2]
NOON = datetime(2024, 9, 9, 12, 30, tzinfo=UTC)


def records(messages: list[Message]) -> list[dict[str, Any]]:
    """The decoded values."""
    return [decode(message.value())[1] for message in messages]


def test_everything_arrives_once_with_key_and_partition(settings: KafkaSettings, read_all: ReadAll) -> None:
    """A prediction and its label have the prediction's id as key, and the partition that Java's murmur2 gives it."""
    with PredictionLogger(model="m", model_version="1", kafka=settings) as log:
        ids = [log.prediction(features={"x": 1.0}, prediction_id=f"flight-{n}") for n in range(200)]
        for prediction_id in ids:
            log.label(prediction_id, truth="late")
        log.deployment(role="champion")
        assert log.flush(30) == 0
    for topic in ("predictions", "labels"):
        found = read_all(topic)
        assert sorted(record["prediction_id"] for record in records(found)) == sorted(ids)
        for message in found:
            assert message.key().decode() == decode(message.value())[1]["prediction_id"]
            # Java's client: toPositive(murmur2(key)) % partitions, here by another implementation of it
            assert message.partition() == (murmur2(message.key()) & 0x7FFFFFFF) % 4
    assert {message.partition() for message in read_all("labels")} == {0, 1, 2, 3}
    assert [message.key() for message in read_all("deployments")] == [b"m"]
    assert {message.key().decode() for message in read_all("ledger")} == {log.stats.producer_id}


def test_the_ledger_equals_what_is_in_the_log(settings: KafkaSettings, read_all: ReadAll) -> None:
    """What the last ledgers call delivered is what the topics hold; accepted is that and what was dropped."""
    with PredictionLogger(model="m", kafka=settings) as log:
        for number in range(300):
            log.prediction(features={"x": float(number)}, event_time=NOON.replace(hour=number % 24))
        log.prediction(features={"x": "y" * 2_000_000}, event_time=NOON)
        log.prediction(features={"x": 2**60}, event_time=NOON)
        log.label("p", truth=1, reported_at=NOON)
    stored = Counter(
        ("predictions", record["event_time"].hour) for record in records(read_all("predictions"))
    )
    stored.update(("labels", record["reported_at"].hour) for record in records(read_all("labels")))
    last = {(row["stream"], row["hour"].hour): row for row in records(read_all("ledger")) if row["closing"]}
    assert {account: row["delivered"] for account, row in last.items()} == stored
    assert sum(row["accepted"] for row in last.values()) == 303 == stored.total() + 2
    assert last["predictions", 12]["dropped"] == {"too_large": 1, "invalid": 1}


def test_threads_share_a_logger(settings: KafkaSettings, read_all: ReadAll) -> None:
    """Twenty threads log at once: each event arrives once, and the sequence has no gap and no repeat."""
    log = PredictionLogger(model="m", kafka=settings)
    threads = [
        threading.Thread(target=lambda: [log.prediction(score=0.5) for _ in range(100)]) for _ in range(20)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert log.flush(30) == 0
    log.close()
    assert sorted(record["sequence"] for record in records(read_all("predictions"))) == list(range(2000))


def _forked(work: Callable[[], None]) -> int:
    """Run ``work`` in a forked child that leaves as Python leaves; returns its exit code."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_a_fork_in_the_middle_of_traffic(settings: KafkaSettings, read_all: ReadAll) -> None:
    """A child has a producer id, a queue and a connection of its own; the parent goes on, and nothing is sent twice."""
    log = PredictionLogger(model="m", kafka=settings)
    stop = threading.Event()
    made: list[str] = []

    def traffic() -> None:
        while not stop.wait(0.001):
            made.append(log.prediction(entity_id="parent"))

    running = threading.Thread(target=traffic)
    running.start()

    def serve() -> None:
        for _ in range(50):
            log.prediction(entity_id="child")
        assert log.close(20) == 0
        assert log.stats.delivered == 50

    eventually(lambda: log.stats.delivered > 0, saying="traffic")
    codes = [_forked(serve) for _ in range(3)]
    stop.set()
    running.join()
    assert log.flush(30) == 0
    log.close()
    assert codes == [0, 0, 0]
    found = records(read_all("predictions"))
    assert Counter(record["entity_id"] for record in found) == {"parent": len(made), "child": 150}
    assert len({record["prediction_id"] for record in found}) == len(found)
    sequences: dict[str, list[int]] = {}
    for record in found:
        sequences.setdefault(record["producer_id"], []).append(record["sequence"])
    assert len(sequences) == 4
    assert all(sorted(numbers) == list(range(len(numbers))) for numbers in sequences.values())


def _worker(log: PredictionLogger) -> None:
    log.prediction(entity_id="worker")


def test_a_worker_of_multiprocessing_flushes_when_it_ends(settings: KafkaSettings, read_all: ReadAll) -> None:
    """A worker that never calls close loses nothing, although it leaves without Python's exit handlers."""
    log = PredictionLogger(model="m", kafka=settings)
    log.prediction(entity_id="parent")
    worker = multiprocessing.get_context("fork").Process(target=_worker, args=(log,))
    worker.start()
    worker.join(30)
    assert worker.exitcode == 0
    log.close()
    assert sorted(record["entity_id"] for record in records(read_all("predictions"))) == ["parent", "worker"]


def test_interpreter_exit_flushes(settings: KafkaSettings, read_all: ReadAll) -> None:
    """A service that just ends has sent what it said, and its last ledger says that it ended cleanly."""
    program = (
        "import os; from producers import PredictionLogger\n"
        "log = PredictionLogger(model='m')\n"
        "for n in range(500): log.prediction(features={'n': n})\n"
    )
    environment = {
        **os.environ,
        "HINDCAST_KAFKA": settings.bootstrap,
        "HINDCAST_TOPIC_PREFIX": settings.topic_prefix,
    }
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, env=environment, timeout=60, check=True)
    assert len(read_all("predictions")) == 500
    (ledger,) = records(read_all("ledger"))
    assert (ledger["accepted"], ledger["delivered"], ledger["closing"]) == (500, 500, True)


def test_nobody_answers(tmp_path: Path) -> None:
    """With a dead broker calls do not wait, what finds no room is counted, and the interpreter ends within its limit."""
    program = (
        "import json, time; from producers import KafkaSettings, PredictionLogger\n"
        "log = PredictionLogger(model='m', kafka=KafkaSettings('127.0.0.1:1'), queue_limit=1000)\n"
        "began = time.monotonic()\n"
        "for n in range(20_000): log.prediction(features={'n': n})\n"
        "said = time.monotonic() - began\n"
        "waits = log.flush(0.5); stats = log.stats\n"
        "print(json.dumps([said, waits, stats.accepted, stats.dropped, time.time()]), flush=True)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=90, check=True
    )
    ended = time.time()
    said, waits, accepted, dropped, last_words = json.loads(done.stdout)
    assert said < 20  # twenty thousand calls that each waited a millisecond would take this long
    assert accepted == 20_000
    assert waits + dropped.get("queue_full", 0) == 20_000
    assert waits > 0
    assert ended - last_words < 15
    assert "Kafka at 127.0.0.1:1" in done.stderr
    assert "Traceback" not in done.stderr


def test_close_with_a_dead_broker_is_bounded_and_counts() -> None:
    """Close gives up at its limit; what was never sent is dropped as closed."""
    log = PredictionLogger(model="m", kafka=KafkaSettings("127.0.0.1:1"))
    for _ in range(100):
        log.prediction()
    began = time.monotonic()
    log.close(1)
    assert time.monotonic() - began < 10
    assert (log.stats.dropped, log.stats.waiting) == ({"closed": 100}, 0)


def test_topics_are_not_created(kafka: str, topic_prefix: str, caplog: pytest.LogCaptureFixture) -> None:
    """Without topics events fail and are counted, the log says so once, and no topic appears."""
    from stream_processors.kafka import partition_counts  # beside its only use: what the broker has

    settings = KafkaSettings(kafka, topic_prefix)
    log = PredictionLogger(model="m", kafka=settings)
    for _ in range(20):
        log.prediction()
    eventually(lambda: log.stats.failed == 20, within=20, saying="failures")
    log.close(1)
    assert len([message for message in caplog.messages if "hindcast topics" in message]) == 1
    assert partition_counts(settings) == {}


def test_a_fatal_error_of_the_client_loses_its_own_event_only(
    kafka: str, topic_prefix: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A logger whose Kafka client has died makes another: what comes later arrives, and every event is accounted for."""
    # the broker's refusal of one message, which is too large for its topic, ends a client that promises no gaps
    settings = KafkaSettings(kafka, topic_prefix)
    create_topics(settings, [replace(topics()["predictions"], max_message_bytes=1000), topics()["ledger"]])
    log = PredictionLogger(
        model="m", kafka=replace(settings, properties={"enable.gapless.guarantee": "true"})
    )
    log.prediction(features={"text": random.Random(1).randbytes(5_000).hex()})
    assert log.flush(30) == 0
    for _ in range(10):
        log.prediction(prediction_id="one partition, as the event that died")
    assert log.flush(30) == 0
    log.close()
    assert (log.stats.delivered, log.stats.dropped, log.stats.failed) == (10, {"too_large": 1}, 0)
    assert any("_GAPLESS_GUARANTEE" in message for message in caplog.messages)


def test_wrong_properties_are_said_at_open() -> None:
    """A property that librdkafka refuses is a ConfigError where somebody waits for it, and a count where nobody does."""
    settings = KafkaSettings("127.0.0.1:1", properties={"no.such.setting": "1"})
    with pytest.raises(ConfigError, match=r"no\.such\.setting"), PredictionLogger(model="m", kafka=settings):
        pass
    log = PredictionLogger(model="m", kafka=settings)
    log.prediction()
    eventually(lambda: "no.such.setting" in log.stats.fault, saying="the fault in stats")
    assert log.close(0.5) == 0
    assert log.stats.dropped == {"closed": 1}
