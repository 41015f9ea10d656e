"""The recorder's loop: consume, sort, hand over to the writer, commit what is written."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotYet
from contextlib import suppress
from functools import partial
from time import monotonic, time_ns

import numpy as np

from producers.codec import Registry
from producers.errors import TransientError
from stream_processors.clickhouse import Store
from stream_processors.contracts.follower import ContractFollower
from stream_processors.group_coverage import StaleAssignment
from stream_processors.kafka import Message
from stream_processors.partitions import distinct
from stream_processors.recorder.assignment import Assignment, names
from stream_processors.recorder.brake import LIMIT, WINDOW
from stream_processors.recorder.daemon_thread import DaemonThread
from stream_processors.recorder.dead_letter_sender import DeadLetterSender
from stream_processors.recorder.gathering import Limits, LogChanged, gather
from stream_processors.recorder.messages import Messages, by_topic
from stream_processors.recorder.pauses import FullPartition
from stream_processors.recorder.sorting import SortedMessages, sort_messages
from stream_processors.recorder.writer import INSERT_S, Batch, LogStart, Writer, Written
from stream_processors.settings import ProcessorSettings
from stream_processors.status import StatusFile

# One batch is written while the next one waits.
_IN_FLIGHT = 2
# So long the loop waits for the writer without serving Kafka; then it pauses its partitions and serves.
_PATIENCE_S = 5.0
_LETTING_GO_S = 5.0
_STOPPING_S = 1.2
_LOOK_FOR_RESUMPTIONS_S = 2.0
_LOOK_AT_TOPICS_S = 5.0
# no longer, as neither heartbeat nor stopping waits for a Kafka that is silent
_LOOKING_S = 1.0
_BEAT_S = 1.0
_AGAIN_S = 0.5

_WHY = f"more than {LIMIT:,} of the last {WINDOW:,} messages are dead letters"


class Recorder:
    """Records every topic. Use it from one thread: `step` again and again, then `close`."""

    def __init__(
        self,
        settings: ProcessorSettings,
        stop: threading.Event,
        status: StatusFile,
        *,
        limits: Limits | None = None,
        registry: Registry | None = None,
        clock: Callable[[], float] = monotonic,
        now: Callable[[], int] = lambda: time_ns() // 1000,
    ) -> None:
        self._settings, self._stop, self._status = settings, stop, status
        self._limits, self._registry, self._clock, self._now = limits or Limits(), registry, clock, now
        self._prefix = settings.kafka.topic("")
        self._contracts = ContractFollower(settings.kafka)
        self._in_flight: deque[tuple[Batch, Future[Written]]] = deque()
        self._looked_for_resumptions = self._looked_at_topics = self._beaten = clock()
        self._ours = Assignment(
            settings.kafka,
            f"recorder-{settings.slot}",
            letting_go=lambda: self._drain(_LETTING_GO_S),
            failed=status.failed,
            now=self._now,
        )
        self._thread = DaemonThread("writer")
        self._writer = Writer(
            lambda: Store(self._settings.clickhouse, timeout=INSERT_S + 15),
            DeadLetterSender(self._settings.kafka),
            current_epoch=lambda: self._ours.epoch,
            stop=self._stop,
            failed=self._status.failed,
        )

    def step(self) -> None:
        """Consume and hand over one batch, and commit what has been written since.

        Raises:
            ConfigError: Kafka refuses this recorder for good.
        """
        try:
            self._step()
        except LogChanged as change:
            self._take_anew(change)
        except StaleAssignment as fault:
            self._status.failed(fault)
            self._ours.begin_again()

    def _step(self) -> None:
        self._finish_written()
        if self._ours.is_unknown:
            if not self._ours.take_hold():
                self._serve(1.0)
            return
        if self._ours.is_new:
            self._begin()
        if len(self._in_flight) >= _IN_FLIGHT:
            self._wait_for_writer()
            return
        epoch = self._ours.epoch
        found = gather(
            self._ours.client, self._limits, self._stop, failed=self._status.failed, clock=self._clock
        )
        if epoch != self._ours.epoch:
            # the partitions changed meanwhile: what was consumed comes again, to whoever holds it now
            self._ours.put_back(found)
        elif found:
            self._hand_over(found)
        elif not self._in_flight:
            self._submit((), self._ours.advanced())
        self._look_for_resumptions()
        self._look_at_topics()
        self._beat()

    def close(self) -> None:
        """Commit what is written within a second, and leave; what is left open is read back by the next recorder."""
        self._drain(_STOPPING_S)
        self._beat(force=True)
        # what the writer still has is given up
        self._ours.epoch += 1
        self._thread.submit(self._writer.close)
        self._thread.close(within=0.1)
        self._ours.close()
        self._contracts.close()

    def _begin(self) -> None:
        """Say and record what the log lost, and commit where fresh partitions begin."""
        self._ours.is_new = False
        holdings = self._ours.holdings
        lost = [
            SortedMessages(Messages.of(one.topic, one.topic_id, []), (), (one.lost,))
            for one in holdings.values()
            if one.lost
        ]
        starts = [
            LogStart(one.topic, one.topic_id, one.partition, one.submitted, self._now())
            for one in holdings.values()
            if one.begins_unsaid
        ]
        self._submit(lost, {key: one.submitted for key, one in holdings.items()}, starts)

    def _take_anew(self, change: LogChanged) -> None:
        """Finish what is in flight, which may stand nowhere else any more, and take the partitions as their logs are now."""
        self._status.failed(change)
        self._ours.hold_back()
        while self._in_flight and not self._stop.is_set():
            with suppress(LogChanged):
                self._serve(0.2)
            self._finish_written()
        self._ours.take_anew()

    # --- from messages to a batch --------------------------------------------------------------------------------

    def _hand_over(self, found: Sequence[Message]) -> None:
        grouped = by_topic(found)
        parts = self._sorted(grouped)
        if parts is not None:
            braked = [self._braked(topic, part) for topic, part in zip(grouped, parts, strict=True)]
            self._submit(braked, self._ours.advanced())

    def _sorted(self, grouped: Mapping[str, Sequence[Message]]) -> list[SortedMessages] | None:
        """What becomes of the messages; waits for Kafka, contracts and schema registry; None where the process stops.

        Raises:
            LogChanged: they may be of a topic made anew.
        """
        while not self._stop.is_set():
            try:
                self._ours.confirm(grouped)
                if f"{self._prefix}predictions" in grouped:
                    self._contracts.catch_up(timeout=2.0)
                return [self._part(topic, raw) for topic, raw in grouped.items()]
            except TransientError as fault:
                self._status.failed(fault)
                self._beat()
                self._stop.wait(_AGAIN_S)
        return None

    def _part(self, topic: str, raw: Sequence[Message]) -> SortedMessages:
        topic_id = next(one.topic_id for key, one in self._ours.holdings.items() if key[0] == topic)
        messages = Messages.of(topic.removeprefix(self._prefix), topic_id, raw)
        return sort_messages(
            messages, self._contracts.history, recorded_at=self._now(), registry=self._registry
        )

    def _braked(self, topic: str, part: SortedMessages) -> SortedMessages:
        """The part up to where its dead letters pass the limit; a partition that passed it waits there."""
        dead, messages = part.dead_places(), part.messages
        wanted = np.ones(len(messages), dtype=np.bool_)
        for partition in distinct(messages.partitions):
            own = np.flatnonzero(messages.partitions == partition)
            pressed = self._ours.holdings[topic, partition].brake.pressed_at(dead[own])
            if pressed is not None:
                wanted[own[pressed + 1 :]] = False
                self._ours.stop_at((topic, partition), int(messages.offsets[own[pressed]]) + 1, _WHY)
        return part.only(wanted)

    # --- the writer, and the commit ------------------------------------------------------------------------------

    def _submit(
        self,
        parts: Sequence[SortedMessages],
        positions: Mapping[FullPartition, int],
        starts: Sequence[LogStart] = (),
    ) -> None:
        """Hand over to the writer; the positions are committed when it has written all that came before them."""
        if not parts and not positions:
            return
        batch = Batch(tuple(parts), positions, self._ours.epoch, tuple(starts))
        for key, offset in positions.items():
            self._ours.holdings[key].submitted = offset
        self._in_flight.append((batch, self._thread.submit(partial(self._writer.write, batch))))

    def _finish_written(self, *, wait: float = 0.0) -> None:
        """Commit, in order, the batches that are written; waits for each up to ``wait`` seconds."""
        while self._in_flight:
            batch, future = self._in_flight[0]
            try:
                written = future.result(timeout=wait)
            except NotYet:
                return
            self._in_flight.popleft()
            if not written.abandoned and batch.epoch == self._ours.epoch:
                self._finished(batch, written)

    def _finished(self, batch: Batch, written: Written) -> None:
        self._status.worked(len(batch))
        for (topic, partition), letter in written.lost.items():
            self._ours.holdings[self._prefix + topic, partition].lost = letter
        self._recovered()
        self._ours.commit(batch.positions)
        for (topic, partition), count in written.refused.items():
            key = (self._prefix + topic, partition)
            holding = self._ours.holdings[key]
            if holding.brake.refused(count) and not holding.pause:
                self._ours.stop_at(key, holding.submitted, _WHY)

    def _wait_for_writer(self) -> None:
        """Return when a batch is written; serves Kafka with partitions held back where that takes long."""
        until = self._clock() + _PATIENCE_S
        while len(self._in_flight) >= _IN_FLIGHT and self._clock() < until and not self._stop.is_set():
            self._finish_written(wait=0.2)
            self._beat()
        if len(self._in_flight) < _IN_FLIGHT or self._stop.is_set():
            return
        self._ours.hold_back()
        while len(self._in_flight) >= _IN_FLIGHT and not self._stop.is_set():
            self._serve(0.2)
            self._finish_written()
        self._ours.flow()

    def _serve(self, seconds: float) -> None:
        self._ours.serve(seconds)
        self._beat(held_back=True)

    def _drain(self, within: float) -> None:
        until = self._clock() + within
        while self._in_flight and self._clock() < until:
            self._finish_written(wait=max(0.0, min(0.2, until - self._clock())))

    def _look_at_topics(self) -> None:
        """Make sure that the topics still are those that we hold, of one that was made anew nothing may ever come, and that each has its recorder.

        Raises:
            LogChanged: one was made anew.
            StaleAssignment: one has none.
        """
        if self._clock() - self._looked_at_topics >= _LOOK_AT_TOPICS_S:
            self._looked_at_topics = self._clock()
            # a Kafka that is away is said elsewhere
            with suppress(TransientError):
                self._ours.confirm({topic for topic, _ in self._ours.holdings}, within=_LOOKING_S)
        self._ours.refuse_stale()

    # --- people --------------------------------------------------------------------------------------------------

    def _look_for_resumptions(self) -> None:
        if self._clock() - self._looked_for_resumptions >= _LOOK_FOR_RESUMPTIONS_S:
            self._looked_for_resumptions = self._clock()
            if self._ours.resume_those_let_go_on():
                self._recovered()

    def _recovered(self) -> None:
        """What failed works again; what still holds is said again."""
        standing = self._ours.standing_faults()
        if not standing:
            self._status.recovered()
        elif self._status.heartbeat.last_error not in standing:
            self._status.failed(standing[0])

    def _beat(self, *, force: bool = False, held_back: bool = False) -> None:
        if self._clock() - self._beaten < _BEAT_S and not force:
            return
        self._beaten = self._clock()
        away = self._status.heartbeat.last_error == self._ours.away
        if not force and self._ours.look_at_ends(asking=held_back or away) and away:
            self._recovered()
        holdings = self._ours.holdings.values()
        self._status.heartbeat.paused = names(one for one in holdings if held_back or one.pause)
        self._status.beat(
            {one.name: max(one.committed, 0) for one in holdings},
            {one.name: one.lag for one in holdings},
            force=True,
        )
