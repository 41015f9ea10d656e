"""A period in the fewest windows: the same sums as of its base windows, from roll-ups where there are any that hold."""

from __future__ import annotations

from datetime import timedelta

from recorded_rows import Recorder, utc
from rolled_windows import END, MINUTES, START, delta, rolled, sums, widths

PERIODS = [
    (START, END),
    (START + MINUTES, END - MINUTES),
    (START + timedelta(minutes=10), START + timedelta(minutes=130)),
    (utc("1970-01-01"), utc("2299-12-31")),
    (END, END + timedelta(days=1)),
]


def test_sums_are_those_of_the_base_windows(days: Recorder) -> None:
    """Whatever adds up adds up to the same, whichever windows a period is made of and wherever it begins and ends."""
    rolled(days)
    wanted = [sums(days, *period, None) for period in PERIODS]
    assert [sums(days, *period, 86400) for period in PERIODS] == wanted
    assert [sums(days, *PERIODS[1], widest) for widest in (0, 3600)] == [wanted[1]] * 2
    assert [len(found) for found in wanted] == [6, 6, 6, 6, 0]


def test_a_period_is_in_the_fewest_windows(days: Recorder) -> None:
    """Whole days, then hours, then base windows; without roll-ups, and where none is wanted, base windows alone."""
    assert widths(days, START, END) == {20: 147}
    rolled(days)
    assert widths(days, START, END) == {1440: 2, 60: 1}
    assert widths(days, START, END, 3600) == {60: 49}
    assert widths(days, START, END, 0) == {20: 147}
    assert widths(days, START + MINUTES, START + timedelta(hours=26, minutes=40)) == {20: 2 + 2, 60: 23 + 2}


def test_a_roll_up_that_was_overtaken_is_not_used(days: Recorder) -> None:
    """A later delta, or a total, takes its hour and its day out of use until they are rolled up again, and no other."""
    rolled(days, up_to=147)
    at = START + timedelta(hours=30)
    days.insert("sketches", delta(at, 500))
    assert widths(days, START, END) == {1440: 1, 60: 24, 20: 3}
    assert sums(days, START, END, 86400) == sums(days, START, END, None)
    total = {"kind": "total", "up_to": {"topic/0": 10_000}, "_appended_at": at + timedelta(days=4)}
    days.insert("sketches", delta(START, 501, **total, model_version="1"))
    assert widths(days, START, END) == {60: 47, 20: 6}
    assert sums(days, START, END, 86400) == sums(days, START, END, None)
    rolled(days, up_to=502)
    assert widths(days, START, END) == {1440: 2, 60: 1}
    assert sums(days, START, END, 86400) == sums(days, START, END, None)


def test_a_slice_or_part_that_is_recorded_later_overtakes_too(days: Recorder) -> None:
    """A message that holds nothing of the whole's events, of the same flush and recorded after the roll-up, takes it out of use."""
    rolled(days, up_to=147)
    days.insert(
        "sketches", [{**row, "_row": 0} for row in delta(START, 700, slice="origin=JFK", part=1)[1:2]]
    )
    assert widths(days, START, END) == {1440: 1, 60: 24, 20: 3}
    assert sums(days, START, END, 86400) == sums(days, START, END, None)


def test_a_longer_base_window_stands_beside_roll_ups(days: Recorder) -> None:
    """A window that begins in a rolled-up hour and ends after it is in none of them."""
    rolled(days, up_to=147)
    days.insert("sketches", delta(START, 600, window_end=START + timedelta(days=1), shape="other"))
    assert sums(days, START, END, 86400) == sums(days, START, END, None)
    assert widths(days, START, END) == {1440: 2, 60: 25}


def test_a_roll_up_that_was_cut_off_is_none(days: Recorder) -> None:
    """A roll-up whose events were never written, because its writer was killed, is passed over."""
    rolled(days)
    days.store.command("ALTER TABLE rollups DELETE WHERE column = '@events' SETTINGS mutations_sync = 2")
    assert widths(days, START, END) == {20: 147}
    assert sums(days, START, END, 86400) == sums(days, START, END, None)
