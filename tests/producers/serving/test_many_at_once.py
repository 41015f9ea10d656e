"""Threads, tasks and processes that share one logger by accident of how Python starts them, on a real Kafka."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from waiting import eventually

from hindcast.__main__ import run
from producers import PredictionLogger
from producers.codec import decode
from producers.settings import KafkaSettings
from stream_processors.kafka import Message

ReadAll = Callable[[str], list[Message]]
_log: PredictionLogger | None = None


def events(read_all: ReadAll) -> list[dict[str, Any]]:
    """What stands in the topic of predictions."""
    return [decode(message.value())[1] for message in read_all("predictions")]


def by_producer(found: list[dict[str, Any]]) -> dict[str, list[int]]:
    """Sorted sequence numbers of each producer."""
    sequences: dict[str, list[int]] = {}
    for event in found:
        sequences.setdefault(event["producer_id"], []).append(event["sequence"])
    return {producer: sorted(numbers) for producer, numbers in sequences.items()}


def test_forks_among_fifty_threads(settings: KafkaSettings, read_all: ReadAll) -> None:
    """Four threads fork while fifty others log: each child is a producer of its own, nothing is missing and nothing is said twice."""
    log = PredictionLogger(model="m", kafka=settings)
    stop, made = threading.Event(), Counter[str]()

    def traffic() -> int:
        said = 0
        while not stop.wait(0.005):
            log.prediction(entity_id="parent")
            said += 1
        return said

    def fork() -> int:
        child = os.fork()
        if child == 0:
            code = 1
            try:
                for _ in range(50):
                    log.prediction(entity_id="child")
                code = log.close(30)
            finally:
                os._exit(code)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    with ThreadPoolExecutor(50) as threads, ThreadPoolExecutor(4) as forking:
        running = [threads.submit(traffic) for _ in range(50)]
        eventually(lambda: log.stats.delivered > 100, saying="traffic")
        assert list(forking.map(lambda _: fork(), range(4))) == [0] * 4
        stop.set()
        made["parent"] = sum(thread.result() for thread in running)
    assert log.flush(60) == 0
    log.close()
    found = events(read_all)
    assert Counter(event["entity_id"] for event in found) == {**made, "child": 200}
    assert len({event["prediction_id"] for event in found}) == len(found)
    sequences = by_producer(found)
    assert len(sequences) == 5
    assert all(numbers == list(range(len(numbers))) for numbers in sequences.values())


def test_fifty_tasks_of_one_loop(settings: KafkaSettings, read_all: ReadAll) -> None:
    """Coroutines log with the same calls, and leaving the logger waits for delivery without holding up the loop."""

    async def serve(log: PredictionLogger) -> list[str]:
        made = []
        for _ in range(20):
            made.append(log.prediction(score=0.5))
            await asyncio.sleep(0)  # other tasks' turn
        return made

    async def main() -> list[str]:
        turns = 0

        async def others() -> None:
            nonlocal turns
            while True:
                await asyncio.sleep(0.001)
                turns += 1

        async with PredictionLogger(model="m", kafka=settings) as log:
            made = await asyncio.gather(*(serve(log) for _ in range(50)))
            beside, before = asyncio.create_task(others()), turns
        assert turns > before
        beside.cancel()
        assert (log.stats.delivered, log.stats.waiting) == (1_000, 0)
        return [prediction_id for ids in made for prediction_id in ids]

    made = asyncio.run(main())
    assert sorted(event["prediction_id"] for event in events(read_all)) == sorted(made)


def _score(number: int) -> int:
    assert _log is not None
    _log.prediction(score=0.5, item_index=number)
    return os.getpid()


def test_a_pool_that_is_left_is_flushed(
    settings: KafkaSettings, read_all: ReadAll, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pool of forked workers ends them by SIGTERM when its block is left: what they said is in Kafka, or in the spool where that was slow."""
    global _log
    _log = PredictionLogger(model="m", kafka=settings, spool=tmp_path)
    _log.prediction(item_index=-1)  # the parent's thread runs when they are forked
    with multiprocessing.get_context("fork").Pool(4) as pool:
        workers = set(pool.map(_score, range(400), chunksize=10))
    _log.close()
    _log = None
    monkeypatch.setenv("HINDCAST_KAFKA", settings.bootstrap)
    monkeypatch.setenv("HINDCAST_TOPIC_PREFIX", settings.topic_prefix)
    assert run(["spool", "replay", "--spool", str(tmp_path)]) == 0
    found = events(read_all)
    missing = set(range(-1, 400)) - {event["item_index"] for event in found}
    assert not missing, (
        f"{len(missing)} events of {len(workers)} workers are missing; what the workers logged is on stderr"
    )
    # what was on its way when its process ended may come twice, as the same event
    assert len({event["prediction_id"] for event in found}) == 401
    assert len(by_producer(found)) == len(workers) + 1
