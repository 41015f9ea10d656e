"""A Kafka that belongs to one test file: stopped, started again and held still without harm to any other test."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from waiting import eventually

from hindcast.local.kafka import answers, prepare_kafka
from hindcast.local.program import Running

START_S = 120


class OwnKafka:
    """A real broker in a directory, which keeps its log, its address and its identity from start to start.

    Attributes:
        bootstrap: its address.
    """

    def __init__(self, directory: Path) -> None:
        node, self._program = prepare_kafka(directory, environment=os.environ)
        self.bootstrap = node.bootstrap
        self._running = Running(self._program)
        self._wait()

    def stop(self) -> None:
        """Have it end as an operator would."""
        self._running.stop()

    def start(self) -> None:
        """Start it again after `stop`, and wait until it answers."""
        self._running = Running(self._program)
        self._wait()

    def hold(self) -> None:
        """Hold it still: connections stay open and nothing is answered."""
        os.kill(self._running.pid, signal.SIGSTOP)

    def let_go(self) -> None:
        """Let it go on after `hold`; nothing where it runs."""
        if self._running.alive():
            os.kill(self._running.pid, signal.SIGCONT)

    def end(self) -> None:
        """End it for good."""
        self.let_go()
        self._running.kill()

    def _wait(self) -> None:
        eventually(lambda: answers(self.bootstrap), within=START_S, saying="Kafka answers")
