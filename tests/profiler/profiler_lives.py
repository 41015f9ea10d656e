"""Profilers that live shortly: forked from a process that has imported everything, so that a life costs milliseconds and not a second of imports."""

from __future__ import annotations

import multiprocessing
import threading
from multiprocessing.context import ForkServerProcess
from types import TracebackType
from typing import Self

from producers.settings import KafkaSettings
from stream_processors.profiler.process import run
from stream_processors.settings import ProcessorSettings

_FORKS = multiprocessing.get_context("forkserver")
# what each life would import otherwise: pytest because it is the parent's main module, pandas where it is because pyarrow asks for it
_FORKS.set_forkserver_preload(["pytest", "pandas", "stream_processors.profiler.process"])


def profile(settings: KafkaSettings, slot: str, flush_interval: float) -> None:
    """Profile until killed."""
    run(ProcessorSettings(kafka=settings, slot=slot, flush_interval=flush_interval), threading.Event())


class ProfilerLives:
    """Profilers by slot, each a process of its own; none is left at the end.

    Args:
        settings: of all of them.
        flush_interval: of all of them, seconds.
    """

    def __init__(self, settings: KafkaSettings, flush_interval: float = 0.2) -> None:
        self._settings, self._flush_interval = settings, flush_interval
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
        arguments = (self._settings, slot, self._flush_interval)
        self._living[slot] = _FORKS.Process(target=profile, args=arguments, daemon=True)
        self._living[slot].start()

    def kill(self, slot: str) -> None:
        """SIGKILL, without a word; one that has ended by itself is a failure."""
        process = self._living.pop(slot)
        assert process.is_alive(), f"profiler {slot} ended by itself: exit code {process.exitcode}"
        process.kill()
        process.join(30)
