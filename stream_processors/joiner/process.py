"""The joiner as a process: started by settings, stopped by a signal, never ended by a fault that passes."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime
from time import monotonic

from producers.errors import ConfigError, HindcastError
from producers.registry import registry_of
from stream_processors.await_servers import await_topics
from stream_processors.clickhouse import Store
from stream_processors.contracts.follower import ContractFollower
from stream_processors.fencing import Fenced, Lapses
from stream_processors.group_coverage import LEAVE_FOR
from stream_processors.joiner.joining import Joining, by_name, lags
from stream_processors.joiner.marks import Marks
from stream_processors.joiner.membership import Membership
from stream_processors.joiner.publishing import Publisher
from stream_processors.joiner.quality.measuring import Measuring
from stream_processors.kafka import KafkaException
from stream_processors.metrics import reporting
from stream_processors.processor_main import forget_life, processor_main
from stream_processors.settings import ProcessorSettings
from stream_processors.status import StatusFile
from stream_processors.unanswered import Unanswered

_TOPICS = ("predictions", "labels", "contracts", "outcomes", "quality")
_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.5, 15.0
_POLL_S = 0.1
# between two looks at the record: where something waits for the recorder, and where nothing does
_SOON_S, _LATER_S = 0.2, 0.5
_ENDS_EVERY_S = 1.0
# a topic that was made anew is noticed so soon
_IDS_EVERY_S = 5.0
# partitions that wait for the recorder longer than this are told
_PATIENCE_S = 10.0


def run(settings: ProcessorSettings, stop: threading.Event) -> None:
    """Join and measure until ``stop`` is set.

    A broker or store that is away is waited for, and named in the heartbeat.

    Raises:
        ConfigError: wrong credentials, a slot that is in use, or topics that do not fit together.
    """
    status = reporting("joiner", settings)
    status.beat(force=True)
    await_topics(settings.kafka, _TOPICS, stop, status)
    lapses = Lapses()
    while not stop.is_set():
        joiner = _patiently(lambda: _Joiner(settings, stop, status), stop, status)
        if joiner is None:
            return
        try:
            _work(joiner, stop, status)
        except Fenced as fault:
            lapses.forgive(fault)
            status.failed(fault)
        except LEAVE_FOR as fault:
            status.failed(fault)
            joiner.leave()
        except Unanswered as fault:
            status.failed(fault)
        finally:
            joiner.close()
            status.beat(force=True)
        forget_life()


def _work(joiner: _Joiner, stop: threading.Event, status: StatusFile) -> None:
    """Step after step until ``stop``; after a fault that passes the next one waits, ever longer."""
    wait_s, again_at = _FIRST_WAIT_S, 0.0
    while not stop.is_set():
        try:
            if monotonic() < again_at:
                joiner.idle(_POLL_S)
                continue
            joiner.idle(0.0)
            joiner.step()
            wait_s = _FIRST_WAIT_S
            status.recovered()
        except (ConfigError, Unanswered, *LEAVE_FOR):
            raise
        except (HindcastError, KafkaException) as fault:
            status.failed(fault)
            # the step that failed is left to be done, whatever was said before it
            status.heartbeat.waiting = max(1, status.heartbeat.waiting)
            again_at, wait_s = monotonic() + wait_s, min(2 * wait_s, _LONGEST_WAIT_S)


def _patiently(make: Callable[[], _Joiner], stop: threading.Event, status: StatusFile) -> _Joiner | None:
    """What ``make`` makes, tried until it does; None when stopped first. ``ConfigError`` is not waited for."""
    wait_s = _FIRST_WAIT_S
    while not stop.is_set():
        try:
            return make()
        except ConfigError:
            raise
        except (HindcastError, KafkaException) as fault:
            status.failed(fault)
            status.beat(force=True)
            stop.wait(wait_s)
            wait_s = min(2 * wait_s, _LONGEST_WAIT_S)
    return None


class _Joiner:
    """All parts together; one thread."""

    def __init__(self, settings: ProcessorSettings, stop: threading.Event, status: StatusFile) -> None:
        self._status = status
        self._generation = 0
        self._look_at, self._ends_at = 0.0, 0.0
        self._ids_at = monotonic() + _IDS_EVERY_S
        self._waits: dict[str, float] = {}
        with ExitStack() as closing:
            self._make(settings, stop, closing)
            self._closing = closing.pop_all()

    def _make(self, settings: ProcessorSettings, stop: threading.Event, closing: ExitStack) -> None:
        """The parts. Those that are made are closed where the next is not: it is tried again and again, and what is raised may keep them."""
        kafka = settings.kafka
        self._marks = Marks(kafka)
        closing.callback(self._marks.close)
        store = Store(settings.clickhouse)
        closing.callback(store.close)
        contracts = closing.enter_context(ContractFollower(kafka))
        contracts.catch_up()
        publisher = Publisher(kafka, registry_of(kafka), stopping=stop.is_set)
        closing.callback(publisher.close)
        self._joining = Joining(store, self._marks, contracts, publisher)
        self._measuring = Measuring(
            store,
            self._marks,
            contracts,
            publisher,
            interval_s=settings.quality_interval,
            lateness_s=settings.allowed_lateness,
            now=lambda: int(datetime.now(UTC).timestamp() * 1e6),
        )
        self._membership = Membership(kafka, settings.slot, self._marks.topic_ids)
        closing.callback(self._membership.close)

    def idle(self, seconds: float) -> None:
        """Do what the group and the heartbeat want, for at most this long."""
        self._membership.poll(seconds)
        self._status.beat()

    def step(self) -> None:
        """One look at the record for outcomes, one step of quality.

        Raises:
            HindcastError: what was delivered may be delivered again, nothing is passed over.
            TopicMadeAnew, StaleAssignment: only a new joiner, which knows the new topic's UUID and is given what there is, can go on.
        """
        self._follow_assignment()
        self._membership.refuse_stale()
        now = monotonic()
        if now >= self._ids_at:
            self._marks.refuse_other_topics()
            self._ids_at = now + _IDS_EVERY_S
        if now < self._look_at:
            self.idle(min(_POLL_S, self._look_at - now))
        else:
            passed, more = self._joining.look()
            self._membership.commit(self._joining.positions)
            self._status.worked(passed)
            if passed:
                self._status.heartbeat.waiting = max(1, self._status.heartbeat.waiting)
            if not more:
                self._look_at = now + (_SOON_S if self._joining.waits else _LATER_S)
        self._measuring.step()
        self._tell()

    def leave(self) -> None:
        """Give up our place in the group, so that it assigns its partitions anew."""
        self._membership.leave()

    def close(self) -> None:
        """Close every connection."""
        self._closing.close()

    def _follow_assignment(self) -> None:
        if self._generation == self._membership.generation:
            return
        self._joining.own(self._membership.positions)
        self._measuring.own(set(self._joining.partitions))
        self._generation = self._membership.generation

    def _tell(self) -> None:
        heartbeat = self._status.heartbeat
        waits = {f"labels-{partition}" for partition in self._joining.waits} | set(self._measuring.waits)
        self._waits = {name: self._waits.get(name, monotonic()) for name in waits}
        heartbeat.paused = sorted(n for n, since in self._waits.items() if monotonic() - since > _PATIENCE_S)
        if monotonic() < self._ends_at:
            return
        self._ends_at = monotonic() + _ENDS_EVERY_S
        heartbeat.waiting = self._measuring.waiting()
        positions = self._joining.positions
        owned: dict[str, list[int]] = {}
        for topic, partition in positions:
            owned.setdefault(topic, []).append(partition)
        ends = {topic: self._marks.ends(topic, partitions) for topic, partitions in owned.items()}
        heartbeat.positions = by_name(positions.items())
        heartbeat.lag = lags(positions, ends)


def main() -> int:
    """Run with settings from the environment until SIGTERM or SIGINT; returns the exit code."""
    return processor_main("joiner", run)
