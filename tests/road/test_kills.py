"""kill -9 of anything while flights stream leaves the same record as an undisturbed run."""

from __future__ import annotations

import threading
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from rich.console import Console
from road.snapshot import differences, snapshot

from hindcast.demo import flights, run, scenes, story
from hindcast.demo.bars import Bars
from hindcast.local.stack import LocalStack
from hindcast.local.startup import StackOptions
from producers.errors import ConfigError
from producers.settings import KafkaSettings
from stream_processors.clickhouse import Store
from stream_processors.settings import ClickHouseSettings

PARTS = ("profiler", "recorder", "joiner", "monitor", "kafka", "clickhouse")
SEED = 7


@pytest.fixture(scope="module")
def two_weeks() -> story.Story:
    """The story of the first half of July, when version 2 is a shadow."""
    return story.tell(
        flights.departures(),
        SEED,
        since=datetime(2013, 7, 1, tzinfo=UTC),
        until=datetime(2013, 7, 15, tzinfo=UTC),
    )


class Killer:
    """Kills every part ``rounds`` times in an order that a seed chooses; the sender takes one step between two kills.

    A part is killed only when all are up again, so that each kill meets work under way and none meets a dead process:
    a processor that ended itself for what the kill before did to it is waited for.
    """

    def __init__(self, stack: LocalStack, rounds: int) -> None:
        self._stack = stack
        self._random = np.random.default_rng(SEED)
        self._parts = [str(part) for part in self._random.permutation(np.repeat(PARTS, rounds))]
        self._turn = threading.Semaphore(0)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.kills: list[str] = []
        self.problem: BaseException | None = None

    def start(self) -> None:
        """Begin to kill."""
        self._thread.start()

    def moved(self, _: int) -> None:
        """The sender has sent a step: wait for the next kill, if one is left."""
        while not self._over.is_set():
            if self._turn.acquire(timeout=0.2):
                return

    def finish(self) -> None:
        """Wait for the last kill."""
        self._thread.join()
        if self.problem:
            raise self.problem

    def _kill(self, part: str, pause: float) -> None:
        while True:
            self._stack.wait_until_healthy(within=90)
            self._over.wait(pause)
            # it may end between the look and the kill
            with suppress(ConfigError, ProcessLookupError):
                self._stack.kill(part)
                return

    def _run(self) -> None:
        try:
            for part in self._parts:
                self._kill(part, pause=float(self._random.uniform(0.1, 1.5)))
                self.kills.append(part)
                self._turn.release()
        except BaseException as problem:  # noqa: BLE001 - told to the test by `finish`
            self.problem = problem
        finally:
            self._over.set()


def _record(directory: Path, told: story.Story, *, rounds: int) -> tuple[dict[str, pd.DataFrame], list[str]]:
    """Stream the story through a stack of its own while ``rounds`` kills hit each part; returns what was recorded."""
    stack = LocalStack(directory)
    killer = Killer(stack, rounds)
    try:
        stack.up(StackOptions(settings=run.HASTE))
        environment = stack.environment()
        run.publish_contract(environment, told)
        killer.start()
        sent = scenes.send(told, KafkaSettings.from_environment(environment), killer.moved, step="12h")
        killer.finish()
        stack.wait_until_healthy(within=90)
        with Bars(Console(quiet=True)) as bars:
            run.wait_for_answers(stack, told, sent, bars)
        store = Store(ClickHouseSettings.from_environment(environment))
        found = snapshot(store)
        store.close()
        return found, killer.kills
    finally:
        stack.down()


@pytest.fixture(scope="module")
def undisturbed(two_weeks: story.Story, tmp_path_factory: pytest.TempPathFactory) -> dict[str, pd.DataFrame]:
    """What is recorded when nothing dies."""
    return _record(tmp_path_factory.mktemp("calm"), two_weeks, rounds=0)[0]


@pytest.mark.timeout(900)
def test_three_kills_of_each_part_change_nothing(
    two_weeks: story.Story, undisturbed: dict[str, pd.DataFrame], tmp_path: Path
) -> None:
    """Three kill -9 of each processor, of Kafka and of ClickHouse: rows, bins, counts and last revisions are equal."""
    found, kills = _record(tmp_path, two_weeks, rounds=3)
    assert sorted(kills) == sorted(PARTS * 3)
    unequal = differences(undisturbed, found)
    assert not unequal, "\n".join(unequal)


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_thirty_kills_of_each_part_change_nothing(
    two_weeks: story.Story, undisturbed: dict[str, pd.DataFrame], tmp_path: Path
) -> None:
    """The same with thirty kills of each."""
    found, kills = _record(tmp_path, two_weeks, rounds=30)
    assert sorted(kills) == sorted(PARTS * 30)
    unequal = differences(undisturbed, found)
    assert not unequal, "\n".join(unequal)
