"""Commits that Kafka's client waits for without end, as its `close` then does: recorder and joiner begin anew with another client."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from recording_road import Road, example
from waiting import eventually

from stream_processors import unanswered
from stream_processors.joiner import membership
from stream_processors.joiner import process as joining
from stream_processors.kafka import Consumer, committed_offsets, reader
from stream_processors.recorder import assignment
from stream_processors.recorder import process as recording
from stream_processors.settings import ClickHouseSettings, ProcessorSettings


class Silent:
    """A consumer that waits for ever once it commits."""

    def __init__(self, client: Consumer, never: threading.Event) -> None:
        self._client, self._never, self.committing = client, never, False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def commit(self, **_: Any) -> Any:
        """Wait until the test is over."""
        self.committing = True
        self._never.wait()
        return []

    def close(self) -> None:
        """The same."""
        self._never.wait()
        self._client.close()


@pytest.fixture
def road(kafka: str, clickhouse: str, topic_prefix: str, database: str, tmp_path: Path) -> Iterator[Road]:
    """Topics and tables."""
    with Road(kafka, clickhouse, topic_prefix, database, tmp_path) as made:
        yield made


@pytest.fixture
def first_is_silent(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[ModuleType], list[Any]]]:
    """Make the first consumer of a module a silent one, and keep all of them."""
    never = threading.Event()
    monkeypatch.setattr(unanswered, "COMMIT_S", 0.5)

    def silence(module: ModuleType) -> list[Any]:
        made: list[Any] = []
        true: Any = module.consumer

        def consumer(*given: Any, **more: Any) -> Any:
            client = true(*given, **more)
            made.append(client if made else Silent(client, never))
            return made[-1]

        monkeypatch.setattr(module, "consumer", consumer)
        return made

    yield silence
    never.set()


@contextmanager
def running(module: ModuleType, road: Road) -> Iterator[threading.Thread]:
    """A processor beside the test, which ends when asked to."""
    tables = ClickHouseSettings(
        url=road.environment["HINDCAST_CLICKHOUSE"], database=road.environment["HINDCAST_DATABASE"]
    )
    stop = threading.Event()
    settings = ProcessorSettings(kafka=road.kafka, clickhouse=tables)
    thread = threading.Thread(target=module.run, args=(settings, stop), daemon=True)
    thread.start()
    try:
        yield thread
    finally:
        stop.set()
        thread.join(20)
    assert not thread.is_alive()


def test_a_recorder_begins_anew(road: Road, first_is_silent: Callable[[ModuleType], list[Any]]) -> None:
    """What it had recorded is in the record once, and committed by the next client."""
    clients = first_is_silent(assignment)
    road.send_records("labels", "label", [example("label", label_id=str(n)) for n in range(20)], partition=1)
    with running(recording, road) as thread:
        eventually(lambda: road.committed("labels")[1] == 20, within=60, saying="the labels are committed")
        assert thread.is_alive()
    assert clients[0].committing
    assert len(clients) == 2
    assert (road.count("labels"), road.store.rows("SELECT count() AS n FROM labels")[0]["n"]) == (20, 20)


def test_a_joiner_begins_anew(road: Road, first_is_silent: Callable[[ModuleType], list[Any]]) -> None:
    """Another member commits what it has joined."""
    clients = first_is_silent(membership)
    road.send_records("labels", "label", [example("label")], partition=1)

    def committed() -> bool:
        client = reader(road.kafka, group_id=road.kafka.topic("joiner"))
        try:
            return committed_offsets(client, road.kafka.topic("labels"), [1]).get(1) == 1
        finally:
            client.close()

    with running(recording, road), running(joining, road) as thread:
        eventually(committed, within=60, saying="the label's place is committed")
        assert thread.is_alive()
    assert clients[0].committing
    assert len(clients) == 2
