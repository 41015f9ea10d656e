"""A processor that begins anew after a fault keeps nothing of its life before, neither clients and their threads nor memory: there Python seldom looks for cycles."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from waiting import eventually

from producers.errors import StoreUnavailable
from producers.settings import KafkaSettings
from producers.topics import topics
from stream_processors.clickhouse import Store
from stream_processors.contracts.follower import ContractFollower
from stream_processors.group_coverage import StaleAssignment
from stream_processors.joiner import process as joining
from stream_processors.kafka import KafkaException, create_topics
from stream_processors.metrics import reporting
from stream_processors.migrations import migrate
from stream_processors.monitor.topology import Topology
from stream_processors.profiler import process as profiling
from stream_processors.profiler import transactions
from stream_processors.recorder import process as recording
from stream_processors.settings import ClickHouseSettings, ProcessorSettings

ROUNDS = 3
STEPS = 4


@pytest.fixture
def settings(kafka: str, topic_prefix: str) -> KafkaSettings:
    """Topics of a test."""
    found = KafkaSettings(kafka, topic_prefix)
    create_topics(found, topics().values(), partitions=2)
    return found


@pytest.fixture(autouse=True)
def _nobody_looks_for_cycles() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def threads_of_clients() -> int:
    """Those that librdkafka has in this process."""
    return sum(_name(task).startswith("rdk:") for task in Path("/proc/self/task").iterdir())


def _name(task: Path) -> str:
    try:
        return (task / "comm").read_text()
    except OSError:  # it has just ended
        return ""


def failing(kind: Any) -> tuple[type, list[weakref.ref[Any]], list[int]]:
    """A life of this kind that fails after some steps, but for the last; with each that was begun, and how many threads there were before it."""
    lives: list[weakref.ref[Any]] = []
    threads: list[int] = []

    class Failing(kind):  # type: ignore[misc]  # any of three
        def __init__(self, *given: Any, **more: Any) -> None:
            threads.append(threads_of_clients())
            super().__init__(*given, **more)
            self._steps_left = STEPS
            # of a joiner it is its place in the group that its client knows
            lives.append(weakref.ref(getattr(self, "_membership", self)))

        def step(self) -> None:
            super().step()
            self._steps_left -= 1
            if self._steps_left == 0 and len(lives) <= ROUNDS:
                raise StaleAssignment("as if partitions were nobody's")

    return Failing, lives, threads


@pytest.mark.parametrize(
    ("module", "name"),
    [(profiling, "Session"), (recording, "Recorder"), (joining, "_Joiner")],
    ids=["profiler", "recorder", "joiner"],
)
def test_nothing_stays_of_a_life_that_has_ended(
    module: ModuleType,
    name: str,
    settings: KafkaSettings,
    clickhouse: str,
    database: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """When the next begins there is no thread of it, and in the end none of those before is in memory."""
    tables = ClickHouseSettings(url=clickhouse, database=database)
    if module is joining:
        migrate(Store(tables))
    kind, lives, threads = failing(getattr(module, name))
    monkeypatch.setattr(module, name, kind)
    before, stop = threads_of_clients(), threading.Event()
    running = threading.Thread(
        target=module.run, args=(ProcessorSettings(kafka=settings, clickhouse=tables), stop), daemon=True
    )
    running.start()

    def all_begun() -> None:
        assert len(lives) == ROUNDS + 1

    try:
        eventually(all_begun, within=60, saying="one life after the other")
    finally:
        stop.set()
        running.join(30)
    assert not running.is_alive()
    assert threads == [before] * (ROUNDS + 1)
    assert [life() for life in lives[:ROUNDS]] == [None] * ROUNDS


def test_a_joiner_that_finds_no_clickhouse_keeps_no_thread(settings: KafkaSettings) -> None:
    """It tries until it does, and each time has Kafka's clients before."""
    nowhere = ProcessorSettings(kafka=settings, clickhouse=ClickHouseSettings(url="http://u:p@127.0.0.1:1"))
    before = threads_of_clients()
    for _ in range(ROUNDS):
        with pytest.raises(StoreUnavailable):
            joining._Joiner(nowhere, threading.Event(), reporting("joiner", nowhere))
    assert threads_of_clients() == before


@pytest.mark.parametrize("kind", [ContractFollower, Topology])
def test_what_is_closed_has_no_thread(
    kind: Callable[[KafkaSettings], ContractFollower | Topology], settings: KafkaSettings
) -> None:
    """Also while somebody holds it."""
    before = threads_of_clients()
    one = kind(settings)
    assert threads_of_clients() > before
    one.close()
    assert threads_of_clients() == before


def test_a_producer_of_transactions_that_could_not_begin_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no broker answers there is nothing that could be closed."""
    monkeypatch.setattr(transactions, "_LIMIT_S", 0.1)
    before = threads_of_clients()
    with pytest.raises(KafkaException, match="TIMED_OUT"):
        transactions.Transactions(KafkaSettings("127.0.0.1:1", "t"), "profiler-0", threading.Event())
    assert threads_of_clients() == before
