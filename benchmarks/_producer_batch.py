"""What publishing tables costs; see `producer`, which runs it."""

from __future__ import annotations

import json
import os
import time
import uuid
from collections.abc import Callable
from itertools import cycle, islice

import numpy as np
import pyarrow as pa

from producers import PredictionLogger
from producers.settings import KafkaSettings
from producers.testing import MemorySink, Message
from producers.topics import topics
from stream_processors.kafka import KafkaError, Producer, create_topics, producer

NUMERIC, CATEGORICAL = 16, 4
ROUNDS = 5


def table(rows: int) -> pa.Table:
    """A batch job's predictions: 20 features and a score, decision and latency, an hour's event times."""
    chance = np.random.default_rng(0)
    numbers = {f"num_{i}": chance.normal(i, i + 1, rows) for i in range(NUMERIC)}
    names = np.array([f"value{i}" for i in range(20)])
    categories = {f"cat_{i}": pa.array(names[chance.integers(0, 20, rows)]) for i in range(CATEGORICAL)}
    now = time.time_ns() // 1000
    times = np.sort(now - chance.integers(0, 3_600_000_000, rows))
    return pa.table(
        {
            **numbers,
            **categories,
            "score": chance.random(rows),
            "decision": pa.array(np.where(chance.random(rows) < 0.3, "yes", "no")),
            "latency_ms": chance.lognormal(1, 1, rows),
            "event_time": pa.array(times, pa.timestamp("us", "UTC")),
        }
    )


def batch_rows(bootstrap: str) -> None:
    """Rows of tables to Kafka, per CPU second and per second: the best of a few rounds, as others use the machine.

    Beside them the same messages, encoded already, handed to confluent_kafka's `produce` one by one.
    """
    rows = 200_000 if os.environ.get("QUICK") else 1_000_000
    batch = table(rows)
    features = [name for name in batch.column_names if name.startswith(("num_", "cat_"))]
    settings = KafkaSettings(bootstrap, f"bench{uuid.uuid4().hex[:8]}")
    create_topics(settings, topics().values(), partitions=4)
    messages = _messages(batch.slice(0, 20_000), features)
    client = producer(settings)
    with PredictionLogger(model="bench", model_version="1", kafka=settings) as log:
        log.predictions(batch.slice(0, 20_000), features=features)
        log.flush()
        ours, theirs = [], []
        for _ in range(ROUNDS):
            ours.append(_timed(lambda: _sent(log, batch, features)))
            theirs.append(_timed(lambda: _produced(client, settings.topic("predictions"), messages, rows)))
        assert log.stats.delivered == 20_000 + ROUNDS * rows, log.stats
    cpu, wall = (min(seconds) for seconds in zip(*ours, strict=True))
    say("batch_rows_per_s", rows / cpu, "rows/s per core", rows)
    say("batch_cpu_us_per_row", cpu / rows * 1e6, "us", rows)
    say("batch_rows_per_s_wall", rows / wall, "rows/s", rows)
    say("batch_vs_produce_only", min(theirs)[0] / cpu, "ratio", rows)


def _timed(work: Callable[[], None]) -> tuple[float, float]:
    """(CPU seconds of the process, seconds)."""
    cpu, wall = time.process_time(), time.perf_counter()
    work()
    return time.process_time() - cpu, time.perf_counter() - wall


def _sent(log: PredictionLogger, batch: pa.Table, features: list[str]) -> None:
    log.predictions(batch, features=features)
    assert log.flush() == 0


def _messages(batch: pa.Table, features: list[str]) -> list[Message]:
    """What a table is in the log."""
    sink = MemorySink()
    with PredictionLogger(model="bench", model_version="1", sink=sink) as log:
        log.predictions(batch, features=features)
    return [message for message in sink.messages if message.stream == "predictions"]


def _produced(client: Producer, topic: str, messages: list[Message], count: int) -> None:
    """So many messages sent one by one, each delivery heard."""
    heard = 0

    def delivered(error: KafkaError | None, _: object) -> None:
        nonlocal heard
        heard += error is None

    for message in islice(cycle(messages), count):
        while True:
            try:
                client.produce(topic, message.value, message.key, on_delivery=delivered)
                break
            except BufferError:
                client.poll(0.1)
        client.poll(0)
    client.flush(60)
    assert heard == count


def say(measure: str, value: float, unit: str, n: int) -> None:
    """One line of JSON."""
    print(
        json.dumps({"measure": f"producer.{measure}", "value": round(value, 3), "unit": unit, "n": n}),
        flush=True,
    )
