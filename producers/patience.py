"""Waiting that goes on for as long as something moves."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

LOOK_S = 0.05


class Patience:
    """Runs out after a while without progress; having run out, it waits again only once there is some.

    Args:
        progress: a count that every step changes, such as of events delivered.
        quiet: seconds without a step that are waited for.
        clock: seconds that only grow.
    """

    def __init__(
        self, progress: Callable[[], int], quiet: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._progress = progress
        self._quiet = quiet
        self._clock = clock
        self._seen = progress()
        self._since: float | None = None  # the first wait begins the first silence

    def outlasts(self, done: threading.Event) -> bool:
        """Wait for ``done`` while there is progress; whether it came."""
        while not done.is_set():
            now, seen = self._clock(), self._progress()
            if self._since is None or seen != self._seen:
                self._seen, self._since = seen, now
            elif now - self._since >= self._quiet:
                return False
            done.wait(min(LOOK_S, self._quiet))
        self._since = None
        return True
