"""ClickHouse dies under the recorder, again and again: every message is recorded, and none is there twice."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from recording_road import Road, example
from waiting import eventually

from hindcast.local.clickhouse import pings, prepare_clickhouse
from hindcast.local.program import Running
from producers.codec import encode
from stream_processors.clickhouse import Store

NOW = time.time_ns() // 1000
DAYS = 30
DAY_US = 86_400_000_000
START_S = 60
# a stream that goes on through every kill, and is soon recorded after the last one
BATCH, BETWEEN_S = 300, 0.2


class Engine:
    """An embedded ClickHouse of one's own, which comes back at the same address."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._running = self._start()

    def kill(self) -> None:
        """With signal 9, and start again on what it left."""
        before = self.url
        self._running.kill()
        self._running = self._start()
        assert self.url == before, "the recorder knows it by its address"

    def stop(self) -> None:
        """The end."""
        self._running.stop()

    def _start(self) -> Running:
        self.url, program = prepare_clickhouse(self._directory)
        running = Running(program)
        running.wait_until(lambda: pings(self.url), within=START_S)
        return running


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """A ClickHouse that may be killed."""
    made = Engine(tmp_path / "clickhouse")
    yield made
    made.stop()


def prediction(number: int) -> bytes:
    """One of many, late by up to a month: each batch writes into 30 partitions of the table."""
    late = number % DAYS * DAY_US
    return encode(
        "prediction", example("prediction", prediction_id=f"p{number}", event_time=NOW - late + number)
    )


def recorded_once(store: Store, count: int) -> None:
    """Each message once in every table and view that shows it, before merges and after."""
    for merged in (False, True):
        if merged:
            for table in ("predictions", "intake"):
                store.command(f"OPTIMIZE TABLE {table} FINAL")
        for source in ("predictions FINAL", "predictions_v"):
            found = store.rows(f"SELECT count() AS rows, uniqExact(prediction_id) AS ids FROM {source}")
            assert found == [{"rows": count, "ids": count}], (source, merged)
        assert store.rows("SELECT count() AS rows FROM intake FINAL") == [{"rows": count}], merged
    assert store.rows("SELECT count() AS rows FROM predictions") == [{"rows": count}]
    [days] = store.rows("SELECT uniqExact(toDate(event_time)) AS days FROM predictions")
    assert days["days"] >= DAYS


def kill_engine_while_recording(road: Road, engine: Engine, kills: int, seed: int) -> None:
    """Send late predictions all the while, kill the engine at random moments of its work, and look; the look sees a row taken away."""
    chance = random.Random(seed)
    sent = 0
    ended = threading.Event()

    def send_all_the_while() -> None:
        nonlocal sent
        while not ended.is_set():
            road.send("predictions", [prediction(number) for number in range(sent, sent + BATCH)])
            sent += BATCH
            ended.wait(BETWEEN_S)

    sender = threading.Thread(target=send_all_the_while)
    sender.start()
    try:
        road.start()
        for _ in range(kills):
            before = sum(road.committed("predictions").values())
            eventually(
                lambda before=before: sum(road.committed("predictions").values()) != before,
                within=120,
                saying="the recorder records",
            )
            ended.wait(chance.random())
            engine.kill()
    finally:
        ended.set()
        sender.join()
    road.recorded("predictions")
    store = Store(road.store.settings)
    recorded_once(store, sent)
    one = "ALTER TABLE predictions DELETE WHERE prediction_id = 'p7'"
    store.command(one, settings={"mutations_sync": 1})
    with pytest.raises(AssertionError):
        recorded_once(store, sent)
    store.close()


def test_two_kills_of_the_engine(kafka: str, engine: Engine, topic_prefix: str, tmp_path: Path) -> None:
    """Two kills while late predictions stream lose nothing and repeat nothing."""
    with Road(kafka, engine.url, topic_prefix, "killed", tmp_path) as road:
        kill_engine_while_recording(road, engine, 2, seed=1)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(10))
def test_hundreds_of_kills_of_the_engine(
    kafka: str, engine: Engine, topic_prefix: str, tmp_path: Path, seed: int
) -> None:
    """The same with 300 kills."""
    with Road(kafka, engine.url, topic_prefix, "killed", tmp_path) as road:
        kill_engine_while_recording(road, engine, 30, seed)
