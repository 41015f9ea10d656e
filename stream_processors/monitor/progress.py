"""What one partition of ``sketches`` has told so far: which windows wait for a verdict, and which of them are due.

Pure: no clock and no client. Fed by the messages of the partition in order and, after a restart, by the record; both give the same.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from stream_processors.monitor.headings import DeltaHeading, ModelVersion, Source, StretchHeading
from stream_processors.monitor.source_times import SourceTimes
from stream_processors.windows import Window

# "Two further stretches of every source partition brought nothing for it" (design: "The monitor")
QUIET_STRETCHES = 2


@dataclass(frozen=True, slots=True, order=True)
class JudgedWindow:
    """One window of one model version, ``window`` in microseconds: what a set of verdicts is about."""

    of: ModelVersion
    window: Window


@dataclass(frozen=True, slots=True)
class Note:
    """A delta that was read and whose judged windows are not worked out yet: that needs the contract at ``appended_at``.

    Attributes:
        offset: where the delta stands on its partition of ``sketches``.
        watermark: the watermark when it was read; None while there was none.
    """

    heading: DeltaHeading
    offset: int
    appended_at: int
    watermark: int | None


@dataclass(slots=True)
class _Changed:
    """A window that changed since its last verdict: the last delta of each source, and whether one came after the window had closed."""

    deltas: dict[Source, int] = field(default_factory=dict)
    late: bool = False


@dataclass(frozen=True, slots=True)
class Due:
    """Windows that are due, as of ``up_to``: the offset of the last stretch read, and how far it and those before it closed each source."""

    windows: tuple[JudgedWindow, ...]
    up_to: int
    frontier: dict[Source, int]


class PartitionProgress:
    """One partition of ``sketches`` as far as it was read.

    Args:
        lateness: how far the watermark must be past a window's end for it to close, microseconds.
        position: the first offset that is to be read; what stands before it was restored from the record.
    """

    def __init__(self, lateness: int, position: int = 0) -> None:
        self._lateness = lateness
        self._changed: dict[JudgedWindow, _Changed] = {}
        self.times = SourceTimes()
        self.sources: list[Source] = []
        self.notes: list[Note] = []
        self.position = position

    @property
    def waiting(self) -> int:
        """How many windows changed since their last verdict."""
        return len(self._changed) + len({(n.heading.of, n.heading.window_start) for n in self.notes})

    def read(self, heading: DeltaHeading | StretchHeading | None, offset: int, appended_at: int) -> None:
        """Take the message at ``offset``; one that was taken before changes nothing. None is a message that tells nothing."""
        if offset < self.position:
            return
        self.position = offset + 1
        if isinstance(heading, StretchHeading):
            self.times.read(heading, offset, appended_at)
        # the whole has a sketch in every flush that has one of a slice
        elif heading is not None and heading.slice == "":
            self.notes.append(Note(heading, offset, appended_at, self.times.watermark(self.sources)))

    def changed(self, window: JudgedWindow, source: Source, offset: int, watermark: int | None) -> None:
        """A delta at ``offset`` belongs to a window; ``watermark`` says whether it came late."""
        entry = self._changed.setdefault(window, _Changed())
        entry.deltas[source] = max(offset, entry.deltas.get(source, -1))
        entry.late = entry.late or self._closed(window, watermark)

    def due(self) -> Due:
        """The windows to be judged now, earliest first."""
        watermark = self.times.watermark(self.sources)
        found = [
            window
            for window, entry in self._changed.items()
            if self._whole(entry) and (self._quiet(entry) if entry.late else self._closed(window, watermark))
        ]
        found.sort(key=lambda one: (one.window.end, one.window.start, one.of))
        return Due(tuple(found), self.times.last_offset, self.times.frontier())

    def judged(self, windows: tuple[JudgedWindow, ...] | list[JudgedWindow], up_to: int) -> None:
        """These windows have a verdict on all deltas below ``up_to``; those that changed since stay."""
        for window in windows:
            entry = self._changed.get(window)
            if entry and all(offset < up_to for offset in entry.deltas.values()):
                del self._changed[window]

    def _closed(self, window: JudgedWindow, watermark: int | None) -> bool:
        return watermark is not None and watermark >= window.window.end + self._lateness

    def _whole(self, entry: _Changed) -> bool:
        """Whether the flush of each delta has been read to its end: its source's stretch stands after it."""
        return all(self.times.stretches_after(source, offset) for source, offset in entry.deltas.items())

    def _quiet(self, entry: _Changed) -> bool:
        """Whether two stretches of every source came since the last flush that brought something."""
        last = max(entry.deltas.values())
        return bool(self.sources) and all(
            self.times.stretches_after(source, last) >= QUIET_STRETCHES
            and (
                source not in entry.deltas
                or self.times.stretches_after(source, entry.deltas[source]) > QUIET_STRETCHES
            )
            for source in self.sources
        )
