"""Windows are half-open, aligned to the epoch, weeks to Monday, months to the calendar."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_processors.windows import (
    MONTH,
    Width,
    Window,
    window_of,
    window_start,
    windows_between,
)

# From 1901 to 2200, to the microsecond.
MOMENTS = st.integers(-69 * 365 * 86_400 * 1_000_000, 230 * 365 * 86_400 * 1_000_000)
SPELLINGS = ["1s", "15s", "1m", "5m", "20m", "1h", "8h", "1d", "1w", "1mo"]


def micros(year: int, month: int, day: int, hour: int = 0, minute: int = 0) -> int:
    """Microseconds of a UTC moment."""
    return round(datetime(year, month, day, hour, minute, tzinfo=UTC).timestamp() * 1_000_000)


@given(moment=MOMENTS, spelling=st.sampled_from(SPELLINGS))
def test_windows_tile_time(moment: int, spelling: str) -> None:
    """Every moment lies in exactly one window, and the windows before and after touch it."""
    width = Width.parse(spelling)
    window = window_of(moment, width)
    assert moment in window
    assert window.end not in window
    assert window_of(window.start - 1, width).end == window.start
    assert window_of(window.end, width).start == window.end
    assert window_of(window.start, width) == window == window_of(window.end - 1, width)


@given(moments=st.lists(MOMENTS, min_size=1), spelling=st.sampled_from(SPELLINGS))
def test_arrays_and_single_moments_agree(moments: list[int], spelling: str) -> None:
    """The start of an array of moments is the start of each one's window."""
    width = Width.parse(spelling)
    starts = window_start(np.array(moments, dtype=np.int64), width)
    assert starts.tolist() == [window_of(moment, width).start for moment in moments]


@pytest.mark.parametrize(
    ("spelling", "start", "end"),
    [
        ("5m", (2013, 2, 28, 23, 55), (2013, 3, 1)),
        ("1d", (2013, 2, 28), (2013, 3, 1)),
        ("1w", (2013, 2, 25), (2013, 3, 4)),
        ("1mo", (2013, 2, 1), (2013, 3, 1)),
    ],
)
def test_known_windows(spelling: str, start: tuple[int, ...], end: tuple[int, ...]) -> None:
    """The last microsecond of February 2013, a Thursday, lies where the calendar says."""
    last = micros(2013, 3, 1) - 1
    assert window_of(last, Width.parse(spelling)) == Window(micros(*start), micros(*end))


def test_a_leap_year_ends_february_on_the_29th() -> None:
    """Months have the calendar's length."""
    window = window_of(micros(2012, 2, 29, 12), MONTH)
    assert (window.start_time, window.end_time) == (
        datetime(2012, 2, 1, tzinfo=UTC),
        datetime(2012, 3, 1, tzinfo=UTC),
    )


@pytest.mark.parametrize("spelling", ["", "0s", "7m", "25h", "2w", "2mo", "1.5h", "-1m", "1 m", "1y", "๑h"])
def test_widths_without_alignment_are_refused(spelling: str) -> None:
    """A width that does not divide a day, or is not written as widths are, is an error."""
    with pytest.raises(ValueError, match="window"):
        Width.parse(spelling)


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_width_is_spelled_as_it_is_read(spelling: str) -> None:
    """Reading and writing a width are inverse."""
    assert str(Width.parse(spelling)) == spelling


def test_windows_between_cover_the_span() -> None:
    """The windows of a span overlap it from its first to its last moment, and an empty span has none."""
    day = Width.parse("1d")
    windows = windows_between(micros(2013, 1, 31, 5), micros(2013, 2, 2), day)
    assert [window.start for window in windows] == [micros(2013, 1, 31), micros(2013, 2, 1)]
    assert windows_between(5, 5, day) == []
