"""Who owns a partition counts it, and nobody else: rebalances, lost partitions, stale owners, members that come back."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
from profiled_log import SketchLog, event, numbered, send, writers
from profiler_lives import LIVELY, ProfilerLives
from recomputed import assert_recomputed, raw_rows
from running_profiler import all_read, running_profiler
from waiting import eventually

from producers.settings import KafkaSettings
from stream_processors.kafka import Message, TopicPartition, committed_offsets, reader
from stream_processors.profiler.session import FlushRule, Session
from stream_processors.profiler.source import Source
from stream_processors.profiler.transactions import Transactions
from stream_processors.settings import ProcessorSettings
from stream_processors.status import StatusFile

Places = set[tuple[int, int]]


class Member:
    """A source that is read all the while in a thread, and what it returned since its last assignment."""

    def __init__(self, settings: KafkaSettings, slot: str) -> None:
        self.asked_to_give_up = 0
        settings = replace(settings, properties=LIVELY)
        self.source = Source(ProcessorSettings(kafka=settings, slot=slot), self._before_losing)
        self.owned: frozenset[int] = frozenset()
        self.read: Places = set()
        self.metadata: list[object] = []
        self._metadata_wanted = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _before_losing(self) -> None:
        self.asked_to_give_up += 1

    def _run(self) -> None:
        while not self._stop.is_set():
            if self._metadata_wanted.is_set():
                self._metadata_wanted.clear()
                self.metadata.append(self.source.group_metadata)
            read = self.source.read(0.1)
            if read is None:
                self.owned = frozenset(self.source.start_over())
                self.read = set()
            else:
                self.read |= set(zip(read.partitions.tolist(), read.offsets.tolist(), strict=True))

    def group_metadata(self) -> object:
        """Asked for where the profiler asks, in the thread that reads: elsewhere the client may hold up the whole process."""
        self._metadata_wanted.set()
        return eventually(lambda: self.metadata or False)[-1]

    def close(self) -> None:
        """As a process that ends: the member keeps its partitions for a while."""
        self._stop.set()
        self._thread.join(30)
        self.source.close()


@contextmanager
def members(settings: KafkaSettings, *slots: str) -> Iterator[list[Member]]:
    """Members that share all three partitions."""
    found = [Member(settings, slot) for slot in slots]
    try:
        eventually(
            lambda: (
                all(one.owned for one in found) and sorted(p for one in found for p in one.owned) == [0, 1, 2]
            ),
            saying="each owns some, and all is owned",
        )
        yield found
    finally:
        for one in found:
            one.close()


def places(settings: KafkaSettings) -> Places:
    """Where messages stand."""
    return {(row.partition, row.offset) for row in raw_rows(settings)}


def test_a_rebalance_in_the_middle_of_reading(settings: KafkaSettings) -> None:
    """What was read and not committed when partitions changed hands is read again, each partition by its owner alone, while messages come all the time."""
    stop = threading.Event()

    def flow() -> None:
        while not stop.is_set():
            send(settings, [event(number) for number in range(20)])

    sender = threading.Thread(target=flow)
    with members(settings, "0") as [first]:
        sender.start()
        try:
            eventually(lambda: len(first.read) > 100)
            second = Member(settings, "1")
            eventually(lambda: second.owned and not first.owned & second.owned, saying="both own some")
        finally:
            stop.set()
            sender.join()
        try:
            eventually(lambda: first.read | second.read == places(settings), saying="all is read")
            for one in (first, second):
                assert {partition for partition, _ in one.read} == one.owned
        finally:
            second.close()


def test_a_member_that_comes_back_is_no_news(settings: KafkaSettings) -> None:
    """A profiler that ends and starts again with its slot takes its partitions up again, and the other is not disturbed."""
    with members(settings, "0", "1") as [first, second]:
        owned = first.owned
        before = second.asked_to_give_up
        first.close()
        again = Member(settings, "0")
        try:
            eventually(lambda: again.owned == owned, saying=f"it has {owned} again")
            send(settings, [event(number) for number in range(60)])
            eventually(lambda: again.read | second.read == places(settings))
            assert second.asked_to_give_up == before
        finally:
            again.close()


def test_kafka_takes_offsets_from_a_member_that_is_no_owner(settings: KafkaSettings) -> None:
    """The broker asks whether somebody is a member, not whether the partition is its own: nobody but the profiler itself keeps it from committing for another."""
    send(settings, [event(number) for number in range(60)])
    with members(settings, "0", "1") as [first, second]:
        [foreign, *_] = second.owned
        transactions = Transactions(settings, "profiler-0", threading.Event())
        topic = settings.topic("predictions")
        transactions.commit(settings.topic("sketches"), [], {(topic, foreign): 7}, first.group_metadata())
        client = reader(settings, group_id=settings.topic("profiler"))
        assert committed_offsets(client, topic, [foreign]) == {foreign: 7}
        client.close()


def test_messages_of_a_partition_that_is_not_owned(settings: KafkaSettings) -> None:
    """What the client still hands out of a partition that went, or from before the place where reading begins, is discarded."""
    send(settings, [event(number) for number in range(60)])
    client = reader(settings)
    client.assign([TopicPartition(settings.topic("predictions"), partition, 0) for partition in range(3)])
    messages: list[Message] = []
    while len(messages) < 60:
        messages += [message for message in client.consume(60, 0.2) if message.error() is None]
    client.close()
    assert {message.partition() for message in messages} == {0, 1, 2}
    source = Source(ProcessorSettings(kafka=settings), lambda: None)
    source._next = {1: 5}
    read = source._owned_part(messages, np.zeros(60, dtype=np.int64))
    source.close()
    assert set(read.partitions.tolist()) == {1}
    assert read.offsets.tolist() == list(range(5, 5 + len(read.values)))
    assert source.positions == {1: 5 + len(read.values)}


def test_counted_and_revoked(settings: KafkaSettings) -> None:
    """What a profiler has counted when another comes is committed while the partitions are still its own, and the other goes on behind it."""
    send(settings, numbered(500))
    stop, status = threading.Event(), StatusFile("profiler", "0", None)
    wanted = ProcessorSettings(kafka=settings)
    with Session(wanted, status, stop, rule=FlushRule(interval=3_600)) as session:
        while status.heartbeat.events < 500:
            session.step()
        assert SketchLog.of(settings).deltas == []
        with running_profiler(settings, slot="1"):
            send(settings, numbered(200, first=500))

            def shared() -> bool:
                for _ in range(5):
                    session.step()
                return "profiler-1" in writers(SketchLog.of(settings))

            eventually(shared, within=60, saying="the other has partitions")
            stop.set()
            session.run()
            log = all_read(settings)
    first = {one["source_partition"]: one for one in reversed(log.stretches[0])}
    assert {one["profiler_id"] for one in first.values()} == {"profiler-0"}
    assert sum(one["events"] for one in first.values()) >= 500
    assert_recomputed(log, raw_rows(settings))


def test_counted_and_lost(settings: KafkaSettings, tmp_path: Path) -> None:
    """A profiler that stood still until its partitions were given to another has lost what it had counted; when it goes on, it counts nothing of that again."""
    with (
        ProfilerLives(settings, flush_interval=3_600, status_dir=tmp_path) as sleeper,
        ProfilerLives(settings) as other,
    ):
        sleeper.start("0")
        send(settings, numbered(300))
        eventually(lambda: heard(tmp_path, "0") == 300, within=60, saying="all is counted")
        sleeper.signal("0", signal.SIGSTOP)
        other.start("1")
        log = all_read(settings)
        assert log.events() == 300
        sleeper.signal("0", signal.SIGCONT)

        def awake() -> bool:
            send(settings, numbered(30))
            return heard(tmp_path, "0") > 300

        eventually(awake, within=60, saying="it has partitions again, and counts")
        sleeper.stop("0")
        log = all_read(settings)
    assert writers(log) == {"profiler-0", "profiler-1"}
    assert_recomputed(log, raw_rows(settings))


def heard(directory: Path, slot: str) -> int:
    """Messages that a profiler says it has read."""
    path = directory / f"profiler-{slot}.json"
    return int(json.loads(path.read_text())["events"]) if path.exists() else 0
