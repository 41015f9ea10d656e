"""A thread that works beside the one that consumes, and that nobody waits for who must end."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any, TypeVar

R = TypeVar("R")


class DaemonThread:
    """Does one piece of work after the other, in the order in which they are given.

    The thread is a daemon, unlike one of a ThreadPoolExecutor: a process that must end does not wait for ClickHouse, because
    what is left open is read back by the next one.
    """

    def __init__(self, name: str) -> None:
        self._work: SimpleQueue[tuple[Callable[[], Any], Future[Any]] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def submit(self, work: Callable[[], R]) -> Future[R]:
        """Do this after what was given before it; the future says what became of it."""
        future: Future[R] = Future()
        self._work.put((work, future))
        return future

    def close(self, within: float) -> None:
        """End after the work given, or leave the thread behind after ``within`` seconds."""
        self._work.put(None)
        self._thread.join(within)

    def _run(self) -> None:
        while (given := self._work.get()) is not None:
            work, future = given
            try:
                future.set_result(work())
            except BaseException as fault:  # noqa: BLE001 - a defect: whoever waits for it ends with it
                future.set_exception(fault)
