"""A broker killed and started again under a running profiler."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from profiled_log import event, numbered, send
from profiler_process import profiler_process
from recomputed import assert_recomputed, raw_rows
from running_profiler import all_read
from waiting import eventually

from hindcast.local.kafka import answers, prepare_kafka
from hindcast.local.program import Running
from producers.errors import TransientError
from producers.settings import KafkaSettings
from producers.topics import topics
from stream_processors.kafka import create_topics
from stream_processors.profiler.source import Source
from stream_processors.profiler.transactions import Outgoing, Transactions
from stream_processors.settings import ProcessorSettings


class KillableKafka:
    """A broker of this test's own, and topics on it."""

    def __init__(self, directory: Path) -> None:
        self._node, self._program = prepare_kafka(directory, environment=os.environ)
        self._running = Running(self._program)
        self._await()
        self.settings = KafkaSettings(bootstrap=self._node.bootstrap, topic_prefix="t")
        wanted = [topics()[name] for name in ("predictions", "contracts", "sketches")]
        create_topics(self.settings, wanted, partitions=2)

    def _await(self) -> None:
        eventually(lambda: answers(self._node.bootstrap), within=60)

    def kill_and_start(self) -> None:
        """SIGKILL, and up again with its data."""
        self._running.kill()
        self._running = Running(self._program)
        self._await()

    def end(self) -> None:
        """For good."""
        self._running.kill()


@pytest.fixture
def kafka(tmp_path: Path) -> Iterator[KillableKafka]:
    """Killed at the end."""
    found = KillableKafka(tmp_path)
    yield found
    found.end()


def test_broker_killed_in_the_middle_of_a_transaction(kafka: KillableKafka) -> None:
    """What was sent before the broker died is rolled back with its offsets, although the broker comes back before the commit; the next life counts all, once."""
    settings, topic = kafka.settings, kafka.settings.topic("predictions")
    send(settings, numbered(200))
    stop = threading.Event()

    def messages() -> Iterator[Outgoing]:
        for _ in range(20):
            yield Outgoing(b"counted from messages that will be read again", partition=0)
        kafka.kill_and_start()
        yield Outgoing(b"after the restart", partition=1)

    source = Source(ProcessorSettings(kafka=settings), lambda: None)
    eventually(
        lambda: source.read(0.1) is None and source.start_over(), within=60, saying="it owns partitions"
    )
    transactions = Transactions(settings, "profiler-0", stop)
    positions = {(topic, partition): 50 for partition in source.positions}
    with pytest.raises(TransientError):
        transactions.commit(settings.topic("sketches"), messages(), positions, source.group_metadata)
    source.close()
    with profiler_process(settings):
        log = all_read(settings, within=240)
    assert_recomputed(log, raw_rows(settings))
    assert log.whole().events == 200


def test_broker_killed_while_events_flow(kafka: KillableKafka) -> None:
    """A broker that dies in the middle and comes back finds the profiler alive, and every event is counted once."""
    settings = kafka.settings
    events = [event(number) for number in range(4_000)]
    pause = threading.Event()

    def flow() -> None:
        for start in range(0, len(events), 250):
            send(settings, events[start : start + 250])
            pause.wait(0.8)

    with profiler_process(settings) as process:
        sender = threading.Thread(target=flow)
        sender.start()
        for _ in range(2):
            pause.wait(4)
            kafka.kill_and_start()
        sender.join()
        log = all_read(settings, within=240)
        assert process.poll() is None
    assert log.whole().events == len(events)
    assert_recomputed(log, raw_rows(settings))
