"""Puts right by itself what resent events have counted twice: totals of windows that have closed, once all of them is in the record.

Nothing is kept that a restart would need. Totals are made of the record as it stood after everything sent before had reached it, so one that was
sent before a crash is found there and not sent again; and two of the same say the same, of which readers take the newer.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from time import monotonic, time_ns

from stream_processors.clickhouse import Store
from stream_processors.monitor.integrity import Integrity
from stream_processors.monitor.outbox import Outbox, Places
from stream_processors.monitor.topology import Topology
from stream_processors.reconciliation import Cause, Reconciliation
from stream_processors.reconciliation.comparing import unequal_statement
from stream_processors.reconciliation.frontier import Frontier, frontier
from stream_processors.windows import DAY

# A pass asks the record about every window that has closed since the last: not more often than it pays
_REST_S = 5.0
# Verdicts wait no longer than this, and one model's look
_SPELL_S = 2.0
_AT_ONCE = 200

Model = tuple[str, str]
# start and end, microseconds
Span = tuple[int, int]

# Windows with deltas of the last days: what no monitor has looked at for longer is for `hindcast reconcile`
_CHANGED = """
    SELECT DISTINCT model, environment, toUnixTimestamp64Micro(window_start) AS start, toUnixTimestamp64Micro(window_end) AS end
    FROM sketches
    WHERE _topic_id = {topic_id:String} AND _partition = {partition:UInt32} AND _offset < {before:UInt64}
      AND kind = 'delta' AND column = '@events' AND slice = ''
      AND _appended_at > (SELECT max(_appended_at) - toIntervalDay(7) FROM sketches WHERE _topic_id = {topic_id:String} AND _partition = {partition:UInt32})
"""

# Of every contract: where both agree nothing came twice
_UNEQUAL = unequal_statement()


class Reconciling:
    """Which windows changed since they were last found to agree, of the partitions of ``sketches`` that are ours.

    Args:
        lateness: how far the watermark must be past a window's end for it to close, microseconds.
        clock: seconds, for the rest between two passes.

    Attributes:
        waiting: closed windows that have yet to be looked at.
        totals: how many were sent.
    """

    def __init__(
        self,
        store: Store,
        topology: Topology,
        outbox: Outbox,
        *,
        lateness: int,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._store, self._topology, self._outbox = store, topology, outbox
        self._lateness, self._clock = lateness, clock
        self._integrity = Integrity(store, outbox)
        self._changed: dict[Model, set[Span]] = defaultdict(set)
        # what the record is asked about, once it holds all that was sent before
        self._asked: dict[Model, set[Span]] = {}
        # what the last pass could not settle, and what this one could not so far
        self._left: dict[Model, set[Span]] = {}
        self._unsettled: dict[Model, set[Span]] = {}
        self._barrier: Places | None = None
        # whether the log was recorded to its end when this pass began; None until it does
        self._ended: bool | None = None
        self._rested = float("-inf")
        self.waiting = 0
        self.totals = 0

    def assigned(self) -> None:
        """Other partitions are ours now; what is known of the old ones is no longer ours to do."""
        self._changed.clear()
        self._barrier, self._ended = None, None
        self._asked, self._unsettled, self._left, self.waiting = {}, {}, {}, 0

    def restored(self, topic_id: str, partition: int, before: int) -> None:
        """Take what the record says of a partition of ``sketches`` below an offset."""
        place = {"topic_id": topic_id, "partition": partition, "before": before}
        for row in self._store.rows(_CHANGED, place):
            self.changed((row["model"], row["environment"]), (row["start"], row["end"]))

    def changed(self, model: Model, window: Span) -> None:
        """A delta of this window was read."""
        self._changed[model].add(window)

    def round(self, watermark: int | None) -> None:
        """Begin a pass over windows that have closed; once all that was sent before it is in the record, look at them, for some seconds at most."""
        if self._barrier is None:
            closed = dict(self._closed(watermark))
            if not closed:
                self.waiting = 0
                return
            if self._newer(closed):
                self.waiting = max(self.waiting, 1)
            if self._clock() < self._rested:
                return
            self._barrier, self._asked = self._topology.ends(("sketches", "alerts")), closed
            # a delta that comes from now on may not be in the record when it is asked: its window is looked at again
            for model, windows in closed.items():
                self._changed[model] -= windows
        if not self._topology.all_recorded(self._barrier):
            return
        reached = self._frontier()
        if self._ended is None:
            self._integrity.stretches(reached)
            # a log that is recorded to its end cannot bring what a window still waits for
            self._ended = self._topology.all_recorded(self._topology.ends(("predictions",)))
        if not self._look(reached):
            return
        ended, self._left = self._ended, self._unsettled
        self._barrier, self._ended, self._unsettled = None, None, {}
        newer = self._newer(dict(self._closed(watermark)))
        self.waiting = 0 if ended and not newer else max(1, sum(map(len, self._left.values())))
        self._rested = self._clock() + _REST_S

    def _look(self, reached: Frontier) -> bool:
        """Look at one model's windows after the other; returns whether all have been looked at."""
        began = self._clock()
        while self._asked:
            model, windows = next(iter(self._asked.items()))
            left = self._look_at(model, windows, reached)
            # not before all went well: what a store that is away kept from being looked at is looked at again
            del self._asked[model]
            self._unsettled[model] = left
            self._changed[model] |= left
            if self._clock() - began > _SPELL_S:
                break
        return not self._asked

    def _newer(self, closed: Mapping[Model, set[Span]]) -> bool:
        """Whether there are windows that the last look did not leave."""
        return any(windows - self._left.get(model, set()) for model, windows in closed.items())

    def _closed(self, watermark: int | None) -> Iterator[tuple[Model, set[Span]]]:
        for model, windows in self._changed.items():
            found = {one for one in windows if watermark is not None and one[1] + self._lateness <= watermark}
            if found:
                yield model, found

    def _frontier(self) -> Frontier:
        counts = self._topology.partition_counts(("predictions", "sketches"))
        recorded = {name: self._topology.recorded(name, range(count)) for name, count in counts.items()}
        return frontier(self._store, self._topology.ids(tuple(counts)), recorded)

    def _look_at(self, model: Model, windows: set[Span], reached: Frontier) -> set[Span]:
        """Send totals where they are due; returns the windows that must wait."""
        unequal = sorted(
            start
            for run in _runs(windows)
            for start in self._unequal(model, run)
            if (start, start + run[2]) in windows
        )
        left: set[Span] = set()
        if unequal:
            work = Reconciliation(self._store, reached, *model, now=time_ns() // 1_000)
            for place in range(0, len(unequal), _AT_ONCE):
                left |= self._put_right(work, model, unequal[place : place + _AT_ONCE])
        return left & windows

    def _put_right(self, work: Reconciliation, model: Model, starts: list[int]) -> set[Span]:
        report = work.miscounted(starts)
        resent = [one for one in report.findings if one.cause is Cause.RESENT]
        records = list(work.totals(resent))
        self._outbox.send("sketches", "sketch", records)
        self.totals += len(records)
        self._integrity.windows(report.findings)
        return set(report.unsettled)

    def _unequal(self, model: Model, run: tuple[int, int, int]) -> list[int]:
        first, last, base = run
        asked = {"model": model[0], "environment": model[1], "first": first, "last": last, "base": base}
        return [row["start"] for row in self._store.rows(_UNEQUAL, asked)]


def _runs(windows: Iterable[Span]) -> Iterator[tuple[int, int, int]]:
    """Spans (first, last, width) that hold all windows of one width, apart where more than a day lies between: old windows do not make one scan of all.

    >>> list(_runs([(0, 10), (10, 20), (0, 20), (3 * DAY, 3 * DAY + 10)])) == [(0, 20, 10), (3 * DAY, 3 * DAY + 10, 10), (0, 20, 20)]
    True
    """
    by_width: dict[int, list[int]] = defaultdict(list)
    for start, end in windows:
        by_width[end - start].append(start)
    for width, starts in sorted(by_width.items()):
        starts.sort()
        first = last = starts[0]
        for start in starts:
            if start - last > DAY + width:
                yield first, last + width, width
                first = start
            last = start
        yield first, last + width, width
