"""Windows of quality, and when each has to be measured again. Pure: what was seen comes in, what is due goes out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

from stream_processors.joiner.micros import SECOND


class Window(NamedTuple):
    """One window of one version: ``width_s`` seconds from ``start`` (microseconds since 1970, UTC)."""

    model: str
    environment: str
    model_version: str
    output: str
    served: bool
    width_s: int
    start: int

    @property
    def end(self) -> int:
        """Its end, exclusive, microseconds."""
        return self.start + self.width_s * SECOND


@dataclass(frozen=True, slots=True)
class Stored:
    """What the record holds of a window: its newest revision (microseconds; 0 for none) and that revision's flags.

    What was appended before ``holds`` was there to be counted: the revision, or the append time of its message where the clock that named
    the revision was ahead of the broker's.
    """

    revision: int = 0
    holds: int = 0
    closed: bool = False
    provisional: bool = True
    horizon_s: int = 0

    def is_settled(self) -> bool:
        """Whether only new facts can change it."""
        return self.closed and not self.provisional


class DueWindows:
    """Which windows are due: those that got facts since their last revision, those that have closed or whose horizon has passed since.

    Predictions alone make a window due once it has closed (late events, backfills); before that its closing will count them.

    Args:
        lateness_s: seconds by which the watermark passes a window's end before it counts as closed.
    """

    def __init__(self, lateness_s: float) -> None:
        self._lateness = int(lateness_s * SECOND)
        self._facts: dict[Window, int] = {}
        # newest append time of the predictions of windows that are not settled
        self._predicted: dict[Window, int] = {}
        self._unsettled: dict[Window, Stored] = {}
        # those of them that have not closed: few beside those that wait for their horizon, and asked for every second
        self._open: set[Window] = set()

    def recorded(self, windows: Mapping[Window, int]) -> None:
        """Windows that got facts, with the newest append time among these (microseconds)."""
        for window, at in windows.items():
            self._facts[window] = max(at, self._facts.get(window, 0))

    def predicted(self, windows: Mapping[Window, int], watermark: int) -> None:
        """Windows that got predictions, with the newest append time among these."""
        self.recorded({w: at for w, at in windows.items() if self.is_closed(w, watermark)})
        for window, at in windows.items():
            if window not in self._unsettled:
                self._wait_for(window, Stored())
            self._predicted[window] = max(at, self._predicted.get(window, 0))

    def known(self, window: Window, stored: Stored, *, predicted_at: int) -> None:
        """What the record holds of a window, and when its newest prediction was appended."""
        if not stored.is_settled():
            self._wait_for(window, stored)
        if not stored.is_settled() or predicted_at > stored.holds:
            self._predicted[window] = predicted_at

    def is_closed(self, window: Window, watermark: int) -> bool:
        """Whether the watermark has passed the window's end."""
        return watermark >= window.end + self._lateness

    def due(self, at: int, watermark: int) -> list[Window]:
        """What has to be measured at ``at`` (the revision, microseconds), in order."""
        found = set(self._facts) | self._past(watermark)
        for window, stored in self._unsettled.items():
            if stored.revision and stored.provisional and is_past(window, stored.horizon_s, at):
                found.add(window)
        return sorted(found)

    def newest(self, windows: Iterable[Window]) -> int:
        """The newest append time of what these windows got and no revision holds; 0 where none is known."""
        return max((max(self._facts.get(w, 0), self._predicted.get(w, 0)) for w in windows), default=0)

    def waiting(self, now: int) -> int:
        """How many windows are known to need another revision: those with new facts, and those that are past but have not closed."""
        return len(self._past(now) | self._facts.keys())

    def measured(self, windows: Iterable[Window], stored: Mapping[Window, Stored], at: int) -> None:
        """These were measured at revision ``at``, with this result; windows without a result held no prediction by then."""
        for window in windows:
            # what was appended after the revision is not in it
            short = self._predicted.get(window, at) > at
            if not short and self._facts.get(window, at) <= at:
                self._facts.pop(window, None)
            result = stored.get(window)
            if short:
                # neither has it closed with all its predictions, nor are facts about those that are missing counted
                self._wait_for(window, replace(result or Stored(), closed=False))
                continue
            self._predicted.pop(window, None)
            if result is None or result.is_settled():
                self._unsettled.pop(window, None)
                self._open.discard(window)
            else:
                self._wait_for(window, result)

    def keep(self, ours: Callable[[Window], bool]) -> None:
        """Forget windows that are not ours any more."""
        self._facts = {window: at for window, at in self._facts.items() if ours(window)}
        self._unsettled = {window: stored for window, stored in self._unsettled.items() if ours(window)}
        self._open = {window for window in self._open if ours(window)}
        self._predicted = {window: at for window, at in self._predicted.items() if ours(window)}

    def _wait_for(self, window: Window, stored: Stored) -> None:
        self._unsettled[window] = stored
        if stored.closed:
            self._open.discard(window)
        else:
            self._open.add(window)

    def _past(self, time: int) -> set[Window]:
        """Windows that have not closed and do so where the watermark is at ``time``."""
        return {window for window in self._open if self.is_closed(window, time)}


def is_past(window: Window, horizon_s: int, at: int) -> bool:
    """Whether the label horizon of the window's last prediction has passed at ``at``."""
    return at >= window.end + horizon_s * SECOND
