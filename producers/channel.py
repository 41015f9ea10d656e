"""One intake and one sender per process: started at the first event, begun anew in a forked child, closed at exit."""

from __future__ import annotations

import atexit
import contextlib
import sys
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING

# before ours: a sender that is to pause may have to load the client first, which must not be locked by then
import producers.kafka_client  # noqa: F401
from producers import forks
from producers.codec import Registry
from producers.events import Record
from producers.ids import new_id
from producers.intake import Intake, Stats
from producers.limits import Limits
from producers.patience import Patience
from producers.pause import Pause
from producers.said import Handed, HandedKind, RecordKind, Said, Settled
from producers.sender import Sender
from producers.sink import Sink

if TYPE_CHECKING:
    from producers.at_source.source_contract import SourceContract
    from producers.spool import Spool

# how long nothing may be delivered before a flush or close that names no limit gives up; at interpreter exit
PATIENCE_S = 10.0
EXIT_S = 5.0
# what a close whose patience is spent has for the last ledger
LAST_S = 1.0
START_S = 10.0
# how long a fork waits for what is under way
FORK_S = 2.0

_starting = threading.Lock()
_started: list[Channel] = []
# one fork at a time, also where a signal's handler forks in the middle of another, and who pauses for it
_forking = threading.RLock()
_paused: list[Channel] = []


class Channel:
    """The way of one logger's events out of this process.

    Args:
        sink: where messages go.
        registry: a schema registry for Confluent framing.
        limits: what may wait.
        spool: where events are laid that Kafka does not take.
        contract: what predictions must pass before they leave.

    Attributes:
        running: this process's queue, once it has one; see `intake`.
    """

    def __init__(
        self,
        sink: Sink,
        registry: Registry | None,
        limits: Limits | None = None,
        *,
        spool: Spool | None = None,
        contract: SourceContract | None = None,
    ) -> None:
        self._sink = sink
        self._registry = registry
        self._limits = limits or Limits()
        self._spool = spool
        self._contract = contract
        self.running: Intake | None = None
        self._sender: Sender | None = None
        self._inherited: list[object] = []
        self._closed = False
        self._pause: Pause | None = None
        self._paused_in_vain: int | None = None

    def intake(self) -> Intake:
        """This process's queue; its thread runs from the first call on."""
        return self.running or self._start()

    def say_record(
        self, stream: str, record: Record, *, time: int, settled: Settled | None = None
    ) -> str | None:
        """Queue an event of any model whose record is made and examined; returns why it was dropped at once, or None.

        Args:
            stream: ``predictions``, ``labels`` or ``deployments``.
            record: as `producers.events` makes it, without producer_id and sequence.
            time: its event time (of a label reported_at, of a deployment valid_from), µs since 1970.
            settled: told once what became of a queued event: ``delivered``, ``spooled``, or the reason why it was lost.
        """
        kind = RecordKind(stream, str(record["model"]))
        return self.intake().say(Said(kind, record, str(record["environment"] or ""), time, settled))

    def say_handed(
        self,
        stream: str,
        handed: Handed,
        *,
        model: str,
        environment: str,
        time: int,
        settled: Settled | None = None,
    ) -> str | None:
        """As `say_record`, of an event whose key and body are made (see `said.Handed`). Not beside a contract at the source."""
        return self.intake().say(Said(HandedKind(stream, model), handed, environment, time, settled))

    def room(self) -> int:
        """Events that would find room now."""
        return self.intake().room()

    def open(self) -> None:
        """Start now, and wait for the sink to be open (not for a broker to answer).

        Raises:
            ConfigError: the sink refuses its settings.
        """
        self.intake()
        if self._sender is not None:
            self._sender.started(START_S)

    def flush(self, timeout: float | None) -> int:
        """Wait until what was said so far is settled; returns how many events still wait.

        At most ``timeout`` seconds; None: as long as events are delivered, and PATIENCE_S without.
        """
        if self._sender is not None:
            if timeout is None:
                self._sender.drain(_patience([self], PATIENCE_S), ledger=True)
            else:
                self._sender.flush(timeout)
        return self.stats().waiting

    def close(self, timeout: float | None) -> int:
        """Flush as `flush` does and end; later events are dropped and counted. Returns how many have an unknown fate."""
        if timeout is None:
            self.close_after(_patience([self], PATIENCE_S))
        else:
            self._end(timeout)
        return self.stats().waiting

    def close_after(self, patience: Patience) -> None:
        """Wait until what was said so far is settled, while there is patience, and end."""
        if self._sender is not None:
            self._sender.drain(patience, ledger=False)  # the last ledger says it all
        self._end(LAST_S)

    def _end(self, timeout: float) -> None:
        self._closed = True
        sender = self._sender
        if sender is None:
            return
        sender.close(timeout)
        # not before: whoever else closes meanwhile, such as at a signal, must not end the process sooner
        self._sender = None
        with contextlib.suppress(ValueError):
            _started.remove(self)

    def delivered(self) -> int:
        """Events of this process acknowledged so far."""
        return 0 if self.running is None else self.running.delivered()

    def stats(self) -> Stats:
        """The counts of this process."""
        if self.running is None:
            return Stats("", 0, 0, 0, {}, 0, "", failures={})
        return self.running.stats(self._sender.fault if self._sender is not None else "")

    def pause(self) -> None:
        """Before a fork: ask the sender to let go of its connection, unless it could not the last time and nothing was delivered since."""
        sender = self._sender
        if sender is not None and self._paused_in_vain != self.delivered():
            pause = Pause(FORK_S)
            if sender.pause(pause):
                self._pause = pause

    def paused(self) -> None:
        """Wait until it did."""
        if self._pause is not None:
            self._paused_in_vain = None if self._pause.wait() else self.delivered()

    def go_on(self) -> None:
        """After the fork, in the parent."""
        pause, self._pause = self._pause, None
        if pause is not None:
            pause.end()

    def begin_anew(self) -> None:
        """Forget the parent's queue, thread and connection, which do not work in a forked child; the parent sends them."""
        # what a destructor would wait for is not here: the inherited objects live as long as the process
        self._inherited += [self.running, self._sender, self._sink]
        self._sink = self._sink.for_child()
        if self._spool is not None:
            self._spool = self._spool.for_child()
        self.running = self._sender = self._pause = self._paused_in_vain = None

    def _start(self) -> Intake:
        with _starting:
            if self.running is None:
                intake = Intake(new_id(), self._limits)
                intake.closed = self._closed
                if not self._closed:
                    self._sender = Sender(intake, self._sink, self._registry, self._spool, self._contract)
                    _started.append(self)
                    _close_at_exit()
                self.running = intake
            return self.running


def _patience(channels: Sequence[Channel], quiet: float) -> Patience:
    """Patience that lasts while what waits now is delivered: later events are no reason to wait, or traffic would be one."""

    def delivered() -> int:
        return sum(channel.delivered() for channel in channels)

    enough = delivered() + sum(channel.stats().waiting for channel in channels)
    return Patience(lambda: min(delivered(), enough), quiet)


def _close_at_exit() -> None:
    atexit.unregister(close_all)
    atexit.register(close_all)
    # a worker of multiprocessing leaves by os._exit and runs only multiprocessing's own finalizers
    if "multiprocessing.util" in sys.modules:
        sys.modules["multiprocessing.util"].Finalize(None, close_all, exitpriority=0)


def close_all() -> None:
    """Close every logger of this process: the end of the interpreter, which waits while something is delivered.

    A signal's handler that raises meanwhile, as one that calls ``sys.exit``, is heard when all are closed; a second one at once.
    """
    try:
        _close_started()
    except BaseException:
        _close_started()
        raise


def _close_started() -> None:
    channels = _started[:]  # closing takes them out of the list
    patience = _patience(channels, EXIT_S)
    for channel in channels:
        channel.close_after(patience)


def _before_fork() -> None:
    _forking.acquire()
    _paused[:] = _started
    for channel in _paused:
        channel.pause()
    for channel in _paused:
        channel.paused()
    forks.wait_for_lookups()


def _in_parent() -> None:
    for channel in _paused:
        channel.go_on()
    _paused.clear()
    _forking.release()


def _in_child() -> None:
    global _starting, _forking
    _starting, _forking = threading.Lock(), threading.RLock()
    _paused.clear()
    channels, _started[:] = list(_started), []
    for channel in channels:
        channel.begin_anew()


forks.around(_before_fork, _in_parent)
forks.in_child(_in_child)
