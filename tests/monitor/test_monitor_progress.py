"""Watermarks and closing windows, on injected times: no server, no clock."""

from __future__ import annotations

import pytest

from stream_processors.monitor.headings import DeltaHeading, ModelVersion, Source, StretchHeading
from stream_processors.monitor.progress import JudgedWindow, PartitionProgress
from stream_processors.monitor.source_times import IDLE_LAG, SourceTimes
from stream_processors.windows import Window

SECOND = 1_000_000
HOUR = 3600 * SECOND
OF = ModelVersion("m", "production", "1", True)
ZERO, ONE = Source("t", 0), Source("t", 1)
FIRST_HOUR = JudgedWindow(OF, Window(0, HOUR))


class Log:
    """A partition of sketches written by hand: each message stands at the next offset."""

    def __init__(self, lateness: int = 30 * SECOND) -> None:
        self.progress = PartitionProgress(lateness)
        self.progress.sources = [ZERO, ONE]
        self.offset = 0
        self.read = {ZERO: 0, ONE: 0}

    def delta(self, source: Source = ZERO, window: JudgedWindow = FIRST_HOUR) -> int:
        """Ten events of a window, of the flush that the source's next stretch ends; returns where the delta stands."""
        heading = DeltaHeading(OF, "", window.window.start, window.window.end, source, self.read[source] + 10)
        self._message(heading, 0)
        for note in self.progress.notes:
            self.progress.changed(window, source, note.offset, note.watermark)
        self.progress.notes.clear()
        return self.offset - 1

    def stretch(
        self, source: Source, time: int | None = None, *, events: int = 0, at: int = 0, end: bool = False
    ) -> int:
        """A source was read further by so many events; returns where the stretch stands."""
        first = self.read[source]
        self.read[source] += events
        self._message(StretchHeading(source, first, self.read[source], time, end), at)
        return self.offset - 1

    def both(self, time: int | None = None, *, events: int = 0, at: int = 0, end: bool = False) -> None:
        """A stretch of each source."""
        for source in (ZERO, ONE):
            self.stretch(source, time, events=events, at=at, end=end)

    def due(self) -> tuple[JudgedWindow, ...]:
        """The windows that are due."""
        return self.progress.due().windows

    def _message(self, heading: DeltaHeading | StretchHeading, appended_at: int) -> None:
        self.progress.read(heading, self.offset, appended_at)
        self.offset += 1


def test_the_watermark_is_the_least_over_all_sources_and_none_until_each_has_told_one() -> None:
    """A source that has said nothing holds the watermark back altogether."""
    log = Log()
    log.stretch(ZERO, 5 * HOUR, events=1)
    assert log.progress.times.watermark([ZERO, ONE]) is None
    log.stretch(ONE, 2 * HOUR, events=1)
    assert log.progress.times.watermark([ZERO, ONE]) == 2 * HOUR
    assert log.progress.times.watermark([]) is None


def test_a_source_s_time_never_goes_back() -> None:
    """Late events do not turn the clock back."""
    log = Log()
    log.both(2 * HOUR, events=1)
    log.both(HOUR, events=1)
    assert log.progress.times.watermark([ZERO, ONE]) == 2 * HOUR


def test_an_empty_stretch_at_the_log_s_end_moves_time_to_ten_seconds_before_its_append() -> None:
    """Idle is told apart from slow: only an empty stretch that reached the end moves time on."""
    log = Log()
    log.both(HOUR, events=1)
    log.both(at=9 * HOUR, events=1, end=True)
    assert log.progress.times.watermark([ZERO, ONE]) == HOUR, "a stretch with events tells only their time"
    log.both(at=9 * HOUR, end=False)
    assert log.progress.times.watermark([ZERO, ONE]) == HOUR, (
        "an empty stretch short of the end tells nothing"
    )
    log.both(at=9 * HOUR, end=True)
    assert log.progress.times.watermark([ZERO, ONE]) == 9 * HOUR - IDLE_LAG


def test_a_window_closes_when_the_watermark_has_passed_its_end_by_the_allowed_lateness() -> None:
    """Not at its end, not a moment before the lateness is over, and then at once."""
    log = Log(lateness=30 * SECOND)
    log.delta()
    log.both(HOUR // 2, events=10)
    log.both(HOUR, events=1)
    assert log.due() == ()
    log.both(HOUR + 30 * SECOND - 1, events=1)
    assert log.due() == ()
    log.both(HOUR + 30 * SECOND, events=1)
    assert log.due() == (FIRST_HOUR,)


def test_a_window_is_due_once() -> None:
    """After its verdict a window waits no more, whatever stretches come."""
    log = Log()
    log.delta()
    log.both(2 * HOUR, events=10)
    due = log.progress.due()
    log.progress.judged(due.windows, due.up_to)
    log.both(3 * HOUR, events=1)
    assert log.due() == ()
    assert log.progress.waiting == 0


def test_a_flush_that_has_not_ended_is_waited_for() -> None:
    """A window is not due while one of its deltas stands after its source's last stretch."""
    log = Log()
    log.both(2 * HOUR, events=1)
    late = JudgedWindow(OF, Window(2 * HOUR, 3 * HOUR))
    log.delta(ZERO, late)
    log.stretch(ONE, 4 * HOUR, events=1)
    assert log.due() == ()
    log.stretch(ZERO, 4 * HOUR, events=10)
    assert log.due() == (late,)


def test_a_late_delta_is_judged_after_two_further_stretches_of_every_source_brought_nothing() -> None:
    """The stretch that ends its own flush does not count, and each source must have been quiet."""
    log = Log()
    log.both(2 * HOUR, events=1)
    log.delta(ZERO)
    log.both(2 * HOUR, events=10)
    log.both(2 * HOUR)
    assert log.due() == ()
    log.stretch(ZERO)
    assert log.due() == (FIRST_HOUR,), "the other source's stretches of the same flush count for it"


def test_more_late_deltas_begin_the_quiet_anew() -> None:
    """A backfill that goes on keeps its window waiting."""
    log = Log()
    log.both(2 * HOUR, events=1)
    for _ in range(3):
        log.delta(ZERO)
        log.both(events=10)
        log.both()
        assert log.due() == ()
    log.both()
    assert log.due() == (FIRST_HOUR,)


def test_a_delta_that_comes_while_its_window_is_judged_makes_it_wait_again() -> None:
    """A verdict up to an offset does not clear what stands beyond it."""
    log = Log()
    log.delta()
    log.both(2 * HOUR, events=10)
    due = log.progress.due()
    log.delta()
    log.progress.judged(due.windows, due.up_to)
    assert log.progress.waiting == 1


def test_messages_read_twice_change_nothing() -> None:
    """A rebalance may deliver messages again; those below the position are known."""
    log = Log()
    offset = log.delta()
    log.both(2 * HOUR, events=10)
    due = log.progress.due()
    log.progress.judged(due.windows, due.up_to)
    heading = DeltaHeading(OF, "", 0, HOUR, ZERO, 10)
    log.progress.read(heading, offset, 0)
    assert log.progress.notes == []


def test_an_unknown_topology_closes_nothing() -> None:
    """Before the partitions of predictions are known there is no watermark and no quiet."""
    log = Log()
    log.progress.sources = []
    log.delta()
    log.both(2 * HOUR, events=10)
    log.both(9 * HOUR)
    log.both(9 * HOUR)
    assert log.due() == ()


@pytest.mark.parametrize("offsets", [[1, 2], [1, 2, 3, 4, 5, 6]])
def test_stretches_after_an_offset_are_counted_up_to_four(offsets: list[int]) -> None:
    """Two further ones are ever asked for, so older ones are forgotten."""
    times = SourceTimes()
    times.restore(ZERO, None, 0, offsets)
    assert times.stretches_after(ZERO, 0) == min(len(offsets), 4)
    assert times.stretches_after(ONE, 0) == 0
