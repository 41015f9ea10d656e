"""Quality, one step at a time: at points of a grid of our clock, all windows that are due by then, from the record.

A revision at T is measured once everything appended by T has been recorded *and* joined: ends of ``labels`` and ``predictions`` are asked for
after T, then the recorder and the joiners have to come to these, then the recorder to the end of ``outcomes``. What is due follows from the
record: at start by comparing facts with stored revisions, later from the offsets recorded since the last look.

The clock may be wrong. Facts with append times that it has not come to show that it is behind the broker's: then the newest of them is the
revision. Where it was set back, all is found from the record again, and a window that has a revision of later than now gets the next one after that.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import groupby, islice
from time import monotonic

from stream_processors.clickhouse import Store
from stream_processors.contracts.follower import ContractFollower
from stream_processors.joiner.marks import Marks, Offsets
from stream_processors.joiner.micros import SECOND
from stream_processors.joiner.murmur2 import partition_of
from stream_processors.joiner.publishing import Publisher
from stream_processors.joiner.quality.judging import judged
from stream_processors.joiner.quality.query import count_windows
from stream_processors.joiner.quality.rows import Counted
from stream_processors.joiner.quality.touched import Touched
from stream_processors.joiner.quality.watermark import NEVER, Watermark
from stream_processors.joiner.quality.windows import DueWindows, Stored, Window
from stream_processors.joiner.ranges import Range

# A message appended at T may become visible a little later (replication), and the broker's clock is not ours. What comes later still is seen
# by its offset in the next look; only after a restart append times are compared with revisions, with more room.
_SETTLES_S = 0.5
_CLOCKS_DIFFER_S = 60

# windows in one query and one batch of messages: bounds memory
_WINDOWS = 100
# measuring takes at most this share of the time, unless that would keep a figure waiting for longer than the rest
_SHARE = 0.25
_LONGEST_REST_S = 15.0

_READ = ("labels", "predictions")
# what makes windows due
_TOUCHING = ("predictions", "outcomes")


@dataclass
class _Look:
    """A revision under way: what has to be recorded and joined first. It was begun for a ``point`` of the grid."""

    at: int
    point: int
    ends: dict[str, Offsets] = field(default_factory=dict)
    outcome_ends: Offsets = field(default_factory=dict)
    todo: list[list[Window]] | None = None
    watermark: int = NEVER
    spent_s: float = 0.0


class Measuring:
    """Publishes quality.v1 rows for the models that fall to our partitions of ``labels``.

    Args:
        interval_s: seconds between points of the grid.
        lateness_s: seconds by which the watermark passes a window's end before it is closed.
        now: our clock, microseconds since 1970, UTC.
    """

    def __init__(
        self,
        store: Store,
        marks: Marks,
        contracts: ContractFollower,
        publisher: Publisher,
        *,
        interval_s: float,
        lateness_s: float,
        now: Callable[[], int],
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._store, self._marks, self._contracts, self._publisher = store, marks, contracts, publisher
        self._interval, self._now, self._clock = int(interval_s * SECOND), now, clock
        self._touched = Touched(store, contracts.history)
        self._watermark = Watermark(store, marks.topic_ids["predictions"], marks.partitions)
        self._due = DueWindows(lateness_s)
        self._partitions: set[int] = set()
        self._seen: dict[str, Offsets] = {}
        # newest revisions of windows that lie after our now, or did when they were read
        self._ahead: dict[Window, int] = {}
        self._look: _Look | None = None
        self._next = 0
        self._rest_until = 0.0
        # where quality ended after our last rows: they count as said once the recorder has passed it
        self._said: Offsets = {}
        self.waits: list[str] = []

    def own(self, partitions: set[int]) -> None:
        """From now on the models of these partitions are ours; what is due is asked of the record again."""
        self._partitions = partitions
        self._seen, self._look, self.waits = {}, None, []
        # a point of the grid that somebody, or we before a restart, may have measured already is not measured twice
        self._next = self._grid(after=self._now())

    def step(self) -> int:
        """Go on with the revision under way, or begin the next when its time has come; returns how many rows were sent.

        Attribute ``waits`` then says for which partitions it waits.

        Raises:
            BrokerUnavailable, StoreUnavailable: the same revision is gone on with at the next step.
        """
        if not self._partitions:
            return 0
        if self._look is None:
            self._follow_clock()
            if self._now() < self._next + int(_SETTLES_S * SECOND) or self._clock() < self._rest_until:
                return 0
            at = self._grid(after=self._now() - int(_SETTLES_S * SECOND)) - self._interval
            self._look = _Look(at, point=at)
        if self._look.todo is None:
            self.waits = self._not_ready(self._look)
            if self.waits:
                return 0
        began = self._clock()
        sent = self._go_on(self._look)
        self._look.spent_s += self._clock() - began
        if not self._look.todo:
            rest = min(self._look.spent_s * (1 - _SHARE) / _SHARE, _LONGEST_REST_S)
            self._rest_until = self._clock() + rest
            self._next, self._look = self._look.point + self._interval, None
        return sent

    def waiting(self) -> int:
        """How many windows are known to need another revision; at least 1 while something recorded was not looked at, or our last rows are not recorded.

        Raises:
            BrokerUnavailable: ends could not be asked.
        """
        known = self._due.waiting(self._now())
        if known or not self._partitions:
            return known
        ends = {name: self._marks.ends(name, self._marks.all_partitions(name)) for name in _TOUCHING}
        if any(_between(self._seen.get(name, {}), ends[name]) for name in _TOUCHING):
            return 1
        if not self._marks.not_recorded("quality", self._said):
            self._said = {}
        return int(bool(self._said))

    def _grid(self, *, after: int) -> int:
        """The first point of the grid after a moment."""
        return (after // self._interval + 1) * self._interval

    def _follow_clock(self) -> None:
        """Begin anew where the clock was set back by more than a step: until the next point of the grid it might be a day."""
        following = self._grid(after=self._now())
        if self._next > following + self._interval:
            self._next, self._seen = following, {}

    def _not_ready(self, look: _Look) -> list[str]:
        """Partitions that have still to be recorded or joined; empty when the record holds all that was appended by the revision."""
        if not look.ends:
            look.ends = {name: self._marks.ends(name, self._marks.all_partitions(name)) for name in _READ}
        for name in _READ:
            late = self._marks.not_recorded(name, look.ends[name]) or self._marks.not_joined(
                name, look.ends[name]
            )
            if late:
                return [f"{name}-{partition}" for partition in late]
        if not look.outcome_ends:
            look.outcome_ends = self._marks.ends("outcomes", self._marks.all_partitions("outcomes"))
        late = self._marks.not_recorded("outcomes", look.outcome_ends)
        return [f"outcomes-{partition}" for partition in late]

    def _go_on(self, look: _Look) -> int:
        """Find what is due, or measure the next windows of it: short steps, so that the process stays answerable."""
        if look.todo is None:
            self._contracts.catch_up()
            look.watermark = self._watermark.now()
            self._find_touched(look)
            due = self._due.due(look.at, look.watermark)
            newest = self._due.newest(due)
            if newest > self._now():
                look.at = newest
            look.todo = _chunks(due)
        if not look.todo:
            return 0
        sent = self._publish(look.todo[0], look)
        look.todo.pop(0)
        return sent

    def _find_touched(self, look: _Look) -> None:
        watermark = look.watermark
        ends = {"predictions": look.ends["predictions"], "outcomes": look.outcome_ends}
        if not self._seen:
            self._find_from_record(watermark)
        else:
            topic_ids = self._marks.topic_ids
            ranges = {name: _between(self._seen[name], ends[name]) for name in ends}
            if ranges["predictions"]:
                found = self._touched.predicted(topic_ids["predictions"], ranges["predictions"])
                self._due.predicted(self._ours(found), watermark)
            if ranges["outcomes"]:
                self._due.recorded(
                    self._ours(self._touched.joined(topic_ids["outcomes"], ranges["outcomes"]))
                )
        self._seen = ends

    def _find_from_record(self, watermark: int) -> None:
        """At start: windows with facts newer than their newest stored revision, or as new within what clocks may differ."""
        self._due.keep(lambda _: False)
        stored, now = self._touched.stored(), self._now()
        self._ahead = {window: one.revision for window, one in stored.items() if one.revision > now}
        predicted = self._ours(self._touched.ever_predicted())
        joined = {w: at for w, at in self._ours(self._touched.ever_joined()).items() if w in predicted}
        for window, at in predicted.items():
            self._due.known(window, stored.get(window, Stored()), predicted_at=at)
        newer = {
            name: {
                window: at
                for window, at in found.items()
                if at > stored.get(window, Stored()).holds - _CLOCKS_DIFFER_S * SECOND
            }
            for name, found in (("predicted", predicted), ("joined", joined))
        }
        self._due.recorded(
            {w: at for w, at in newer["predicted"].items() if self._due.is_closed(w, watermark)}
        )
        self._due.recorded(newer["joined"])

    def _ours(self, windows: dict[Window, int]) -> dict[Window, int]:
        models = {window.model for window in windows}
        ours = {model for model in models if partition_of(model, self._marks.partitions) in self._partitions}
        return {window: at for window, at in windows.items() if window.model in ours}

    def _publish(self, windows: list[Window], look: _Look) -> int:
        model, environment = windows[0].model, windows[0].environment
        contracts = judged(self._contracts.history, [model])
        counts = count_windows(self._store, windows, contracts, look.at)
        counted = Counted(counts, contracts, model, environment, look.at, self._ahead)
        stored = counted.stored(self._due, look.watermark)
        rows = counted.rows(stored)
        key = json.dumps([model, environment], separators=(",", ":"))
        self._publisher.send("quality", "quality", rows, [key] * rows.num_rows)
        self._said = self._marks.ends("quality", self._marks.all_partitions("quality"))
        self._due.measured(windows, stored, look.at)
        self._ahead |= {window: one.revision for window, one in stored.items() if one.revision > look.at}
        return int(rows.num_rows)


def _chunks(due: list[Window]) -> list[list[Window]]:
    """Windows of one model and environment each, few enough for one query."""
    found = []
    for _, windows in groupby(due, key=lambda window: (window.model, window.environment)):
        while chunk := list(islice(windows, _WINDOWS)):
            found.append(chunk)
    return found


def _between(seen: Offsets, ends: Offsets) -> dict[int, Range]:
    return {p: Range(seen.get(p, 0), end) for p, end in ends.items() if end > seen.get(p, 0)}
