"""When a window of quality is due, on an invented clock."""

from __future__ import annotations

from stream_processors.joiner.micros import SECOND
from stream_processors.joiner.quality.watermark import NEVER
from stream_processors.joiner.quality.windows import DueWindows, Stored, Window

WINDOW = Window("m", "production", "1", "", served=True, width_s=60, start=0)
END = WINDOW.end


def measured(due: DueWindows, at: int, **flags: object) -> None:
    """The window was measured at this moment, with these flags."""
    due.measured([WINDOW], {WINDOW: Stored(**{"revision": at, "horizon_s": 3600, **flags})}, at)


def test_facts_make_a_window_due_until_a_revision_holds_them() -> None:
    """A fact appended after the revision that measured its window keeps it due."""
    due = DueWindows(0)
    due.recorded({WINDOW: 200})
    assert due.due(100, NEVER) == [WINDOW]
    measured(due, 100)
    assert due.due(150, NEVER) == [WINDOW]
    measured(due, 200)
    assert due.due(250, NEVER) == []


def test_predictions_alone_wait_for_the_end() -> None:
    """An open window without facts is due when the watermark has passed its end by the lateness, once."""
    due = DueWindows(10)
    due.predicted({WINDOW: 5}, watermark=30 * SECOND)
    assert due.due(END, END + 9 * SECOND) == []
    assert due.due(END, END + 10 * SECOND) == [WINDOW]
    measured(due, END + 20 * SECOND, closed=True)
    assert due.due(END + 30 * SECOND, END + 30 * SECOND) == []


def test_predictions_of_a_closed_window_make_it_due() -> None:
    """Late events and backfills are counted at once."""
    due = DueWindows(0)
    due.predicted({WINDOW: END + 50}, watermark=END)
    assert due.due(END + 60, END) == [WINDOW]
    measured(due, END + 60, closed=True, provisional=False)
    assert due.due(END + 70, END) == []
    due.predicted({WINDOW: END + 80}, watermark=END)
    assert due.due(END + 90, END) == [WINDOW]


def test_the_horizon_makes_a_measured_window_due_once_more() -> None:
    """When the last label is due the window stops being provisional, whether it closed or not."""
    due = DueWindows(0)
    due.recorded({WINDOW: 1})
    measured(due, 2)
    passed = END + 3600 * SECOND
    assert due.due(passed - 1, NEVER) == []
    assert due.due(passed, NEVER) == [WINDOW]
    measured(due, passed, closed=True, provisional=False)
    assert due.due(passed + 1, passed) == []


def test_what_waits_is_counted() -> None:
    """Windows with new facts, and windows that are past without having closed, wait; an open window does not."""
    due = DueWindows(0)
    due.predicted({WINDOW: 1}, watermark=NEVER)
    assert due.waiting(now=END - 1) == 0
    assert due.waiting(now=END) == 1
    due.recorded({WINDOW: 2})
    assert due.waiting(now=0) == 1
    measured(due, 3, closed=True)
    assert due.waiting(now=END) == 0


def test_a_window_without_predictions_is_forgotten() -> None:
    """Windows that no prediction is in (of another contract's length) vanish when they are measured."""
    due = DueWindows(0)
    due.recorded({WINDOW: 1})
    due.measured([WINDOW], {}, 2)
    assert due.due(3, END) == []
    due.recorded({WINDOW: 4})
    due.keep(lambda window: window.model != "m")
    assert due.due(5, END) == []


def test_a_fact_is_kept_for_a_prediction_that_the_revision_left_out() -> None:
    """A window whose only prediction was appended after the revision has no row yet: its fact makes it due again."""
    due = DueWindows(0)
    due.predicted({WINDOW: 150}, watermark=NEVER)
    due.recorded({WINDOW: 90})
    due.measured([WINDOW], {}, 100)
    assert due.due(200, NEVER) == [WINDOW]
    measured(due, 200)
    assert due.due(300, NEVER) == []


def test_a_window_that_closed_short_is_measured_again() -> None:
    """A prediction appended after the revision at which its window closed makes it due once more."""
    due = DueWindows(0)
    due.predicted({WINDOW: 150}, watermark=NEVER)
    measured(due, 100, closed=True, provisional=False)
    assert due.due(200, END) == [WINDOW]
    measured(due, 200, closed=True, provisional=False)
    assert due.due(300, END) == []


def test_a_restart_knows_the_newest_prediction() -> None:
    """What the record says of a window at start is held to as well."""
    due = DueWindows(0)
    due.known(WINDOW, Stored(), predicted_at=150)
    measured(due, 100, closed=True, provisional=False)
    assert due.due(200, END) == [WINDOW]


class Asked(DueWindows):
    """Counts how many windows are looked at."""

    looks = 0

    def is_closed(self, window: Window, watermark: int) -> bool:
        """As ever."""
        self.looks += 1
        return super().is_closed(window, watermark)


def test_what_waits_is_counted_without_a_look_at_windows_that_wait_for_their_horizon() -> None:
    """It is asked for every second, and weeks of windows have closed and are provisional: only open ones are looked at."""
    due = Asked(0)
    many = [WINDOW._replace(start=minute * 60 * SECOND) for minute in range(1_000)]
    closed = Stored(revision=many[-1].end, closed=True, horizon_s=36_000_000)
    for window in many[:500]:
        due.known(window, closed, predicted_at=0)
    due.predicted(dict.fromkeys(many[500:], 1), watermark=NEVER)
    due.measured(many[500:], dict.fromkeys(many[500:], closed), at=many[-1].end)
    due.looks = 0
    assert due.waiting(now=many[-1].end) == 0
    assert due.looks == 0
    due.predicted({many[0]: many[-1].end + 2}, watermark=NEVER)
    due.measured([many[0]], {many[0]: closed}, at=many[-1].end + 1)
    due.looks = 0
    assert due.waiting(now=many[-1].end) == 1
    assert due.looks == 1
    due.keep(lambda window: window != many[0])
    assert due.waiting(now=many[-1].end) == 0
