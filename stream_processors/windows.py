"""Event-time windows: UTC, half-open ``[start, end)``, aligned to the Unix epoch (weeks to Monday, as ClickHouse does).

Times are int64 microseconds since 1970-01-01 UTC, as in Avro ``timestamp-micros`` and ClickHouse ``DateTime64(6, 'UTC')``.
A *base* window is a divisor of a day, from one second to one day; longer windows (*rollups*) are sums of base windows.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import numpy.typing as npt

Micros = npt.NDArray[np.int64]

SECOND = 1_000_000
HOUR = 3_600 * SECOND
DAY = 86_400 * SECOND
WEEK = 7 * DAY

# 1970-01-01 was a Thursday; the Monday of its week lies three days before it.
_MONDAY = -3 * DAY
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_UNITS = {"s": SECOND, "m": 60 * SECOND, "h": 3_600 * SECOND, "d": DAY, "w": WEEK}
_SPELLING = re.compile(r"([1-9][0-9]*)(s|m|h|d|w|mo)")


@dataclass(frozen=True, slots=True)
class Width:
    """How long a window is: ``micros`` microseconds, or one calendar month where ``micros`` is 0."""

    micros: int

    def __post_init__(self) -> None:
        """Refuse a width that no alignment is defined for (``ValueError``)."""
        divides_a_day = SECOND <= self.micros <= DAY and DAY % self.micros == 0
        if not (divides_a_day or self.micros in (0, WEEK)):
            raise ValueError(
                f"a window is a divisor of a day (1 s to 1 d), a week or a month, not {self.micros} us"
            )

    @classmethod
    def parse(cls, spelling: str) -> Width:
        """Read ``30s``, ``5m``, ``1h``, ``1d``, ``1w`` or ``1mo`` (calendar month). ``ValueError`` for anything else.

        >>> Width.parse("5m").micros
        300000000
        """
        match = _SPELLING.fullmatch(spelling)
        if match is None or (match[2] == "mo" and match[1] != "1"):
            raise ValueError(f"a window is written like 30s, 5m, 1h, 1d, 1w or 1mo, not {spelling!r}")
        return MONTH if match[2] == "mo" else cls(int(match[1]) * _UNITS[match[2]])

    @property
    def is_month(self) -> bool:
        """Whether the width is a calendar month, which has no fixed number of microseconds."""
        return self.micros == 0

    def __str__(self) -> str:
        """Spell the width so that ``parse`` reads it back, in the largest unit that fits."""
        if self.is_month:
            return "1mo"
        unit = max((u for u, size in _UNITS.items() if self.micros % size == 0), key=_UNITS.__getitem__)
        return f"{self.micros // _UNITS[unit]}{unit}"


MONTH = Width(0)


@dataclass(frozen=True, slots=True, order=True)
class Window:
    """One window: ``start`` inclusive, ``end`` exclusive, in microseconds since the epoch."""

    start: int
    end: int

    def __contains__(self, moment: int) -> bool:
        """Whether the moment (microseconds) falls into the window."""
        return self.start <= moment < self.end

    @property
    def start_time(self) -> datetime:
        """The first moment of the window, as an aware UTC datetime."""
        return _EPOCH + timedelta(microseconds=self.start)

    @property
    def end_time(self) -> datetime:
        """The first moment after the window, as an aware UTC datetime."""
        return _EPOCH + timedelta(microseconds=self.end)


def window_start(moments: Micros, width: Width) -> Micros:
    """Start of the window each moment falls into; same shape, int64 microseconds. Moments before 1970 floor as well.

    >>> window_start(np.array([61_000_000, -1]), Width.parse("1m")).tolist()
    [60000000, -60000000]
    """
    moments = np.asarray(moments, dtype=np.int64)
    if width.is_month:
        return moments.view("datetime64[us]").astype("datetime64[M]").astype("datetime64[us]").view(np.int64)
    origin = _MONDAY if width.micros == WEEK else 0
    return moments - np.mod(moments - origin, width.micros)


def window_of(moment: int, width: Width) -> Window:
    """Return the window of one moment (microseconds since the epoch)."""
    start = int(window_start(np.array([moment], dtype=np.int64), width)[0])
    if not width.is_month:
        return Window(start, start + width.micros)
    following = np.array([start]).view("datetime64[us]").astype("datetime64[M]") + np.timedelta64(1, "M")
    return Window(start, int(following.astype("datetime64[us]").view(np.int64)[0]))


def windows_between(start: int, end: int, width: Width) -> list[Window]:
    """All windows that overlap ``[start, end)``, in order; empty where ``end <= start``."""
    windows: list[Window] = []
    while start < end:
        windows.append(window_of(start, width))
        start = windows[-1].end
    return windows
