"""kill -9 at random moments while events flow, rebalances among them: stretch by stretch, the sketches are those of the raw rows."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable

import pytest
from event_flow import EventFlow
from profiler_lives import ProfilerLives
from recomputed import assert_recomputed, raw_rows
from running_profiler import all_read
from waiting import eventually

from producers.settings import KafkaSettings
from stream_processors.kafka import admin, latest_offsets

PARTITIONS = range(3)


def written(settings: KafkaSettings) -> Callable[[], dict[int, int]]:
    """The way to ask how much profilers have written, committed or not: committed offsets have no answer while a transaction of the dead is open."""
    client = admin(settings)
    return lambda: latest_offsets(client, settings.topic("sketches"), PARTITIONS)


def kill_while_profiling(settings: KafkaSettings, kills: int, seed: int, *, change_every: int) -> None:
    """Kill one of two profilers, start it again, and so on; every so often a third comes and one of the three goes for good.

    Half of the kills come at any moment of a life, even before it has joined; the others after something more was written, so that
    there is always something to lose.
    """
    chance, flow, place = random.Random(seed), EventFlow(settings), written(settings)
    pause = threading.Event()
    try:
        with ProfilerLives(settings, flush_interval=0.05) as lives:
            lives.start("0")
            lives.start("1")
            before: dict[int, int] = {}
            for number in range(kills):
                if chance.random() < 0.5:
                    eventually(lambda before=before: place() != before, within=120, saying="progress")
                before = place()
                pause.wait(chance.random() * 0.5)
                changes = number % change_every == change_every // 2
                victim = chance.choice(lives.slots)
                if changes:
                    lives.start(str(2 + number))
                    pause.wait(chance.random())
                lives.kill(victim)
                if not changes:
                    lives.start(victim)
            flow.end()
            log = all_read(settings, within=120)
    finally:
        flow.end()
    rows = raw_rows(settings)
    assert sum(row.event is not None for row in rows) == flow.sent == log.whole().events
    assert_recomputed(log, rows)


def test_thirty_kills(settings: KafkaSettings) -> None:
    """Thirty kills and a change of the group: nothing is lost, nothing is counted twice."""
    kill_while_profiling(settings, 30, seed=1, change_every=30)


@pytest.mark.soak
@pytest.mark.timeout(1_800)
@pytest.mark.parametrize("seed", range(2, 12))
def test_hundreds_of_kills(settings: KafkaSettings, seed: int) -> None:
    """The same with 300 kills and sixty changes of the group."""
    kill_while_profiling(settings, 30, seed, change_every=5)
