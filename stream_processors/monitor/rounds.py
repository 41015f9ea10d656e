"""The monitor's work, one round after another, in one thread: take what Faust delivered, restore, judge what is due, work alerts out.

Nothing here depends on Faust: messages and assignments come in by a queue, in their order, so that a round can be run by hand.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from time import monotonic

from stream_processors.clickhouse import Store
from stream_processors.contracts.effect import PublishedContract
from stream_processors.contracts.follower import ContractFollower
from stream_processors.monitor.alerting import Alerting
from stream_processors.monitor.drift_messages import drift_records
from stream_processors.monitor.expiring import Expiring
from stream_processors.monitor.headings import Heading
from stream_processors.monitor.judged_windows import judged_windows
from stream_processors.monitor.judging import Judging, ReferenceAwaited, together
from stream_processors.monitor.outbox import Outbox
from stream_processors.monitor.progress import Due, JudgedWindow, PartitionProgress
from stream_processors.monitor.reconciling import Reconciling
from stream_processors.monitor.record_progress import models_of, restored_progress
from stream_processors.monitor.record_windows import AsOf
from stream_processors.monitor.rolling_up import RollingUp
from stream_processors.monitor.topology import Topology

# What comes after the verdicts has its turn so often although there are more to judge, as where late events bring new ones without end
_TURN_EVERY_S = 5.0


@dataclass(frozen=True, slots=True)
class Assigned:
    """These partitions of ``sketches`` are ours now, and no others; each begins at its committed offset."""

    partitions: frozenset[int]


@dataclass(frozen=True, slots=True)
class Delivered:
    """A message of ``sketches``: where it stands, its append time (microseconds), and what it announces (None: nothing)."""

    partition: int
    offset: int
    appended_at: int
    heading: Heading | None


@dataclass(slots=True)
class _Own:
    """A partition of ours: without progress until the record has come to its first message."""

    progress: PartitionProgress | None = None
    held: list[Delivered] = field(default_factory=list)
    fresh: bool = True
    due: Due | None = None
    # what of it has no verdict yet: put together once, as a year of history is thousands of windows
    chunks: list[list[JudgedWindow]] = field(default_factory=list)

    def take(self, message: Delivered) -> None:
        if self.fresh and self.progress and message.offset > self.progress.position:
            # it was restored before its first message came, which stands further on: what lies between must be asked for
            self.progress = self.due = None
        self.fresh = False
        if self.progress is None:
            self.held.append(message)
        else:
            self.progress.read(message.heading, message.offset, message.appended_at)

    def restore(self, progress: PartitionProgress) -> None:
        self.progress = progress
        for message in self.held:
            progress.read(message.heading, message.offset, message.appended_at)
        self.held = []


class Rounds:
    """All partitions of ``sketches`` that are ours.

    Args:
        inbox: what Faust says, in order; the only part that other threads touch.
        lateness: allowed lateness, microseconds.
        stopping: asked between steps; true ends a round early.
        clock: seconds, for whose turn it is.

    Attributes:
        verdicts: how many were sent.
    """

    def __init__(
        self,
        store: Store,
        follower: ContractFollower,
        topology: Topology,
        outbox: Outbox,
        *,
        inbox: SimpleQueue[Assigned | Delivered],
        lateness: int,
        stopping: Callable[[], bool] = lambda: False,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._inbox = inbox
        self._store, self._follower, self._topology, self._outbox = store, follower, topology, outbox
        self._lateness, self._stopping = lateness, stopping
        self._own: dict[int, _Own] = {}
        self._judging = Judging(store, follower.history, self._contract_recorded)
        self._alerting = Alerting(store, follower.history, topology, outbox)
        self._reconciling = Reconciling(store, topology, outbox, lateness=lateness)
        self._expiring = Expiring(store, follower.history)
        self._rolling_up = RollingUp(store, topology, lateness=lateness)
        self._clock, self._turn_at = clock, 0.0
        self.verdicts = 0

    @property
    def waiting(self) -> int:
        """What is known and not done: windows without their verdict or not reconciled, partitions not restored, alerts not worked out."""
        windows = sum(own.progress.waiting if own.progress else 1 for own in self._own.values())
        return windows + self._alerting.waiting + self._reconciling.waiting

    def round(self) -> bool:
        """Do what can be done now; returns whether there is more to do at once.

        Raises:
            TransientError: a server is away; nothing is lost by running the next round later.
        """
        self._take_inbox()
        if not self._own:
            return False
        self._topology.refresh()
        self._restore()
        self._place_notes()
        more = False
        for partition, own in self._own.items():
            if not self._stopping():
                more = self._judge_some(partition, own) or more
        self._alerting.round()
        if not more or self._clock() >= self._turn_at:
            self._after_verdicts()
        return more

    def _after_verdicts(self) -> None:
        began = self._clock()
        self._reconciling.round(self._watermark())
        self._rolling_up.round(self._watermark(), self._own)
        if 0 in self._own:
            self._expiring.round(self._watermark())
        ended = self._clock()
        # half of the time is the verdicts'
        self._turn_at = ended + max(ended - began, _TURN_EVERY_S)

    def _watermark(self) -> int | None:
        """The least of all partitions of ours; None while one has none."""
        times = [
            own.progress.times.watermark(own.progress.sources) if own.progress else None
            for own in self._own.values()
        ]
        known = [time for time in times if time is not None]
        return min(known) if len(known) == len(times) else None

    def _take_inbox(self) -> None:
        while True:
            try:
                item = self._inbox.get_nowait()
            except Empty:
                return
            if isinstance(item, Assigned):
                self._own = {partition: _Own() for partition in sorted(item.partitions)}
                self._reconciling.assigned()
                self._rolling_up.assigned()
            elif item.partition in self._own:
                self._own[item.partition].take(item)

    def _restore(self) -> None:
        new = {partition: own for partition, own in self._own.items() if own.progress is None}
        if not new:
            return
        self._follower.catch_up()
        recorded = self._topology.recorded("sketches", new)
        topic_id = self._topology.sketches_id
        for partition, own in new.items():
            before = recorded[partition]
            if own.held and before < own.held[0].offset:
                continue
            progress = restored_progress(
                self._store,
                topic_id,
                partition,
                before,
                self._lateness,
                self._topology.sources(),
                self._follower.history.applying_between,
            )
            self._alerting.restored(models_of(self._store, topic_id, partition, before))
            self._reconciling.restored(topic_id, partition, before)
            own.restore(progress)

    def _place_notes(self) -> None:
        """Work out which judged windows the deltas read belong to, under the contracts in effect when they were appended."""
        for own in self._own.values():
            if own.progress:
                own.progress.sources = self._topology.sources()
        noted = [own.progress for own in self._own.values() if own.progress and own.progress.notes]
        if not noted:
            return
        self._follower.catch_up()
        for progress in noted:
            for note in progress.notes:
                delta = note.heading
                self._reconciling.changed(
                    (delta.of.model, delta.of.environment), (delta.window_start, delta.window_end)
                )
                published = self._follower.history.applying(
                    delta.of.model, delta.of.environment, note.appended_at
                )
                contract = published.contract if published else None
                for window in judged_windows(contract, delta.window_start, delta.window_end):
                    progress.changed(
                        JudgedWindow(delta.of, window), delta.source, note.offset, note.watermark
                    )
            progress.notes.clear()

    def _judge_some(self, partition: int, own: _Own) -> bool:
        """Judge some windows that are due, once the recorder has passed what they are judged on; returns whether more are due."""
        if own.progress is None:
            return False
        if own.due is None:
            own.due = own.progress.due()
            own.chunks = together(own.due.windows)
        due = own.due
        if not own.chunks:
            own.due = None
            return False
        if self._topology.recorded("sketches", [partition])[partition] <= due.up_to:
            return False
        # after the stretches were read, so that every contract in effect when they were appended is known
        self._follower.catch_up()
        place = self._judge_first(
            AsOf(self._topology.sketches_id, partition, due.up_to, due.frontier), own.chunks
        )
        if place is None:
            return False
        own.progress.judged(own.chunks.pop(place), due.up_to)
        if not own.chunks:
            own.due = None
        return bool(own.chunks)

    def _judge_first(self, as_of: AsOf, chunks: Sequence[list[JudgedWindow]]) -> int | None:
        """Judge the first chunk whose reference is in the record, and return its place; None where all wait for theirs."""
        for place, chunk in enumerate(chunks):
            try:
                self._judge(as_of, chunk)
            except ReferenceAwaited:
                continue
            return place
        return None

    def _judge(self, as_of: AsOf, windows: list[JudgedWindow]) -> None:
        records = [
            record for judgement in self._judging.judge(as_of, windows) for record in drift_records(judgement)
        ]
        places = self._outbox.send("drift", "drift", records)
        self.verdicts += len(records)
        self._alerting.judged(windows, places)

    def _contract_recorded(self, contract: PublishedContract) -> bool:
        recorded = self._topology.recorded("contracts", [contract.partition])
        return recorded[contract.partition] > contract.offset
