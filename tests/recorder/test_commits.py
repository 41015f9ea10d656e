"""What is committed when Kafka refuses a commit, when a partition is told to wait, and when a batch was given up."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from time import time_ns
from typing import Any

from recording_road import Road, example
from stepping import stepping

from producers.errors import StoreUnavailable
from producers.settings import KafkaSettings
from stream_processors.clickhouse import Store
from stream_processors.kafka import Consumer, KafkaError, KafkaException
from stream_processors.recorder.dead_letter_sender import DeadLetterSender
from stream_processors.recorder.pauses import paused_partitions
from stream_processors.recorder.writer import Batch, Writer


class RefusesCommits:
    """A consumer whose next commits Kafka does not take, as a coordinator does that has just begun to load."""

    def __init__(self, client: Consumer, times: int) -> None:
        self._client, self.left = client, times

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def commit(self, **places: Any) -> Any:
        """Refuse while any is left to refuse."""
        if self.left:
            self.left -= 1
            raise KafkaException(KafkaError(KafkaError.COORDINATOR_LOAD_IN_PROGRESS))
        return self._client.commit(**places)


def test_a_refused_commit_is_made_good_without_another_message(road: Road) -> None:
    """Kafka refuses the commit of a partition to which nothing more comes: the recorder commits it all the same."""
    road.send_records("labels", "label", [example("label")], partition=1)
    with stepping(road) as (recorder, until):
        until(lambda: recorder._ours.holdings and not recorder._ours.is_new)
        recorder._ours.client = refusing = RefusesCommits(recorder._ours.client, 3)
        until(lambda: refusing.left == 0)
        until(lambda: road.committed("labels")[1] == 1)


def test_a_pause_where_everything_is_committed_is_kept_in_kafka(road: Road) -> None:
    """A partition that is told to wait at the offset it had committed already waits for every later recorder too."""
    road.send_records("labels", "label", [example("label")], partition=1)
    with stepping(road) as (recorder, until):
        until(lambda: road.committed("labels")[1] == 1)
        recorder._ours.stop_at((road.kafka.topic("labels"), 1), 1, "ClickHouse refuses too much")
        until(lambda: [(one.topic, one.offset) for one in paused_partitions(road.kafka)] == [("labels", 1)])


def _writer(connect: Callable[[], Store], stop: threading.Event) -> Writer:
    nowhere = DeadLetterSender(KafkaSettings(bootstrap="127.0.0.1:1"))
    return Writer(connect, nowhere, current_epoch=lambda: 1, stop=stop, failed=lambda _: None)


def _positions(offset: int) -> Mapping[tuple[str, int], int]:
    return {("t.labels", 0): offset}


def test_after_a_batch_that_was_given_up_none_is_written(road: Road) -> None:
    """The process stops while ClickHouse fails: a later batch that it would take is given up too, or its commit would pass over the first."""
    stop, away = threading.Event(), [True]

    def connect() -> Store:
        if away.pop():
            stop.set()
            raise StoreUnavailable("away")
        return road.store

    writer = _writer(connect, stop)
    assert writer.write(Batch((), _positions(10), epoch=1)).abandoned
    away.append(False)
    assert writer.write(Batch((), _positions(20), epoch=1)).abandoned


class LosesPredictions:
    """A store that fails the first insert into predictions at once, while the one into intake takes its time; it notes what is asked."""

    def __init__(self, store: Store) -> None:
        self._store, self.noted = store, list[str]()

    def __getattr__(self, name: str) -> Any:
        if name != "database":  # known without asking: the insert beside takes its name from it
            self.noted.append(name)
        return getattr(self._store, name)

    def insert(self, table: str, *given: Any, **named: Any) -> None:
        """As the store's."""
        failing = "fails" not in self.noted
        if table == "predictions" and failing:
            self.noted.append("fails")
            raise StoreUnavailable("the connection is gone")
        if table == "intake" and not self.noted.count("intake"):
            threading.Event().wait(0.5)
        self._store.insert(table, *given, **named)
        self.noted.append(table)


def test_an_insert_that_fails_waits_for_the_one_beside_it(road: Road) -> None:
    """Both tables of a topic are written at once; one fails, and nothing is asked or tried again before the other ended: each row is there once."""
    store = LosesPredictions(road.store)
    with stepping(road) as (recorder, until):
        recorder._writer._connect = lambda: store  # type: ignore[assignment, return-value]  # a store as far as a writer asks
        record = example("prediction", event_time=time_ns() // 1000)
        road.send_records("predictions", "prediction", [record], partition=1)
        until(lambda: road.committed("predictions")[1] == 1)
    failed = store.noted.index("fails")
    assert store.noted[failed + 1] == "intake"
    assert store.noted.count("predictions") == 1
    counts = [road.store.rows(f"SELECT count() AS n FROM {table}") for table in ("predictions", "intake")]
    assert counts == [[{"n": 1}], [{"n": 1}]]
