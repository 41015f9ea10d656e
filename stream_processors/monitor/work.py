"""Runs the rounds in a thread of their own, so that neither a slow ClickHouse nor a long judgement keeps Faust from its heartbeats."""

from __future__ import annotations

from queue import SimpleQueue
from threading import Event, Thread
from time import monotonic

from producers.codec import Registry
from producers.errors import TransientError
from stream_processors.clickhouse import QueryRefused, Store
from stream_processors.contracts.follower import ContractFollower
from stream_processors.group_coverage import Coverage, StaleAssignment
from stream_processors.monitor.faust_app import monitor_group
from stream_processors.monitor.outbox import Outbox
from stream_processors.monitor.rounds import Assigned, Delivered, Rounds
from stream_processors.monitor.topology import Topology
from stream_processors.settings import ProcessorSettings
from stream_processors.status import StatusFile

_PAUSE_S = 0.25
_LONGEST_PAUSE_S = 10.0


class Work(Thread):
    """Round after round until ``stop``; a fault of Kafka or ClickHouse is said, and tried again with backoff.

    Attributes:
        inbox: what Faust says, in order.
        failure: what ended the thread early, if anything did.
        sound_since: steady clock's seconds since when no round has failed; None while they do.
        rounds: None until the servers have answered for the first time.
    """

    def __init__(
        self, settings: ProcessorSettings, stop: Event, status: StatusFile, registry: Registry | None
    ) -> None:
        super().__init__(name="monitor-rounds", daemon=True)
        self.inbox: SimpleQueue[Assigned | Delivered] = SimpleQueue()
        self.failure: BaseException | None = None
        self.sound_since: float | None = None
        self.rounds: Rounds | None = None
        self._known = 0
        self._settings, self._stop_asked, self._status, self._registry = settings, stop, status, registry
        self._follower = ContractFollower(settings.kafka)
        self._topology = Topology(settings.kafka)
        self._coverage = Coverage(
            settings.kafka, monitor_group(settings.kafka), [settings.kafka.topic("sketches")]
        )
        self._outbox = Outbox(settings.kafka, registry, stopping=stop.is_set)

    @property
    def waiting(self) -> int:
        """What was handed over and is not done: read in this order, nothing is missed that a round takes from the inbox meanwhile."""
        return self.inbox.qsize() + self._known

    def run(self) -> None:
        """Work until asked to stop."""
        pause = _PAUSE_S
        try:
            while not self._stop_asked.wait(pause):
                try:
                    pause = 0.0 if self._round() else _PAUSE_S
                except StaleAssignment:
                    raise
                except (TransientError, QueryRefused) as fault:
                    self.sound_since = None
                    if not self._stop_asked.is_set():
                        self._status.failed(fault)
                    pause = min(max(2 * pause, _PAUSE_S), _LONGEST_PAUSE_S)
        except BaseException as fault:  # noqa: BLE001 - the process must say it and end: a monitor without this thread is a lie
            self.failure = fault
        finally:
            self._follower.close()
            self._topology.close()
            self._coverage.close()
            self._outbox.close()

    def _round(self) -> bool:
        if self.rounds is None:
            self.rounds = Rounds(
                Store(self._settings.clickhouse),
                self._follower,
                self._topology,
                self._outbox,
                lateness=round(self._settings.allowed_lateness * 1e6),
                inbox=self.inbox,
                stopping=self._stop_asked.is_set,
            )
        self._known = max(self._known, 1) if self.inbox.qsize() else self._known
        more = self.rounds.round()
        self._known = self.rounds.waiting
        self._coverage.refuse_stale()
        self._status.recovered()
        self.sound_since = self.sound_since or monotonic()
        return more
