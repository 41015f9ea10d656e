"""One intake and one sender per process: started at the first event, begun anew in a forked child, closed at exit."""

from __future__ import annotations

import atexit
import os
import sys
import threading
import time

from producers.codec import Registry
from producers.ids import new_id
from producers.intake import Intake, Stats
from producers.sender import Sender
from producers.sink import Sink

EXIT_S = 5.0
START_S = 10.0

_starting = threading.Lock()
_started: list[Channel] = []


class Channel:
    """The way of one logger's events out of this process.

    Args:
        sink: where messages go.
        registry: a schema registry for Confluent framing.
        limit: events that may wait.
    """

    def __init__(self, sink: Sink, registry: Registry | None, limit: int) -> None:
        self._sink = sink
        self._registry = registry
        self._limit = limit
        self._intake: Intake | None = None
        self._sender: Sender | None = None
        self._inherited: list[object] = []
        self._closed = False

    def intake(self) -> Intake:
        """This process's queue; its thread runs from the first call on."""
        return self._intake or self._start()

    def open(self) -> None:
        """Start now, and wait for the sink to be open (not for a broker to answer).

        Raises:
            ConfigError: the sink refuses its settings.
        """
        self.intake()
        if self._sender is not None:
            self._sender.started(START_S)

    def flush(self, timeout: float) -> int:
        """Wait until what was said so far is settled, at most ``timeout`` seconds; returns how many events still wait."""
        if self._sender is not None:
            self._sender.flush(timeout)
        return self.stats().waiting

    def close(self, timeout: float) -> int:
        """Flush and end; later events are dropped and counted. Returns how many have an unknown fate."""
        self._closed = True
        sender, self._sender = self._sender, None
        if sender is not None:
            sender.close(timeout)
            _started.remove(self)
        return self.stats().waiting

    def stats(self) -> Stats:
        """The counts of this process."""
        if self._intake is None:
            return Stats("", 0, 0, 0, {}, 0, "")
        return self._intake.stats(self._sender.fault if self._sender is not None else "")

    def begin_anew(self) -> None:
        """Forget the parent's queue, thread and connection, which do not work in a forked child; the parent sends them."""
        # what a destructor would wait for is not here: the inherited objects live as long as the process
        self._inherited += [self._intake, self._sender, self._sink]
        self._sink = self._sink.for_child()
        self._intake = self._sender = None

    def _start(self) -> Intake:
        with _starting:
            if self._intake is None:
                intake = Intake(new_id(), self._limit)
                intake.closed = self._closed
                if not self._closed:
                    self._sender = Sender(intake, self._sink, self._registry)
                    _started.append(self)
                    _close_at_exit()
                self._intake = intake
            return self._intake


def _close_at_exit() -> None:
    atexit.unregister(_at_exit)
    atexit.register(_at_exit)
    # a worker of multiprocessing leaves by os._exit and runs only multiprocessing's own finalizers
    if "multiprocessing.util" in sys.modules:
        sys.modules["multiprocessing.util"].Finalize(None, _at_exit, exitpriority=0)


def _at_exit() -> None:
    end = time.monotonic() + EXIT_S
    for channel in _started[:]:  # closing takes it out of the list
        channel.close(max(0.0, end - time.monotonic()))


def _in_child() -> None:
    global _starting
    _starting = threading.Lock()
    channels, _started[:] = list(_started), []
    for channel in channels:
        channel.begin_anew()


os.register_at_fork(after_in_child=_in_child)
