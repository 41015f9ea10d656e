"""A Faust that never has started: where Kafka refuses this user its group, it waits for ever and says nothing."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest

from producers.settings import KafkaSettings
from stream_processors.metrics import reporting
from stream_processors.monitor.watchdog import FaustCeased
from stream_processors.monitor.worker import Worker
from stream_processors.settings import ClickHouseSettings, ProcessorSettings


class _Waiting:
    crashed = False

    async def start(self) -> None:
        await asyncio.Event().wait()


def _worker(directory: Path, stop: threading.Event, patience: float) -> Worker:
    settings = ProcessorSettings(
        kafka=KafkaSettings("127.0.0.1:1", "waits"),
        clickhouse=ClickHouseSettings("http://127.0.0.1:1"),
        status_dir=directory,
    )
    return Worker(settings, stop, reporting("monitor", settings), patience=patience)


async def _start(worker: Worker) -> None:
    app: Any = _Waiting()
    await worker._start(app)


def test_it_is_not_waited_for_longer_than_for_one_that_ceased(tmp_path: Path) -> None:
    """The process ends, and says which right may be missing."""
    worker = _worker(tmp_path, threading.Event(), 0.1)
    with pytest.raises(FaustCeased, match=r"the group waits\.monitor for 0\.1 s: may this user read"):
        asyncio.run(_start(worker))


def test_a_stop_is_heard_meanwhile(tmp_path: Path) -> None:
    """Asked to end, it does not wait."""
    stop = threading.Event()
    stop.set()
    asyncio.run(asyncio.wait_for(_start(_worker(tmp_path, stop, 60.0)), 10))
