"""The monitor's main loop: starts Faust and the work, watches both, and says each second how far they are."""

from __future__ import annotations

import asyncio
import logging
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event
from time import monotonic

from aiokafka.errors import KafkaError
from faust.types import TP

from producers.errors import ContractError, TransientError
from producers.registry import registry_of
from stream_processors.group_coverage import StaleAssignment
from stream_processors.monitor.faust_app import faust_app, monitor_group
from stream_processors.monitor.flight import Flight
from stream_processors.monitor.headings import Heading, read_heading
from stream_processors.monitor.read_committed import ReadCommittedApp
from stream_processors.monitor.rounds import Assigned, Delivered
from stream_processors.monitor.watchdog import PATIENCE_S, FaustCeased, Watchdog
from stream_processors.monitor.work import Work
from stream_processors.settings import ProcessorSettings
from stream_processors.status import StatusFile

_LOOK_S = 0.2
_ANSWER_S = 3.0
# for Faust and the work together: a round that takes longer to notice, as it counts a long backlog, ends with the process, which keeps nothing
_STOP_S = 1.0

log = logging.getLogger(__name__)


class FaustCrashed(TransientError):
    """Faust gave up; a new process goes on where this one stopped."""


class Worker:
    """One monitor process's life. ``run`` returns when ``stop`` is set.

    Raises:
        ConfigError: from making it, or when a server refuses the credentials.
        FaustCeased, FaustCrashed, StaleAssignment: the process should end with an error and be started again.
    """

    def __init__(
        self, settings: ProcessorSettings, stop: Event, status: StatusFile, *, patience: float = PATIENCE_S
    ) -> None:
        self._settings, self._stop, self._status = settings, stop, status
        self._registry = registry_of(settings.kafka)
        self._patience = patience
        self._work = Work(settings, stop, status, self._registry)
        self._watchdog = Watchdog(patience)
        self._own: frozenset[int] = frozenset()
        self._positions: dict[int, int] = {}
        self._ends: dict[int, int] = {}
        self._answered_at = monotonic()
        self._asking: asyncio.Task[None] | None = None
        self._flight = Flight(monotonic(), 0, 0)

    async def run(self) -> None:
        """Start Faust and the work; end both when asked to, or when one of them has ended."""
        with self._directory() as data:
            app = faust_app(
                self._settings.kafka,
                self._settings.slot,
                # Faust looks up what stands in braces
                Path(str(data).replace("{", "{{").replace("}", "}}")),
                self._take,
                lambda partitions: self._assigned(app, partitions),
            )
            self._work.start()
            try:
                await self._start(app)
                while not self._stop.is_set():
                    self._check(app)
                    self._beat(app)
                    await asyncio.sleep(_LOOK_S)
            finally:
                self._stop.set()
                limit = monotonic() + _STOP_S
                if self._asking:
                    self._asking.cancel()
                with suppress(TimeoutError):
                    await asyncio.wait_for(app.stop(), _STOP_S)
                self._work.join(max(0.0, limit - monotonic()))
                self._status.beat(force=True)

    async def _start(self, app: ReadCommittedApp) -> None:
        """Return when it has started, or when asked to stop: where Kafka refuses this user its group, Faust waits for ever and says nothing.

        Raises:
            FaustCeased: it has not started for longer than the patience.
            FaustCrashed: it cannot start.
        """
        starting, limit = asyncio.ensure_future(app.start()), monotonic() + self._patience
        while not starting.done() and not self._stop.is_set():
            if monotonic() > limit:
                group = monitor_group(self._settings.kafka)
                raise FaustCeased(
                    f"Faust has not joined the group {group} for {self._patience:g} s: may this user read the group and sketches?"
                )
            self._check(app)
            self._status.beat()
            await asyncio.wait({starting}, timeout=_LOOK_S)
        if starting.done():
            try:
                starting.result()
            except KafkaError as fault:
                raise FaustCrashed(f"Faust cannot start: {type(fault).__name__}") from None

    @contextmanager
    def _directory(self) -> Iterator[Path]:
        """Where Faust keeps files; beside the heartbeat always the same, since one that is killed leaves it behind."""
        if self._settings.status_dir is None:
            with tempfile.TemporaryDirectory(prefix="hindcast-monitor-") as data:
                yield Path(data)
            return
        directory = self._settings.status_dir / f"monitor-{self._settings.slot}.faust"
        directory.mkdir(parents=True, exist_ok=True)
        try:
            yield directory
        finally:
            shutil.rmtree(directory, ignore_errors=True)

    def _take(self, partition: int, offset: int, appended_at: int, value: bytes | None) -> None:
        self._work.inbox.put(Delivered(partition, offset, appended_at, self._heading(value)))
        self._status.worked(1)

    def _heading(self, value: bytes | None) -> Heading | None:
        try:
            return read_heading(value or b"", self._registry)
        except ContractError as fault:
            # the recorder keeps it as a dead letter
            log.warning("a message of sketches announces nothing: %s", fault)
            return None

    def _assigned(self, app: ReadCommittedApp, partitions: frozenset[int]) -> None:
        self._own = partitions
        self._flight = Flight(monotonic(), app.fetched, self._status.heartbeat.events)
        self._positions, self._ends = {}, {}
        self._work.inbox.put(Assigned(partitions))

    def _check(self, app: ReadCommittedApp) -> None:
        if self._work.failure is not None:
            if isinstance(self._work.failure, StaleAssignment):
                app.leave_when_stopped()
            raise self._work.failure
        if app.crashed:
            raise FaustCrashed(f"Faust crashed: {type(app.crash_reason).__name__}")

    def _beat(self, app: ReadCommittedApp) -> None:
        name = self._settings.kafka.topic("sketches")
        positions = dict(sorted(self._positions.items()))
        fetched, handled = app.fetched, self._status.heartbeat.events
        in_flight = self._flight.messages(monotonic(), fetched, handled)
        self._status.heartbeat.waiting = in_flight + self._work.waiting
        beaten = self._status.beat(
            {f"{name}-{p}": at for p, at in positions.items()},
            {f"{name}-{p}": max(0, self._ends.get(p, at) - at) for p, at in positions.items()},
        )
        if not beaten:
            return
        self._watchdog.look(
            monotonic(),
            self._positions,
            self._ends,
            received=fetched,
            handled=handled,
        )
        self._refuse_silence()
        # a broker that is away must not hold the heartbeat up: the answer is shown by the next one
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._ask(app, name))

    async def _ask(self, app: ReadCommittedApp, name: str) -> None:
        """Ask Faust's consumer where it is and the broker where the partitions end."""
        own = self._own
        places = {TP(name, partition): partition for partition in own}
        if not places or app.rebalancing:
            self._answered_at = monotonic()
            return
        try:
            async with asyncio.timeout(_ANSWER_S):
                # the ends first: what comes between the two questions is no lag
                ends = await app.consumer.highwaters(*places)
                positions = {p: await app.consumer.position(place) for place, p in places.items()}
        except Exception as fault:  # noqa: BLE001 - aiokafka raises many kinds while it reconnects or rebalances
            log.info("no positions: %r", fault)
            return
        if own == self._own:
            self._answered_at = monotonic()
            self._positions = {p: at for p, at in positions.items() if at is not None}
            self._ends = {places[TP(*place)]: end for place, end in ends.items()}

    def _refuse_silence(self) -> None:
        """A broker that is away silences the work as well; where only Faust is silent, Faust is at fault."""
        sound = self._work.sound_since
        if sound is not None and monotonic() - max(self._answered_at, sound) > self._patience:
            raise FaustCeased(f"Faust's consumer has not answered for {self._patience:g} s")
