"""How far each source partition has come, as told by the stretches on one partition of ``sketches``.

A source's time never goes back. It is the greatest event time of its events that are not backfilled; a stretch without messages that reached the log's
end sets it to the stretch's append time less 10 s, so that an idle source does not hold up the others. The watermark is the least over all partitions
of ``predictions`` that exist. All times are microseconds since the epoch, UTC.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from stream_processors.monitor.headings import Source, StretchHeading

IDLE_LAG = 10_000_000

# "Two further stretches" are counted after a delta's own: more than three are never asked for.
_KEPT = 4


@dataclass(slots=True)
class _Clock:
    time: int | None = None
    next_offset: int = 0
    newest: deque[int] = field(default_factory=lambda: deque(maxlen=_KEPT))


def time_told(stretch: StretchHeading, appended_at: int) -> int | None:
    """The time a stretch sets its source to; None where it tells none. ``appended_at`` is the stretch's own."""
    idle = stretch.reached_end and stretch.next_offset == stretch.first_offset
    if idle:
        return max(appended_at - IDLE_LAG, stretch.max_event_time or 0)
    return stretch.max_event_time


class SourceTimes:
    """Times, positions and newest stretches of all sources. Stretches must come in the order of their offsets."""

    def __init__(self) -> None:
        self._clocks: dict[Source, _Clock] = {}
        self._last = -1

    @property
    def last_offset(self) -> int:
        """Offset of the last stretch read, -1 before the first."""
        return self._last

    def read(self, stretch: StretchHeading, offset: int, appended_at: int) -> None:
        """Take a stretch that stands at ``offset`` of the partition of ``sketches``."""
        self.restore(stretch.source, time_told(stretch, appended_at), stretch.next_offset, [offset])

    def restore(self, source: Source, time: int | None, next_offset: int, offsets: list[int]) -> None:
        """Take what stretches told together: the latest time, the furthest offset, and where the newest stand, rising."""
        clock = self._clocks.setdefault(source, _Clock())
        if time is not None:
            clock.time = time if clock.time is None else max(clock.time, time)
        clock.next_offset = max(clock.next_offset, next_offset)
        for offset in offsets:
            if not clock.newest or offset > clock.newest[-1]:
                clock.newest.append(offset)
        self._last = max(self._last, *offsets) if offsets else self._last

    def watermark(self, sources: list[Source]) -> int | None:
        """The least time over the sources that exist; None while one of them has told none, or there are none."""
        clocks = [self._clocks.get(source) for source in sources]
        times = [clock.time if clock else None for clock in clocks]
        known = [time for time in times if time is not None]
        return min(known) if known and len(known) == len(times) else None

    def frontier(self) -> dict[Source, int]:
        """How far each source has been read: the deltas up to there are whole."""
        return {source: clock.next_offset for source, clock in self._clocks.items()}

    def stretches_after(self, source: Source, offset: int) -> int:
        """How many stretches of a source stand beyond an offset of ``sketches``, counted up to four."""
        clock = self._clocks.get(source)
        return sum(1 for place in clock.newest if place > offset) if clock else 0
