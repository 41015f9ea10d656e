"""How many predictions a second the recorder stores, beside how many ClickHouse takes when nothing else is done.

Events have 16 numeric and 4 categorical features, and an id of their own; each makes a row in ``predictions`` and one in ``intake``. They are
on the topic before the measurement starts; broker and ClickHouse share the machine, merges included. Uses the servers of HINDCAST_KAFKA and
HINDCAST_CLICKHOUSE, else starts them. The rate counts from the first commit to the last; CPU is that of the recorder's process alone.
Then bytes on disk of predictions, recorded two hours ago and merged, over those of an export of the same rows, which is Parquet with zstd.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # run as a file: the checkout is not on the path

import psutil
from _disk_size import disk_against_parquet, flights, full_entropy
from _other_inserts import avro_inserts, row_inserts
from _predictions import DIFFERENT, PARTITIONS, START_S, event, kafka
from _ready_messages import Ready

from hindcast.local.clickhouse import pings, prepare_clickhouse
from hindcast.local.program import Running
from producers.codec import encode
from producers.errors import BrokerUnavailable
from producers.settings import KafkaSettings
from producers.topics import topics
from stream_processors.clickhouse import Store
from stream_processors.contracts.effect import ContractHistory
from stream_processors.kafka import Consumer, committed_offsets, create_topics, producer, reader
from stream_processors.migrations import migrate
from stream_processors.recorder import recorder_group
from stream_processors.recorder.messages import Messages
from stream_processors.recorder.sorting import sort_messages
from stream_processors.settings import ClickHouseSettings

# where the id's hexadecimal digits stand in a framed prediction: after 10 bytes of frame and one of length
_ID = slice(11, 11 + 32)


@contextmanager
def clickhouse() -> Iterator[str]:
    """URL of the ClickHouse that is there, or of one for this run."""
    given = os.environ.get("HINDCAST_CLICKHOUSE")
    if given:
        yield given
        return
    with tempfile.TemporaryDirectory() as directory:
        url, program = prepare_clickhouse(Path(directory))
        running = Running(program)
        try:
            running.wait_until(lambda: pings(url), within=START_S)
            yield url
        finally:
            running.stop()


def values(count: int) -> Iterator[tuple[bytes, bytes]]:
    """(id, message) of predictions with ids in the order of time, as UUIDv7 has them."""
    now = datetime.now(UTC)
    different = [encode("prediction", event(number, now)) for number in range(DIFFERENT)]
    for number in range(count):
        name = f"{number:032x}".encode()
        value = different[number % DIFFERENT]
        yield name, value[: _ID.start] + name + value[_ID.stop :]


def fill(settings: KafkaSettings, count: int) -> None:
    """Put that many predictions on the topic."""
    client = producer(settings, queue_buffering_max_messages=500_000, batch_size=500_000)
    for name, value in values(count):
        while True:
            try:
                client.produce(settings.topic("predictions"), value, name)
                break
            except BufferError:
                client.poll(0.1)
    client.flush(60)


def recorded(settings: KafkaSettings, store: Store, count: int) -> tuple[float, float]:
    """Rows per second and CPU seconds per row of a recorder that records the topic."""
    environment = {
        **os.environ,
        "HINDCAST_KAFKA": settings.bootstrap,
        "HINDCAST_TOPIC_PREFIX": settings.topic_prefix,
        "HINDCAST_CLICKHOUSE": store.settings.url,
        "HINDCAST_DATABASE": store.database,
    }
    root = Path(__file__).parents[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "stream_processors.recorder"], env=environment, cwd=root
    )
    watched = psutil.Process(process.pid)
    client = reader(settings, group_id=recorder_group(settings))
    try:
        began = 0
        started = cpu = 0.0
        while True:
            done = committed(client, settings)
            if done and not began:
                began, started, cpu = done, time.perf_counter(), _cpu(watched)
            if done >= count:
                elapsed, used = time.perf_counter() - started, _cpu(watched) - cpu
                return (done - began) / elapsed, used / (done - began)
            time.sleep(0.02)
    finally:
        process.terminate()
        process.wait(30)
        client.close()


def committed(client: Consumer, settings: KafkaSettings) -> int:
    """Messages recorded; 0 while a broker that has just started looks for the group."""
    try:
        return sum(committed_offsets(client, settings.topic("predictions"), range(PARTITIONS)).values())
    except BrokerUnavailable:
        return 0


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def bare_inserts(store: Store, count: int) -> float:
    """Rows per second of inserts of ready rows: what is left of the work when Kafka and decoding are taken away."""
    now = time.time_ns() // 1_000_000
    raw = [Ready(number, value, now) for number, (_, value) in enumerate(values(count))]
    part = sort_messages(Messages.of("predictions", "bare", raw), ContractHistory(), recorded_at=now * 1000)
    started = time.perf_counter()
    for table in part.tables:
        store.insert(table.table, table.rows, query_id=uuid.uuid4().hex)
    return count / (time.perf_counter() - started)


def main() -> None:
    """Print one JSON object a line."""
    quick = bool(os.environ.get("QUICK"))
    count = 300_000 if quick else 2_000_000
    with kafka() as bootstrap, clickhouse() as url:
        settings = KafkaSettings(bootstrap=bootstrap, topic_prefix=f"bench{uuid.uuid4().hex[:8]}")
        store = Store(ClickHouseSettings(url, f"bench_{uuid.uuid4().hex[:8]}"))
        create_topics(settings, topics().values(), partitions=PARTITIONS)
        migrate(store)
        try:
            fill(settings, count)
            rate, cpu = recorded(settings, store, count)
            stored = store.rows(
                "SELECT count() AS rows, uniqExact(prediction_id) AS ids FROM predictions FINAL"
            )
            assert stored == [{"rows": count, "ids": count}], stored
            say("recorder.rows_per_s", round(rate), "1/s", count)
            say("recorder.cpu_us_per_row", round(cpu * 1e6, 2), "us", count)
            say("recorder.rows_per_cpu_s", round(1 / cpu), "1/s", count)
            say("recorder.bare_inserts_per_s", round(bare_inserts(store, 100_000)), "1/s", 100_000)
            beside(store, rate)
            of_disk(store, quick=quick)
        finally:
            store.command(f"DROP DATABASE {store.database} SYNC")
            store.close()


def beside(store: Store, rate: float) -> None:
    """The recorder's rate over that of other ways to store the same events; nothing else runs beside those."""
    some, many = 500, 100_000
    say("recorder.vs_row_insert", round(rate / row_inserts(store, _messages(some)), 1), "ratio", some)
    say("recorder.vs_avro_insert", round(rate / avro_inserts(store, _messages(many)), 2), "ratio", many)


def _messages(count: int) -> list[bytes]:
    return [value for _, value in values(count)]


def of_disk(store: Store, *, quick: bool) -> None:
    """Bytes on disk over bytes in Parquet: of the demo's flights, whose values repeat, and of noise, whose do not."""
    for name, events in (
        ("flights", islice(flights(), 20_000 if quick else None)),
        ("random", full_entropy(20_000 if quick else 300_000)),
    ):
        rows, disk, parquet = disk_against_parquet(store, list(events))
        say(f"recorder.disk_vs_parquet.{name}", round(disk / parquet, 3), "ratio", rows)
        say(f"recorder.disk_bytes_per_event.{name}", round(disk / rows, 1), "bytes", rows)


def say(measure: str, value: float, unit: str, n: int) -> None:
    """One measured figure."""
    print(json.dumps({"measure": measure, "value": value, "unit": unit, "n": n}), flush=True)


if __name__ == "__main__":
    main()
