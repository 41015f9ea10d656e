"""What Prometheus reads of a processor: figures that are right, and an address that is."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from kafka_topics import settings
from prometheus_client.parser import text_string_to_metric_families
from waiting import eventually

from hindcast.local.ports import free_port
from producers import PredictionLogger
from producers.settings import KafkaSettings
from stream_processors.kafka import producer
from stream_processors.metrics import METRICS, ProcessorCollector
from stream_processors.status import Heartbeat

__all__ = ["settings"]

ROOT = Path(__file__).resolve().parents[1]
Samples = dict[tuple[str, ...], float]


@contextmanager
def profiler(kafka: KafkaSettings, address: str) -> Iterator[subprocess.Popen[str]]:
    """A profiler that is measured."""
    process = subprocess.Popen(
        [sys.executable, "-m", "stream_processors.profiler"],
        env={
            **os.environ,
            "HINDCAST_KAFKA": kafka.bootstrap,
            "HINDCAST_TOPIC_PREFIX": kafka.topic_prefix,
            "HINDCAST_METRICS": address,
            "HINDCAST_FLUSH_INTERVAL": "0.2",
        },
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def scraped(address: str) -> Samples:
    """Name and labels but role and slot to value; nothing where nobody listens yet."""
    try:
        with urllib.request.urlopen(f"http://{address}/metrics", timeout=10) as reply:
            text = reply.read().decode()
    except OSError:
        return {}
    found: Samples = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = [
                value for label, value in sorted(sample.labels.items()) if label not in {"role", "slot"}
            ]
            found[sample.name, *labels] = sample.value
    return found


def test_a_profiler_counts_for_prometheus(settings: KafkaSettings) -> None:
    """Events, batches, dead letters, time by stage, lag by partition and memory, while it works."""
    log = PredictionLogger(model="m", kafka=settings)
    for number in range(40):
        log.prediction(score=number / 40)
    assert log.close(30) == 0
    bad = producer(settings)
    bad.produce(settings.topic("predictions"), b"no Avro", partition=0)
    assert bad.flush(30) == 0
    address = f"127.0.0.1:{free_port()}"
    with profiler(settings, address):
        found = eventually(
            lambda: now if (now := scraped(address)).get(("hindcast_processor_events_total",)) == 41 else {},
            within=60,
        )
        eventually(lambda: scraped(address).get(("hindcast_processor_held",)) == 0, within=30)
        eventually(lambda: ("hindcast_processor_stage_seconds_total", "flush") in scraped(address), within=30)
        assert found["hindcast_processor_batches_total",] >= 1
        assert found["hindcast_processor_dead_letters_total",] == 1
        assert found["hindcast_processor_failing",] == 0
        assert all(
            found["hindcast_processor_stage_seconds_total", stage] > 0
            for stage in ("read", "decode", "count")
        )
        topic = settings.topic("predictions")
        eventually(
            lambda: (
                [scraped(address).get(("hindcast_processor_lag", str(p), topic)) for p in range(4)] == [0] * 4
            ),
            within=30,
        )
        if sys.platform == "linux":
            assert found["process_resident_memory_bytes",] > 1e6


def test_every_metric_has_a_sample() -> None:
    """Each reads its field of the heartbeat, with its labels."""
    beat = replace(
        Heartbeat("recorder", "1", events=3, batches=2, dead_letters=1, held=4, waiting=5),
        stage_seconds={"flush": 1.5},
        lag={"a-b.labels-2": 7},
        positions={"a-b.labels-2": 9},
        paused=["a-b.labels-2"],
        last_error="away",
    )
    families = {family.name: family.samples for family in ProcessorCollector(beat).collect()}
    assert set(families) == {metric.name for metric in METRICS}
    values = {name: [sample.value for sample in samples] for name, samples in families.items()}
    assert [
        values[f"hindcast_processor_{name}"]
        for name in ("events", "batches", "dead_letters", "stage_seconds")
    ] == [[3], [2], [1], [1.5]]
    assert [
        values[f"hindcast_processor_{name}"]
        for name in ("held", "lag", "position", "paused", "waiting", "failing")
    ] == [[4], [7], [9], [1], [5], [1]]
    assert families["hindcast_processor_lag"][0].labels == {
        "role": "recorder",
        "slot": "1",
        "topic": "a-b.labels",
        "partition": "2",
    }


def test_an_address_in_use_is_one_line(settings: KafkaSettings) -> None:
    """A processor that cannot be measured where it should does not begin."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with profiler(settings, address) as process:
            said = process.communicate(timeout=60)[1]
    assert process.returncode == 2
    assert said == f"profiler: HINDCAST_METRICS: {address} cannot be listened on: Address already in use\n"
