"""What several benchmarks measure with: a Kafka, and predictions on its topic before the clock starts."""

from __future__ import annotations

import os
import random
import sys
import tempfile
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # run as a file: the checkout is not on the path

from hindcast.local.kafka import answers, prepare_kafka
from hindcast.local.program import Running
from producers.codec import encode
from producers.settings import KafkaSettings
from producers.topics import topics
from stream_processors.kafka import create_topics, producer

PARTITIONS = 4
DIFFERENT = 20_000
START_S = 120


def events() -> list[bytes]:
    """Messages of the last minutes, 20,000 different ones."""
    now = datetime.now(UTC)
    return [encode("prediction", event(number, now)) for number in range(DIFFERENT)]


def event(number: int, now: datetime, *, numeric: int = 16, categorical: int = 4) -> dict[str, object]:
    """One prediction with that many features."""
    chance = random.Random(number)
    return {
        "prediction_id": f"{number:032x}",
        "model": "bench",
        "model_version": "1",
        "event_time": now - timedelta(seconds=chance.random() * 90),
        "numeric_features": {f"num_{i}": chance.gauss(i, i + 1) for i in range(numeric)},
        "categorical_features": {f"cat_{i}": f"value{chance.randrange(20)}" for i in range(categorical)},
        "score": chance.random(),
        "decision": "yes" if chance.random() < 0.3 else "no",
        "latency_ms": chance.lognormvariate(1, 1),
    }


@contextmanager
def kafka() -> Iterator[str]:
    """Bootstrap servers of the Kafka that is there, or of one for this run."""
    given = os.environ.get("HINDCAST_KAFKA")
    if given:
        yield given
        return
    with tempfile.TemporaryDirectory() as directory:
        node, program = prepare_kafka(Path(directory), environment=os.environ)
        running = Running(program)
        try:
            running.wait_until(lambda: answers(node.bootstrap), within=START_S)
            yield node.bootstrap
        finally:
            running.stop()


def new_topics(bootstrap: str) -> KafkaSettings:
    """Topics that nobody has used."""
    settings = KafkaSettings(bootstrap, f"bench{uuid.uuid4().hex[:8]}")
    create_topics(settings, topics().values(), partitions=PARTITIONS)
    return settings


def fill(settings: KafkaSettings, messages: Sequence[bytes], numbers: range) -> None:
    """Put the messages on the topic again and again, from the first of these numbers to the last."""
    topic = settings.topic("predictions")
    client = producer(settings, queue_buffering_max_messages=500_000, batch_size=500_000)
    for number in numbers:
        while True:
            try:
                client.produce(topic, messages[number % len(messages)], str(number).encode())
                break
            except BufferError:
                client.poll(0.1)
    if client.flush(60):
        raise SystemExit("the broker did not take all predictions within a minute")
