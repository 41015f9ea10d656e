"""A stop of the sender without a connection: what a fork waits for.

A child inherits every lock of the C libraries as it is at that moment, and not the thread that would open it. The C library's
own look-up of names has such a lock, which Kafka's client takes whenever it connects: a child that inherited it held would
never connect. So no client runs in a process that forks; see `producers.forks`.
"""

from __future__ import annotations

import threading
import time


class Pause:
    """Asked for by the thread that forks, kept by the sender.

    Args:
        seconds: how long what is under way may take to be settled.
    """

    def __init__(self, seconds: float) -> None:
        self.until = time.monotonic() + seconds
        self.quiet = False
        self._begun = threading.Event()
        self._over = threading.Event()

    def wait(self) -> bool:
        """Wait for the sender to pause; whether it has no connection now."""
        self._begun.wait(max(0.0, self.until - time.monotonic()))
        return self.quiet

    def keep(self, *, quiet: bool) -> None:
        """Stay here until it is over; ``quiet``: there is no connection."""
        self.quiet = quiet
        self._begun.set()
        self._over.wait()

    def end(self) -> None:
        """Let the sender go on."""
        self._over.set()
