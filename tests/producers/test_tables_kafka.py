"""Tables on the real Kafka: every row once, in its order and partition, counted exactly by account, whatever goes wrong."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from aiokafka.partitioner import murmur2
from waiting import eventually

from hindcast.local.kafka import answers, prepare_kafka
from hindcast.local.program import Running
from producers import PredictionLogger
from producers.codec import decode
from producers.settings import KafkaSettings
from producers.topics import topics
from stream_processors.kafka import Message, create_topics

ReadAll = Callable[[str], list[Message]]
ROOT = Path(__file__).parents[2]
NOON = datetime(2024, 9, 9, 12, tzinfo=UTC)
_START = int(NOON.timestamp()) * 1_000_000


def table(rows: int) -> pa.Table:
    """Rows of two environments and three hours, each with its number."""
    return pa.table(
        {
            "x": np.arange(rows),
            "carrier": pa.array([("UA", "AA", None)[place % 3] for place in range(rows)]),
            "environment": pa.array([("production", "test")[place % 2] for place in range(rows)]),
            "event_time": pa.array(
                _START + np.arange(rows) * 3 * 3_600_000_000 // rows, pa.timestamp("us", "UTC")
            ),
        }
    )


def records(messages: list[Message]) -> list[dict[str, Any]]:
    """The decoded values."""
    return [decode(message.value())[1] for message in messages]


def test_every_row_arrives_once_in_order_and_is_counted_where_it_belongs(
    settings: KafkaSettings, read_all: ReadAll
) -> None:
    """Rows of one part belong to several accounts; each has its key's partition, and the sequence has no gap."""
    with PredictionLogger(model="m", model_version="1", kafka=settings) as log:
        ids = log.predictions(table(25_000), features=["x", "carrier"])
        log.prediction(features={"x": -1.0}, event_time=NOON)
        assert log.flush(60) == 0
    messages = read_all("predictions")
    found = records(messages)
    by_table = sorted(
        (one for one in found if one["numeric_features"]["x"] >= 0), key=lambda one: one["sequence"]
    )
    assert [one["numeric_features"]["x"] for one in by_table] == list(range(25_000))
    assert [one["prediction_id"] for one in by_table] == ids
    assert sorted(one["sequence"] for one in found) == list(range(25_001))
    last: dict[int, int] = {}
    for message, one in zip(messages, found, strict=True):
        key = message.key()
        assert key.decode() == one["prediction_id"]
        assert message.partition() == (murmur2(key) & 0x7FFFFFFF) % 4
        if one["numeric_features"]["x"] >= 0:
            assert last.get(message.partition(), -1) < one["sequence"]
            last[message.partition()] = one["sequence"]
    stored = Counter((one["environment"], one["event_time"].hour) for one in found)
    closing = [row for row in records(read_all("ledger")) if row["closing"]]
    assert {(row["environment"], row["hour"].hour): row["delivered"] for row in closing} == stored
    assert {(row["environment"], row["hour"].hour): row["accepted"] for row in closing} == stored
    assert len(stored) == 6


def test_rows_that_kafka_refuses_are_counted_and_hold_up_none(
    settings: KafkaSettings, read_all: ReadAll
) -> None:
    """A row too large is dropped by that name in its account, and every other one arrives."""
    carriers = ["x" * (1_500_000 if place in (3, 4_000) else 1) for place in range(5_000)]
    rows = table(5_000).set_column(1, "carrier", pa.array(carriers))
    with PredictionLogger(model="m", kafka=settings) as log:
        log.predictions(rows, features=["x", "carrier"])
        assert log.flush(60) == 0
        stats = log.stats
    assert (stats.accepted, stats.delivered, stats.failed, stats.dropped) == (
        5_000,
        4_998,
        0,
        {"too_large": 2},
    )
    found = {int(one["numeric_features"]["x"]) for one in records(read_all("predictions"))}
    assert found == set(range(5_000)) - {3, 4_000}
    dropped = Counter(
        {
            (row["environment"], row["hour"].hour): sum(row["dropped"].values())
            for row in records(read_all("ledger"))
            if row["closing"]
        }
    )
    assert +dropped == {("test", 12): 1, ("production", 14): 1}


def test_a_topic_that_is_not_there_fails_every_row(kafka: str, topic_prefix: str) -> None:
    """Nothing is created, and no row is called delivered."""
    with PredictionLogger(model="m", kafka=KafkaSettings(kafka, topic_prefix)) as log:
        log.predictions(table(12_000), features=["x"])
        assert log.flush(60) == 0
        assert (log.stats.accepted, log.stats.delivered, log.stats.failed) == (12_000, 0, 12_000)


def test_without_a_broker_rows_wait_are_dropped_and_counted() -> None:
    """Nobody answers: the table waits as long as it was told, the rest is dropped as queue_full, and the end counts every row."""
    log = PredictionLogger(model="m", kafka=KafkaSettings("127.0.0.1:1"))
    log.predictions(table(50_000), features=["x"], wait=0.2)
    stats = log.stats
    assert (stats.accepted, stats.delivered, stats.dropped) == (50_000, 0, {"queue_full": 30_000})
    assert stats.waiting == 20_000
    log.close(1)
    stats = log.stats
    assert stats.dropped["queue_full"] == 30_000
    assert stats.delivered + stats.failed + sum(stats.dropped.values()) + stats.waiting == 50_000
    assert stats.dropped["closed"] == 20_000


def test_tables_of_many_threads(settings: KafkaSettings, read_all: ReadAll) -> None:
    """Several threads send tables and single events at once: each row arrives once, and no number is given twice."""
    log = PredictionLogger(model="m", kafka=settings)

    def work(number: int) -> None:
        log.predictions(
            table(6_000).append_column("prediction_id", [[f"{number}-{n}" for n in range(6_000)]]),
            features=["x"],
        )
        for place in range(200):
            log.prediction(features={"x": 1.0}, prediction_id=f"{number}-single-{place}")

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert log.flush(60) == 0
    log.close()
    found = records(read_all("predictions"))
    assert len({one["prediction_id"] for one in found}) == len(found) == 4 * 6_200
    assert sorted(one["sequence"] for one in found) == list(range(4 * 6_200))


def test_a_child_sends_tables_of_its_own(settings: KafkaSettings, read_all: ReadAll) -> None:
    """A process that forks after it sent a table: parent and child go on, each with a client of its own."""
    log = PredictionLogger(model="m", kafka=settings)
    log.predictions(table(3_000), features=["x"])
    child = os.fork()
    if child == 0:
        log.predictions(table(2_000), features=["x"])
        os._exit(log.close(30))
    log.predictions(table(1_000), features=["x"])
    assert log.flush(60) == 0
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    log.close()
    found = records(read_all("predictions"))
    assert sorted(Counter(one["producer_id"] for one in found).values()) == [2_000, 4_000]


def test_interpreter_exit_waits_for_a_table(settings: KafkaSettings, read_all: ReadAll) -> None:
    """A job that sends a table and ends has sent all of it."""
    program = (
        "import pyarrow as pa; from producers import PredictionLogger\n"
        "log = PredictionLogger(model='m')\n"
        "log.predictions(pa.table({'x': list(range(30_000))}), features=['x'])\n"
    )
    environment = {
        **os.environ,
        "HINDCAST_KAFKA": settings.bootstrap,
        "HINDCAST_TOPIC_PREFIX": settings.topic_prefix,
        "PYTHONPATH": str(ROOT),
    }
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert len(read_all("predictions")) == 30_000


@pytest.fixture
def own_kafka(tmp_path: Path) -> Iterator[tuple[KafkaSettings, Callable[[], Running]]]:
    """A Kafka of this test, and how to start it."""
    node, program = prepare_kafka(tmp_path, environment=os.environ)
    runs: list[Running] = []

    def start() -> Running:
        running = Running(program)
        runs.append(running)
        running.wait_until(lambda: answers(node.bootstrap), within=120)
        return running

    try:
        yield KafkaSettings(node.bootstrap), start
    finally:
        for running in runs:
            running.stop()


def test_a_broker_that_goes_and_comes_back_loses_no_row(
    own_kafka: tuple[KafkaSettings, Callable[[], Running]],
) -> None:
    """A table that is on its way when Kafka is stopped is delivered when it is there again, and nothing twice."""
    settings, start = own_kafka
    running = start()
    create_topics(settings, topics().values())
    log = PredictionLogger(model="m", kafka=settings)
    log.predictions(table(10_000), features=["x"])
    assert log.flush(60) == 0
    running.stop()
    sender = threading.Thread(target=lambda: log.predictions(table(60_000), features=["x"], wait=120))
    sender.start()
    eventually(lambda: log.stats.accepted > 10_000, within=30, saying="rows are taken without a broker")
    start()
    sender.join(120)
    assert not sender.is_alive()
    assert log.flush(90) == 0
    stats = log.stats
    assert (stats.accepted, stats.delivered, stats.failed, stats.dropped) == (70_000, 70_000, 0, {})
    log.close()
