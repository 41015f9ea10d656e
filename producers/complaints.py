"""What goes wrong on the background thread, said in the log: each kind at most once a minute, never with a payload."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

EVERY_S = 60.0


class Complaints:
    """A logger that does not repeat itself.

    Args:
        log: where to say it.
        every: seconds before the same kind is said again.
        clock: seconds that only grow.
    """

    def __init__(
        self, log: logging.Logger, *, every: float = EVERY_S, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._log = log
        self._every = every
        self._clock = clock
        self._said: dict[str, float] = {}

    def say(self, kind: str, text: str) -> None:
        """Warn, unless this kind was said a short while ago."""
        now = self._clock()
        if now - self._said.get(kind, -self._every) >= self._every:
            self._said[kind] = now
            self._log.warning("%s", text, extra={"hindcast": kind})
