"""From `prediction()` to a row that an analyst's query sees in ClickHouse: real Kafka, real recorder, steady traffic.

Traffic is 500 events a second with 16 numeric and 4 categorical features, then 20,000 (``…_20000_per_s``), of which every 40th is looked for. An
event is visible when the first query that finds it has returned; queries follow each other without a pause, so a query's own time is part of the
figure. Sender, broker, recorder, engine and queries share the machine.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from services import running_clickhouse, running_kafka  # noqa: E402 - the tests know how to find servers

from producers import KafkaSettings, PredictionLogger  # noqa: E402 - after the path
from producers.topics import topics  # noqa: E402 - after the path
from stream_processors.clickhouse import Store  # noqa: E402 - after the path
from stream_processors.kafka import create_topics  # noqa: E402 - after the path
from stream_processors.migrations import migrate  # noqa: E402 - after the path
from stream_processors.settings import ClickHouseSettings  # noqa: E402 - after the path

WARM_UP_S = 5
PATIENCE_S = 60
FEATURES = {f"number_{n}": n / 7 for n in range(16)} | {f"category_{n}": f"value {n}" for n in range(4)}


@dataclass(frozen=True)
class Traffic:
    """So many events a second, of which every so-many-th is looked for."""

    events_per_s: int
    every: int

    @property
    def back(self) -> int:
        """A batch of another partition may become visible later, so one looks so many sequence numbers back."""
        return 20 * self.events_per_s


TRAFFIC = {"": Traffic(500, 1), "_20000_per_s": Traffic(20_000, 40)}


@contextmanager
def recording(kafka: KafkaSettings, clickhouse: ClickHouseSettings, directory: Path) -> Iterator[None]:
    """A recorder as `hindcast up` runs it."""
    environment = {
        **os.environ,
        "HINDCAST_KAFKA": kafka.bootstrap,
        "HINDCAST_TOPIC_PREFIX": kafka.topic_prefix,
        "HINDCAST_CLICKHOUSE": clickhouse.url,
        "HINDCAST_DATABASE": clickhouse.database,
        "HINDCAST_CONTRACT_LEAD": "1",
    }
    with (
        (directory / "recorder.log").open("w") as log,
        subprocess.Popen(
            [sys.executable, "-m", "stream_processors.recorder"],
            cwd=ROOT,
            env=environment,
            stdout=log,
            stderr=log,
        ) as process,
    ):
        try:
            yield
        finally:
            process.terminate()


def watch(store: Store, traffic: Traffic, visible: dict[int, float], stop: threading.Event) -> None:
    """Note when each sequence number that is looked for was first seen in the table."""
    while not stop.is_set():
        beyond = max(visible, default=-1)
        rows = store.arrow(
            "SELECT DISTINCT sequence FROM predictions WHERE sequence > {n:Int64} AND sequence % {every:Int64} = 0",
            {"n": beyond - traffic.back, "every": traffic.every},
        )
        now = time.monotonic()
        for sequence in rows["sequence"].to_pylist():
            visible.setdefault(sequence, now)


def send(log: PredictionLogger, events_per_s: int, seconds: float) -> list[float]:
    """Steady traffic; returns when each event was said, by sequence."""
    said: list[float] = []
    pause, began = threading.Event(), time.monotonic()
    while len(said) < seconds * events_per_s:
        early = began + len(said) / events_per_s - time.monotonic()
        if early > 0:
            pause.wait(early)
        said.append(time.monotonic())
        log.prediction(features=FEATURES, score=0.5, decision="yes")
    return said


def measure(
    kafka: KafkaSettings, clickhouse: ClickHouseSettings, traffic: Traffic, seconds: float
) -> list[float]:
    """Seconds from call to visible, for the events after the warm-up that are looked for."""
    create_topics(kafka, topics().values())
    migrate(Store(clickhouse))
    visible: dict[int, float] = {}
    stop = threading.Event()
    watching = threading.Thread(target=watch, args=(Store(clickhouse), traffic, visible, stop))
    watching.start()
    try:
        with PredictionLogger(model="bench", model_version="1", kafka=kafka) as log:
            said = send(log, traffic.events_per_s, WARM_UP_S + seconds)
        wanted = range(0, len(said), traffic.every)
        end = time.monotonic() + PATIENCE_S
        while len(visible) < len(wanted) and time.monotonic() < end:
            stop.wait(0.1)
    finally:
        stop.set()
        watching.join()
    if len(visible) < len(wanted):
        raise SystemExit(
            f"{len(wanted) - len(visible)} of {len(wanted)} events are not visible after {PATIENCE_S} s"
        )
    return [visible[n] - said[n] for n in wanted if n >= WARM_UP_S * traffic.events_per_s]


def main() -> int:
    """Print ``end_to_end.p50_ms`` and ``end_to_end.p99_ms`` of each traffic."""
    seconds = 10 if os.environ.get("QUICK") == "1" else 60
    with tempfile.TemporaryDirectory(prefix="hindcast-bench-") as text:
        directory = Path(text)
        with (
            running_kafka(directory / "kafka") as bootstrap,
            running_clickhouse(directory / "clickhouse") as url,
        ):
            for ending, traffic in TRAFFIC.items():
                name = f"bench_{uuid.uuid4().hex[:8]}"
                kafka, clickhouse = KafkaSettings(bootstrap, name), ClickHouseSettings(url, name)
                with recording(kafka, clickhouse, directory):
                    latencies = sorted(measure(kafka, clickhouse, traffic, seconds))
                Store(clickhouse, database="default").command(f"DROP DATABASE IF EXISTS {name} SYNC")
                for label, share in (("p50", 0.5), ("p99", 0.99)):
                    say(f"{label}_ms{ending}", latencies, share)
    return 0


def say(measure: str, latencies: list[float], share: float) -> None:
    """One JSON object a line."""
    value = round(latencies[int(share * (len(latencies) - 1))] * 1000, 1)
    print(json.dumps({"measure": f"end_to_end.{measure}", "value": value, "unit": "ms", "n": len(latencies)}))


if __name__ == "__main__":
    sys.exit(main())
