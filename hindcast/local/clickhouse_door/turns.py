"""Turns at the engine: so many statements run at once, the rest wait in line.

An answer that is sent while it is made takes as long as its reader likes. It steps aside, so that readers who do not
read hold up nobody who asks for little.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

R = TypeVar("R")


@dataclass(eq=False)
class Turn(Generic[R]):
    """A piece of work in line, under way, or done."""

    work: Callable[[], R]
    done: Future[R] = field(default_factory=Future)
    aside: bool = False
    ended: bool = False


class Turns:
    """`at_once` in their turn, and as many who have stepped aside."""

    def __init__(self, at_once: int, *, name: str) -> None:
        self._free = self._room = at_once
        self._threads = ThreadPoolExecutor(self._free + self._room, thread_name_prefix=name)
        self._line: deque[Turn[Any]] = deque()
        self._lock = threading.Lock()

    def take(self, work: Callable[[], R]) -> Turn[R]:
        """The work's place in line; a thread does it when its turn has come, unless `done` was cancelled before."""
        turn = Turn(work)
        with self._lock:
            self._line.append(turn)
            self._begin()
        return turn

    def step_aside(self, turn: Turn[R]) -> None:
        """Let the next one begin while this one goes on, where there is room."""
        with self._lock:
            if self._room and not turn.aside and not turn.ended:
                turn.aside = True
                self._room -= 1
                self._free += 1
                self._begin()

    def _begin(self) -> None:
        while self._free and self._line:
            self._free -= 1
            self._threads.submit(self._run, self._line.popleft())

    def _run(self, turn: Turn[Any]) -> None:
        if turn.done.set_running_or_notify_cancel():
            try:
                turn.done.set_result(turn.work())
            except BaseException as problem:  # noqa: BLE001 - whoever awaits the turn gets it
                turn.done.set_exception(problem)
        with self._lock:
            turn.ended = True
            self._room += turn.aside
            self._free += not turn.aside
            self._begin()
