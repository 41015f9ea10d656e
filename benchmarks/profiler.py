"""How many predictions a second the profiler counts, beside how many this machine can merely consume.

Events have 16 numeric and 4 categorical features. They are on the topic before the measurement starts; the broker shares the machine. Uses
the Kafka of HINDCAST_KAFKA, else starts one. CPU is that of the profiling process alone, librdkafka's threads included.
"""

from __future__ import annotations

import json
import os
import random
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # run as a file: the checkout is not on the path

from hindcast.local.kafka import answers, prepare_kafka
from hindcast.local.program import Running
from producers.codec import encode
from producers.settings import KafkaSettings
from producers.topics import topics
from stream_processors.contracts.model import Contract
from stream_processors.contracts.publish import publish
from stream_processors.kafka import OFFSET_BEGINNING, TopicPartition, create_topics, producer, reader
from stream_processors.processor_main import spare_cycles
from stream_processors.profiler.session import Session
from stream_processors.settings import ProcessorSettings
from stream_processors.status import StatusFile

PARTITIONS = 4
DIFFERENT = 20_000
START_S = 120


def events() -> list[bytes]:
    """Messages of the last minutes, 20,000 different ones."""
    now = datetime.now(UTC)
    return [encode("prediction", event(number, now)) for number in range(DIFFERENT)]


def event(number: int, now: datetime) -> dict[str, object]:
    """One prediction."""
    chance = random.Random(number)
    return {
        "prediction_id": f"{number:032x}",
        "model": "bench",
        "model_version": "1",
        "event_time": now - timedelta(seconds=chance.random() * 90),
        "numeric_features": {f"num_{i}": chance.gauss(i, i + 1) for i in range(16)},
        "categorical_features": {f"cat_{i}": f"value{chance.randrange(20)}" for i in range(4)},
        "score": chance.random(),
        "decision": "yes" if chance.random() < 0.3 else "no",
        "latency_ms": chance.lognormvariate(1, 1),
    }


def contract() -> Contract:
    """All features named, and a slicing of ten values."""
    numeric = {f"num_{i}": {"kind": "numeric", "required": True} for i in range(16)}
    categorical = {f"cat_{i}": {"kind": "categorical"} for i in range(4)}
    slices = [{"by": "cat_0", "values": [f"value{i}" for i in range(10)]}]
    return Contract.model_validate(
        {"model": "bench", "features": {**numeric, **categorical}, "slices": slices}
    )


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


def fill(settings: KafkaSettings, count: int) -> None:
    """Put that many events on the topic."""
    messages, topic = events(), settings.topic("predictions")
    client = producer(settings, queue_buffering_max_messages=500_000, batch_size=500_000)
    for number in range(count):
        while True:
            try:
                client.produce(topic, messages[number % DIFFERENT], str(number).encode())
                break
            except BufferError:
                client.poll(0.1)
    client.flush(60)


def consumed_per_second(settings: KafkaSettings, count: int) -> float:
    """The ceiling: messages consumed and thrown away."""
    client = reader(settings, queued_max_messages_kbytes=32_768)
    topic = settings.topic("predictions")
    client.assign([TopicPartition(topic, p, OFFSET_BEGINNING) for p in range(PARTITIONS)])
    first = 0
    while not first:
        first = len(client.consume(1, 1.0))
    seen, started = 0, time.perf_counter()
    while first + seen < count:
        seen += sum(message.error() is None for message in client.consume(20_000, 0.1))
    client.close()
    return seen / (time.perf_counter() - started)


def profiled(settings: KafkaSettings, count: int) -> tuple[float, float]:
    """(events per second, CPU microseconds per event), from the first batch to the last committed flush."""
    status = StatusFile("profiler", "bench", None)
    wanted = ProcessorSettings(kafka=settings, slot="bench")
    with Session(wanted, status, threading.Event()) as session:
        while not status.heartbeat.events:
            session.step()
        first, wall, cpu = status.heartbeat.events, time.perf_counter(), time.process_time()
        while status.heartbeat.events < count:
            session.step()
        session.flush()
        n = count - first
        return n / (time.perf_counter() - wall), (time.process_time() - cpu) / n * 1e6


def say(measure: str, value: float, unit: str, n: int) -> None:
    """One line of JSON."""
    print(
        json.dumps({"measure": f"profiler.{measure}", "value": round(value, 3), "unit": unit, "n": n}),
        flush=True,
    )


def main() -> None:
    """Measure without and with a contract (features named, one slicing of ten values)."""
    n = 400_000 if os.environ.get("QUICK") else 2_000_000
    spare_cycles()  # as the process does
    with kafka() as bootstrap:
        for name, wanted in (("", None), ("contract_", contract())):
            settings = KafkaSettings(bootstrap, f"bench{uuid.uuid4().hex[:8]}")
            create_topics(settings, topics().values(), partitions=PARTITIONS)
            if wanted:
                publish(settings, wanted, lead=0)
            fill(settings, n)
            ceiling = consumed_per_second(settings, n)
            rate, cpu = profiled(settings, n)
            say(f"{name}events_per_s", rate, "events/s", n)
            say(f"{name}cpu_us_per_event", cpu, "us", n)
            say(f"{name}share_of_consume_only", rate / ceiling, "ratio", n)
            if not wanted:
                say("consume_only_per_s", ceiling, "messages/s", n)


if __name__ == "__main__":
    main()
