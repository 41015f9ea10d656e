"""Profilers that live shortly: forked from a process that has imported everything, so that a life costs milliseconds and not a second of imports."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from dataclasses import replace
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from types import TracebackType
from typing import Self

from producers.settings import KafkaSettings
from stream_processors.profiler.process import run
from stream_processors.settings import ProcessorSettings

# a member hears of the others' coming with its next heartbeat: every three seconds by librdkafka's default
LIVELY = {"heartbeat.interval.ms": "250"}

_FORKS = multiprocessing.get_context("forkserver")
# what each life would import otherwise: pytest because it is the parent's main module, pandas where it is because pyarrow asks for it
_FORKS.set_forkserver_preload(["pytest", "pandas", "stream_processors.profiler.process"])


def profile(settings: ProcessorSettings) -> None:
    """Profile until killed or terminated."""
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    run(settings, stop)


class ProfilerLives:
    """Profilers by slot, each a process of its own; none is left at the end.

    Args:
        settings: of all of them.
        flush_interval: of all of them, seconds.
        status_dir: where they say how they are.
    """

    def __init__(
        self, settings: KafkaSettings, flush_interval: float = 0.2, status_dir: Path | None = None
    ) -> None:
        self._settings = ProcessorSettings(
            kafka=replace(settings, properties=LIVELY), flush_interval=flush_interval, status_dir=status_dir
        )
        self._living: dict[str, ForkServerProcess] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        for process in self._living.values():
            process.kill()
            process.join(30)

    @property
    def slots(self) -> list[str]:
        """Who lives."""
        return sorted(self._living)

    def start(self, slot: str) -> None:
        """Let one live."""
        settings = replace(self._settings, slot=slot)
        self._living[slot] = _FORKS.Process(target=profile, args=(settings,), daemon=True)
        self._living[slot].start()

    def signal(self, slot: str, number: signal.Signals) -> None:
        """Send one a signal, such as SIGSTOP."""
        pid = self._living[slot].pid
        assert pid is not None
        os.kill(pid, number)

    def stop(self, slot: str) -> None:
        """End one in good order."""
        process = self._living[slot]
        process.terminate()
        process.join(60)
        assert process.exitcode == 0
        del self._living[slot]

    def kill(self, slot: str) -> None:
        """SIGKILL, without a word; one that has ended by itself is a failure."""
        process = self._living.pop(slot)
        assert process.is_alive(), f"profiler {slot} ended by itself: exit code {process.exitcode}"
        process.kill()
        process.join(30)
