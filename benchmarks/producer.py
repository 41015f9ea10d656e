"""What logging costs a serving service, beside the naive way and scouter's queue, with Kafka well, away, stopped, and the spool full.

Events have 16 numeric and 4 categorical features. Uses the Kafka of HINDCAST_KAFKA, else starts one, which shares the machine. The service
of the latency measures answers one request after the other: some arithmetic, as a small model has it, then the call. CPU is that of
the publishing process alone, librdkafka's threads included. ``vs_scouter_call`` is the median call of scouter's queue over ours, taken by the same
loop in an interpreter of its own (extra ``bench-logging``, `benchmarks/peers/enqueue_with_scouter.py`).
"""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # run as a file: the checkout is not on the path

import confluent_kafka
import fastavro
import numpy as np
import psutil
from _peers import interpreter, requirements
from _predictions import kafka
from _producer_batch import batch_rows, say
from _serving import FEATURES, served

from hindcast.local.directories import cache_directory
from producers import PredictionLogger
from producers.codec import frame
from producers.kafka import producer_settings
from producers.schema_files import newest
from producers.settings import KafkaSettings
from producers.topics import topics
from stream_processors.kafka import create_topics

NOWHERE = KafkaSettings("127.0.0.1:1")


def saying(log: PredictionLogger) -> Callable[[], object]:
    """The call of a service."""
    return lambda: log.prediction(features=FEATURES, score=0.5, decision="yes", entity_id="customer-17")


def naive(settings: KafkaSettings) -> Callable[[], object]:
    """What people write first: fastavro and produce in the request."""
    client = confluent_kafka.Producer(producer_settings(settings))
    schema, topic = newest("prediction"), settings.topic("predictions")
    head = frame(schema)

    def call() -> None:
        prediction_id = str(uuid.uuid4())
        record = {
            "prediction_id": prediction_id,
            "model": "bench",
            "model_version": "1",
            "event_time": time.time_ns() // 1000,
            "numeric_features": {name: value for name, value in FEATURES.items() if isinstance(value, float)},
            "categorical_features": {
                name: value for name, value in FEATURES.items() if isinstance(value, str)
            },
            "score": 0.5,
            "decision": "yes",
            "entity_id": "customer-17",
        }
        body = io.BytesIO(head)
        body.seek(len(head))
        fastavro.schemaless_writer(body, schema.parsed, record)
        client.produce(topic, body.getvalue(), prediction_id)
        client.poll(0)

    return call


@contextmanager
def stopped(broker: psutil.Process | None) -> Iterator[None]:
    """A broker that takes connections and answers nothing."""
    if broker is not None:
        broker.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        if broker is not None:
            broker.send_signal(signal.SIGCONT)


def latencies(settings: KafkaSettings, count: int) -> float:
    """The call's and the service's latency in each state, one after the other, twice; the better round counts. Returns the call's median, us."""
    broker = next((one for one in psutil.Process().children(recursive=True) if one.name() == "java"), None)
    found: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {}
    for _ in range(2):
        found.setdefault("unlogged", []).append(served(None, count))
        found.setdefault("naive", []).append(served(naive(settings), count))
        with tempfile.TemporaryDirectory() as directory:
            os.environ["HINDCAST_SPOOL_BYTES"] = "1000"
            states: dict[str, tuple[KafkaSettings, str, bool]] = {
                "up": (settings, "", False),
                "broker_down": (NOWHERE, "", False),
                "broker_stopped": (settings, "", True),
                "spool_full": (NOWHERE, directory, False),
            }
            for state, (where, spool, is_stopped) in states.items():
                log = PredictionLogger(model="bench", model_version="1", kafka=where, spool=spool)
                log.prediction(features=FEATURES, score=0.5)
                time.sleep(0.5)  # the client is loaded and has tried to connect
                with stopped(broker) if is_stopped else nullcontext():
                    found.setdefault(state, []).append(served(saying(log), count))
                log.close(5 if where is settings else 0.1)
    for state, rounds in found.items():
        at = {p: min(float(np.percentile(calls, p)) for calls, _ in rounds) / 1e3 for p in (50, 99)}
        if state != "unlogged":
            name = "call_{}_us" if state == "up" else f"call_{{}}_us_{state}"
            say(name.format("p50"), at[50], "us", count)
            say(name.format("p99"), at[99], "us", count)
        if state == "naive":
            naive_p50 = at[50]
        if state == "up":
            own_p50 = at[50]
            say("vs_naive_call", naive_p50 / own_p50, "ratio", count)
        whole = min(float(np.percentile(answers, 99)) for _, answers in rounds) / 1e3
        say(f"service_p99_us_{state}", whole, "us", count)
    return own_p50


def beside_scouter(bootstrap: str, count: int, own_p50: float) -> None:
    """The same loop about scouter's queue; nothing where its package is not to be had."""
    python = interpreter(requirements("bench-logging"), cache_directory(os.environ))
    if python is None:
        print("skipped, as the extra bench-logging cannot be installed: scouter", file=sys.stderr)
        return
    here = Path(__file__).parent
    done = subprocess.run(
        [python, here / "peers" / "enqueue_with_scouter.py", bootstrap, str(count)],
        env={**os.environ, "PYTHONPATH": str(here)},
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    found = json.loads(done.stdout.splitlines()[-1])
    for name, value in found.items():
        say(f"scouter_{name}", value, "us", count)
    say("vs_scouter_call", found["call_p50_us"] / own_p50, "ratio", count)


def throughput(settings: KafkaSettings, count: int) -> None:
    """Events per second and CPU of a loop that does nothing but say, delivered: the best of five rounds."""
    rounds = []
    with PredictionLogger(model="bench", model_version="1", kafka=settings) as log:
        call = saying(log)
        for _ in range(5):
            cpu, wall = time.process_time(), time.perf_counter()
            for _ in range(count):
                call()
            assert log.flush() == 0
            rounds.append((time.process_time() - cpu, time.perf_counter() - wall))
        assert log.stats.delivered == 5 * count, log.stats
    say("cpu_us_per_event", min(cpu for cpu, _ in rounds) / count * 1e6, "us", count)
    say("events_per_s", count / min(wall for _, wall in rounds), "1/s", count)


def memory_while_away(count: int) -> None:
    """How much a process grows between its queues being full, so that all that is said is dropped, and three times as many events after."""
    with PredictionLogger(model="bench", kafka=NOWHERE, queue_limit=20_000) as log:
        call, process = saying(log), psutil.Process()

        def dropped() -> int:
            before = sum(log.stats.dropped.values())
            for _ in range(count):
                call()
            time.sleep(0.5)
            return sum(log.stats.dropped.values()) - before

        while dropped() < count:
            pass
        full = process.memory_info().rss
        for _ in range(3):
            dropped()
        say("mb_grown_while_away", (process.memory_info().rss - full) / 1e6, "MB", 3 * count)
        log.close(0.1)


def import_ms() -> None:
    """Milliseconds of importing the logger into a bare interpreter: the best of seven."""

    def took(code: str) -> float:
        began = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[1])
        return time.perf_counter() - began

    bare = min(took("pass") for _ in range(7))
    say(
        "import_ms",
        (min(took("from producers import PredictionLogger") for _ in range(7)) - bare) * 1e3,
        "ms",
        7,
    )


def main() -> None:
    """Print one JSON object a line."""
    quick = bool(os.environ.get("QUICK"))
    import_ms()
    memory_while_away(10_000 if quick else 50_000)
    with kafka() as bootstrap:
        settings = KafkaSettings(bootstrap, f"bench{uuid.uuid4().hex[:8]}")
        create_topics(settings, topics().values(), partitions=4)
        calls = 3_000 if quick else 20_000
        beside_scouter(bootstrap, calls, latencies(settings, calls))
        throughput(settings, 20_000 if quick else 100_000)
        batch_rows(bootstrap)


if __name__ == "__main__":
    main()
