"""One life of a profiler: reads, counts and flushes until its connection or its group fails it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from types import TracebackType
from typing import Self

import numpy as np
import pyarrow as pa

from producers.codec import Registry, encode
from producers.errors import TransientError
from stream_processors.admission import admit
from stream_processors.contracts.follower import ContractFollower
from stream_processors.decoding import Decoded, decode_batch
from stream_processors.group_coverage import LEAVE_FOR
from stream_processors.kafka import admin, close_admin, latest_offsets, partition_counts
from stream_processors.partitions import distinct
from stream_processors.profiler.batch_memory import give_back
from stream_processors.profiler.counting import Counting
from stream_processors.profiler.messages import message_key
from stream_processors.profiler.progress import Progress
from stream_processors.profiler.sketch_batch import Stretch, encoded, sketch_batch
from stream_processors.profiler.source import Read, Source
from stream_processors.profiler.transactions import Aborted, Outgoing, Transactions
from stream_processors.settings import ProcessorSettings
from stream_processors.status import StatusFile
from stream_processors.topic_ids import TopicIds, topic_ids

_READ_S = 0.1
_IDLE_STRETCH_S = 10.0
# columns of keys in a flush around which memory is worth giving back
_MANY = 50_000


@dataclass(frozen=True)
class FlushRule:
    """When counted events are flushed, whichever comes first: seconds, events, memory held (`Counting.held`)."""

    interval: float = 5.0
    events: int = 200_000
    held: int = 1_200_000

    @property
    def idle_interval(self) -> float:
        """Seconds between stretches when nothing comes."""
        return min(_IDLE_STRETCH_S, max(1.0, 2 * self.interval))


class Session:
    """Owns the connections. What was counted and not committed dies with it, and is read again by the next one.

    Raises:
        BrokerUnavailable: from every method, when a new session is needed.
    """

    def __init__(
        self,
        settings: ProcessorSettings,
        status: StatusFile,
        stop: threading.Event,
        *,
        rule: FlushRule | None = None,
        registry: Registry | None = None,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        kafka = settings.kafka
        self._status, self._stop, self._clock, self._registry = status, stop, clock, registry
        self._rule = rule or FlushRule(settings.flush_interval)
        self._profiler_id = f"profiler-{settings.slot}"
        self._sketches = kafka.topic("sketches")
        self._n_sketches = partition_counts(kafka).get(self._sketches, 0)
        self._topic_id = topic_ids(kafka, [kafka.topic("predictions")])[kafka.topic("predictions")]
        self._topic_ids = TopicIds(kafka)
        self._admin = admin(kafka)
        # before the group is joined: what an earlier life left open is ended before committed offsets are asked for
        self._transactions = Transactions(kafka, self._profiler_id, stop)
        self._follower = ContractFollower(kafka)
        self._counting = Counting()
        self._progress: dict[int, Progress] = {}
        self._flushed_at = clock()
        self._source = Source(settings, self._flush_before_losing)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        # closing revokes: there must be nothing left to flush
        self._drop()
        if isinstance(error, LEAVE_FOR):
            self._source.leave()
        self._source.close()
        self._follower.close()
        self._transactions.close()
        self._topic_ids.close()
        close_admin(self._admin)

    def run(self) -> None:
        """Work until asked to stop; then flush and return."""
        while not self._stop.is_set():
            self.step()
        if self._progress:
            self._flush_or_start_over()

    def step(self) -> None:
        """Read once, count, and flush if it is time.

        Raises:
            TopicMadeAnew, StaleAssignment: the next session is given what there is now.
        """
        self._source.refuse_stale()
        if not self._read():
            self._start_over()
            return
        self._note_positions()
        if self._is_due():
            self._flush_or_start_over()
        self._status.heartbeat.held = self._counting.held
        topic = self._source.topic
        positions = {f"{topic}-{partition}": one.next_offset for partition, one in self._progress.items()}
        # what is read and not committed would be read again: it is not done
        done = {partition: one.first_offset for partition, one in self._progress.items()}
        self._status.beat(positions, self._source.lag(done))

    def _read(self) -> bool:
        """Read and count; False where the assignment has changed. The messages are let go before anything is flushed."""
        with self._status.timed("read"):
            read = self._source.read(_READ_S)
        if read is None:
            return False
        if read.values:
            self._follower.catch_up()
            self._count(read)
            self._status.worked(len(read.values))
        return True

    def _count(self, read: Read) -> None:
        with self._status.timed("decode"):
            decoded = decode_batch(read.values, self._registry, expected=("prediction",))
        with self._status.timed("count"):
            self._take(read, decoded)

    def _take(self, read: Read, decoded: Decoded) -> None:
        group = decoded.of("prediction")
        counted = np.zeros(len(read.values), dtype=np.bool_)
        event_time = np.zeros(len(read.values), dtype=np.int64)
        backfilled = np.zeros(len(read.values), dtype=np.bool_)
        if group is not None:
            places = group.positions
            admission = admit(group.batch, read.appended_at[places], self._follower.history)
            self._counting.count(group.batch, read.partitions[places], admission)
            counted[places], backfilled[places] = admission.admitted, admission.backfilled
            event_time[places] = group.batch.column("event_time").view(pa.int64()).to_numpy()
        for partition in distinct(read.partitions):
            own = read.partitions == partition
            progress, kept = self._progress[partition], own & counted
            progress.read(read.offsets[own], read.appended_at[own])
            progress.counted(event_time[kept], read.appended_at[kept], backfilled[kept])
            dead = int((own & ~counted).sum())
            progress.dead_letters += dead
            self._status.heartbeat.dead_letters += dead

    def _note_positions(self) -> None:
        for partition, position in self._source.positions.items():
            progress = self._progress[partition]
            progress.next_offset = max(progress.next_offset, position)

    def _is_due(self) -> bool:
        if not self._progress:
            return False
        waited = self._clock() - self._flushed_at
        if self._counting.events >= self._rule.events or self._counting.held >= self._rule.held:
            return True
        moved = any(one.next_offset > one.first_offset for one in self._progress.values())
        return waited >= (self._rule.interval if moved else self._rule.idle_interval)

    def _drop(self) -> None:
        self._counting = Counting()
        self._progress = {}

    def _start_over(self) -> None:
        self._drop()
        starts = self._source.start_over(self._topic_id)
        self._progress = {partition: Progress.starting(offset) for partition, offset in starts.items()}
        self._flushed_at = self._clock()

    def _flush_or_start_over(self) -> None:
        try:
            self.flush()
        except Aborted as aborted:
            self._status.failed(aborted)
            self._start_over()

    def _flush_before_losing(self) -> None:
        try:
            if self._progress:
                self.flush()
        except TransientError as failure:
            # the next owner reads it again
            self._status.failed(failure)
        self._drop()

    def flush(self) -> None:
        """Commit deltas, stretches and offsets together; the next stretches begin where these end.

        Raises:
            Aborted: nothing was committed; `step` starts over by itself then.
        """
        # what counting, draining and sending leave behind would stay, each on top of the one before
        relieve = give_back if self._counting.series >= _MANY else _keep
        with self._status.timed("flush"):
            relieve()
            self._flush(relieve)
            relieve()
        self._flushed_at = self._clock()
        self._status.recovered()

    def _flush(self, relieve: Callable[[], None]) -> None:
        self._refuse_another_topic()
        ends = latest_offsets(self._admin, self._source.topic, self._progress)
        messages = [*self._deltas(relieve), *self._stretches(ends)]
        positions = {
            (self._source.topic, partition): one.next_offset for partition, one in self._progress.items()
        }
        self._transactions.commit(
            self._sketches, messages, positions, self._source.group_metadata, topic_id=self._topic_id
        )
        self._progress = {
            partition: Progress.starting(one.next_offset) for partition, one in self._progress.items()
        }

    def _refuse_another_topic(self) -> None:
        """What was counted may be of a topic that was made anew: its stretches and offsets must not go by the old one's UUID."""
        self._topic_ids.refuse_others({self._source.topic: self._topic_id})

    def _deltas(self, relieve: Callable[[], None]) -> list[Outgoing]:
        counted = self._counting.drain()
        relieve()
        stretches = {p: Stretch(one.first_offset, one.next_offset) for p, one in self._progress.items()}
        batch = sketch_batch(counted, "delta", self._topic_id, stretches)
        keys = zip(batch.column("model").to_pylist(), batch.column("environment").to_pylist(), strict=True)
        return [
            Outgoing(value, message_key(model, environment))
            for value, (model, environment) in zip(encoded(batch, self._registry), keys, strict=True)
        ]

    def _stretches(self, ends: dict[int, int]) -> list[Outgoing]:
        """One per owned partition, into every partition of ``sketches``."""
        values = [
            encode(
                "stretch",
                one.record(
                    partition,
                    topic_id=self._topic_id,
                    reached_end=one.next_offset >= ends[partition],
                    profiler_id=self._profiler_id,
                ),
                self._registry,
            )
            for partition, one in self._progress.items()
        ]
        return [
            Outgoing(value, partition=partition) for partition in range(self._n_sketches) for value in values
        ]


def _keep() -> None:
    """Give no memory back."""
