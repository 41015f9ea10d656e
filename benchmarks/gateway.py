"""How many events a second one gateway process takes over HTTP and gets into Kafka, in batches of 100.

Events have 16 numeric and 4 categorical features and come as JSON arrays from a client in a process of its own, over two
connections. Gateway, client and broker share the machine: `events_per_cpu_s` divides by the CPU seconds of the gateway
process alone, librdkafka's threads included, and is what one core of its own would do; `events_per_s` is the rate on this
machine, from the first request until the last event is acknowledged by Kafka. `share_of_json_and_fastavro` compares the gateway's CPU
for an event with what Python's json and fastavro alone take for it, measured meanwhile: it depends little on what else the machine does.
Uses the Kafka of HINDCAST_KAFKA, else starts one.
"""

from __future__ import annotations

import http.client
import io
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # run as a file: the checkout is not on the path

import fastavro
import psutil
from _predictions import kafka

from hindcast.local.ports import free_port
from producers.schema_files import newest
from producers.settings import KafkaSettings
from producers.topics import topics
from stream_processors.kafka import create_topics

BATCH = 100
BODIES = 50
CONNECTIONS = 2
ROOT = Path(__file__).parents[1]


def body(number: int) -> bytes:
    """A batch of predictions, as a client would write it."""
    return json.dumps([event(number * BATCH + place) for place in range(BATCH)]).encode()


def event(number: int) -> dict[str, object]:
    """One prediction."""
    chance = random.Random(number)
    return {
        "model": "bench",
        "model_version": "1",
        "prediction_id": str(uuid.UUID(int=chance.getrandbits(128))),
        "event_time": datetime.now(UTC).isoformat(),
        "features": {
            **{f"num_{i}": chance.gauss(i, i + 1) for i in range(16)},
            **{f"cat_{i}": f"value{chance.randrange(20)}" for i in range(4)},
        },
        "score": chance.random(),
        "decision": "yes" if chance.random() < 0.3 else "no",
        "latency_ms": chance.lognormvariate(1, 1),
    }


@contextmanager
def gateway(settings: KafkaSettings) -> Iterator[tuple[int, psutil.Process]]:
    """The port and the process of a gateway of its own."""
    port = free_port()
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")])),
        "HINDCAST_KAFKA": settings.bootstrap,
        "HINDCAST_TOPIC_PREFIX": settings.topic_prefix,
    }
    command = [sys.executable, "-m", "hindcast", "gateway", "--port", str(port)]
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) as process:
        try:
            while True:
                try:
                    if ask(port, "/readyz") == b"ready\n":
                        break
                except OSError:
                    time.sleep(0.1)
            yield port, psutil.Process(process.pid)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)


def ask(port: int, path: str) -> bytes:
    """The answer to a GET."""
    link = http.client.HTTPConnection("127.0.0.1", port)
    link.request("GET", path)
    return link.getresponse().read()


def delivered(port: int) -> int:
    """Events that Kafka has acknowledged."""
    name = b'hindcast_producer_delivered_total{model="*"} '
    lines = ask(port, "/metrics").splitlines()
    return int(float(next((line.removeprefix(name) for line in lines if line.startswith(name)), b"0")))


def send(port: int, count: int, seed: int) -> None:
    """Send so many batches one after another; one that finds no room is sent again."""
    bodies = [body(seed * BODIES + number) for number in range(BODIES)]
    link = http.client.HTTPConnection("127.0.0.1", port)
    for number in range(count):
        while True:
            link.request(
                "POST", "/v1/predictions", bodies[number % BODIES], {"Content-Type": "application/json"}
            )
            reply = link.getresponse()
            answer = reply.read()
            if reply.status == 202:
                break
            assert reply.status == 503, answer
            time.sleep(0.01)


def load(port: int, batches: int) -> None:
    """The client process."""
    threads = [
        threading.Thread(target=send, args=(port, batches // CONNECTIONS, seed))
        for seed in range(CONNECTIONS)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def sent(port: int, batches: int) -> float:
    """Let a client process send, and wait until Kafka has acknowledged all of it; meanwhile measure the yardstick (µs of CPU)."""
    before = delivered(port)
    one, seconds, count = body(0), 0.0, 0
    with subprocess.Popen([sys.executable, __file__, "load", str(port), str(batches)]) as client:
        while client.poll() is None:
            started = time.process_time()
            without_a_gateway(one)
            seconds, count = seconds + time.process_time() - started, count + BATCH
            time.sleep(0.2)
        assert client.returncode == 0
    while delivered(port) < before + batches * BATCH:
        time.sleep(0.02)
    return seconds / count * 1e6


def without_a_gateway(batch: bytes) -> None:
    """Parse a batch and write it as Avro, with what everybody has."""
    schema = newest("prediction").parsed
    for item in json.loads(batch):
        features = item.pop("features")
        item["event_time"] = datetime.fromisoformat(item["event_time"])
        item["numeric_features"] = {name: value for name, value in features.items() if type(value) is float}
        item["categorical_features"] = {name: value for name, value in features.items() if type(value) is str}
        fastavro.schemaless_writer(io.BytesIO(), schema, item)


def say(measure: str, value: float, unit: str, n: int) -> None:
    """One line of JSON."""
    print(
        json.dumps({"measure": f"gateway.{measure}", "value": round(value, 3), "unit": unit, "n": n}),
        flush=True,
    )


def main() -> None:
    """Measure after a short run that warms everything up."""
    batches = 2_000 if os.environ.get("QUICK") else 10_000
    with kafka() as bootstrap:
        settings = KafkaSettings(bootstrap, f"bench{uuid.uuid4().hex[:8]}")
        create_topics(settings, topics().values())
        with gateway(settings) as (port, process):
            sent(port, 200)
            cpu, wall = sum(process.cpu_times()[:2]), time.perf_counter()
            yardstick = sent(port, batches)
            seconds, used = time.perf_counter() - wall, sum(process.cpu_times()[:2]) - cpu
            n = batches * BATCH
            say("events_per_s", n / seconds, "events/s", n)
            say("events_per_cpu_s", n / used, "events/s", n)
            say("cpu_us_per_event", used / n * 1e6, "us", n)
            say("share_of_json_and_fastavro", used / n * 1e6 / yardstick, "ratio", n)
            say("resident_mb", process.memory_info().rss / 2**20, "MB", n)


if __name__ == "__main__":
    if sys.argv[1:2] == ["load"]:
        load(int(sys.argv[2]), int(sys.argv[3]))
    else:
        main()
