"""Whatever dies when: every message is recorded, and none is there twice."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
from gate import Gate
from recording_road import Road, example
from steady_load import sketch
from stepping import stepping
from waiting import eventually

from producers.codec import encode
from producers.errors import HindcastError
from stream_processors.clickhouse import Store
from stream_processors.recorder.query_ids import query_id_start
from stream_processors.recorder.read_back import settle
from stream_processors.settings import ClickHouseSettings

NOW = time.time_ns() // 1000


def prediction(number: int) -> bytes:
    """One of many predictions."""
    return encode("prediction", example("prediction", prediction_id=f"p{number}", event_time=NOW + number))


def assert_recorded_once(road: Road, predictions: int, sketches: int) -> None:
    """Rows are what was sent, each once, whether read with FINAL or counted in intake."""
    assert road.count("predictions") == predictions
    assert road.rows("SELECT uniqExact(prediction_id) AS n FROM predictions") == [{"n": predictions}]
    assert road.count("intake") == predictions
    [row] = road.rows(
        "SELECT count() AS n, uniqExact(first_offset) AS messages, min(whole) AS whole FROM ("
        "SELECT first_offset, count() = any(_rows) AS whole FROM sketches FINAL GROUP BY first_offset)"
    )
    assert row == {"n": sketches, "messages": sketches, "whole": 1}


def test_what_is_there_is_not_inserted_again(road: Road) -> None:
    """A recorder whose commits were lost inserts nothing that it reads back, and wholly what is there in part."""
    road.send("predictions", [prediction(number) for number in range(500)], partition=0)
    road.send("sketches", [sketch(0), sketch(1)], partition=0)
    first = road.start()
    road.recorded("predictions", "sketches")
    road.kill(first)
    partly = "ALTER TABLE sketches DELETE WHERE _offset = 1 AND _row > 10"
    road.store.command(partly, settings={"mutations_sync": 1})
    road.rewind({"predictions": 100, "sketches": 0})
    road.send("predictions", [prediction(number) for number in range(500, 600)], partition=0)
    road.start("1")
    road.recorded("predictions", "sketches")
    assert road.count("predictions", final=False) == 600
    assert road.count("intake", final=False) == 600
    [row] = road.rows("SELECT count() = any(_rows) AS once FROM sketches WHERE _offset = 0")
    assert row == {"once": 1}
    rows = road.rows(
        "SELECT _offset, count() = any(_rows) AS whole FROM sketches FINAL GROUP BY _offset ORDER BY 1"
    )
    assert rows == [{"_offset": 0, "whole": 1}, {"_offset": 1, "whole": 1}]


def test_an_insert_that_outlives_its_writer_is_waited_for(road: Road) -> None:
    """A partition is not read back while an insert for it still runs; one that does not end is killed."""
    store = Store(ClickHouseSettings(road.store.settings.url, road.store.database))
    start = query_id_start(road.store.database, "topic-id")

    slow_query = "INSERT INTO labels (label_id) SELECT toString(sleepEachRow(1)) FROM numbers(100)"
    settings = {
        "query_id": f"{start}0,2/slow",
        "max_block_size": 1,
        "function_sleep_max_microseconds_per_block": 0,
    }

    def insert_slowly() -> None:
        with pytest.raises(HindcastError):
            road.store.command(slow_query, settings=settings)

    slow = threading.Thread(target=insert_slowly)
    slow.start()
    eventually(lambda: store.running([f"{start}0,2/slow"]), saying="the insert runs")
    waited: list[float] = []
    clock = iter(range(1_000))
    pause = threading.Event()

    def wait(seconds: float) -> None:
        waited.append(seconds)
        pause.wait(seconds)

    settle(store, "topic-id", [1], clock=lambda: float(next(clock)), wait=wait)
    assert waited == []
    settle(store, "topic-id", [2], clock=lambda: float(next(clock)), wait=wait, patience=3.0)
    assert waited
    assert store.running([f"{start}0,2/slow"]) == []
    slow.join(30)
    store.close()


def test_an_answer_that_is_lost_is_read_back(road: Road, clickhouse: str) -> None:
    """An insert that ClickHouse took, but whose answer never came, is not repeated."""
    with Gate(clickhouse) as gate:
        road.start(HINDCAST_CLICKHOUSE=gate.url)
        road.send("predictions", [prediction(0)], partition=0)
        road.recorded("predictions")
        gate.swallow_answers.set()
        road.send("predictions", [prediction(number) for number in range(1, 300)], partition=0)
        eventually(
            lambda: road.count("intake") == 300, within=30, saying="ClickHouse has taken the first insert"
        )
        gate.close()
        gate.swallow_answers.clear()
        gate.open()
        road.recorded("predictions")
    assert road.count("predictions", final=False) == 300
    assert road.count("intake", final=False) == 300


class WritesLikeTwo:
    """A store in which every insert happens twice: by its writer, and by one that Kafka took for dead and that had read back the same."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def insert(self, table: str, rows: Any, *, query_id: str, **named: Any) -> None:
        """As the store's, and once more."""
        self._store.insert(table, rows, query_id=query_id, **named)
        self._store.insert(table, rows, query_id=f"{query_id}-again", **named)


def test_two_writers_of_one_partition_repeat_nothing(road: Road) -> None:
    """Two recorders insert the same messages, each sure that the partition is its own: tables hold them twice, and every reading once."""
    sent = {
        "predictions": [prediction(number) for number in range(50)],
        "labels": [encode("label", example("label", label_id=f"l{number}")) for number in range(50)],
        "sketches": [sketch(number) for number in range(3)],
        "ledger": [encode("ledger", example("ledger", hour=number)) for number in range(50)],
    }
    for topic, values in sent.items():
        road.send(topic, values)
    with stepping(road) as (recorder, until):
        recorder._writer._connect = lambda: WritesLikeTwo(road.store)  # type: ignore[assignment, return-value]  # a store as far as a writer asks
        until(
            lambda: all(
                sum(max(at, 0) for at in road.committed(topic).values()) == len(sent[topic]) for topic in sent
            )
        )
    for table in ("predictions", "intake", "labels", "ledger"):
        assert (road.count(table, final=False), road.count(table)) == (100, 50)
    assert road.count("sketches", final=False) == 2 * road.count("sketches")
    assert_recorded_once(road, 50, 3)
    assert road.rows("SELECT count() AS n FROM predictions_v") == [{"n": 50}]


def test_two_recorders_share_the_work(road: Road) -> None:
    """A second recorder takes half of the partitions, one that dies gives its half back, and nothing is lost or repeated."""
    first, second = road.start("0"), road.start("1")
    eventually(lambda: _held(road, "0") == _held(road, "1") == 22, within=60, saying="each holds half")
    road.send("predictions", [prediction(number) for number in range(4_000)])
    road.kill(second)
    road.send("predictions", [prediction(number) for number in range(4_000, 8_000)])
    road.send("sketches", [sketch(0)])
    road.recorded("predictions", "sketches")
    assert first.poll() is None
    assert_recorded_once(road, 8_000, 1)


def _held(road: Road, slot: str) -> int:
    positions: dict[str, Any] = road.heartbeat(slot).get("positions", {})
    return len(positions)
