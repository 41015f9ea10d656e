"""A period in the fewest windows: the same sums as of its base windows, from roll-ups where there are any that hold."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from recorded_rows import EVENTS, Recorder, utc

from stream_processors.monitor.rolling_up import roll_up
from stream_processors.windows import DAY, HOUR

START = utc("2024-03-01")
MINUTES = timedelta(minutes=20)
TOPIC = "sketches-id"
SUMS = """
    SELECT column, model_version, slice, sum(n) AS n, sum(events) AS events, sum(errors) AS errors, sum(nulls) AS nulls, sum(absent) AS absent,
        sum(nans) AS nans, sum(finite) AS finite, sum(sum) AS sum, sum(sum_of_squares) AS squares, min(min) AS least, max(max) AS greatest,
        min(min_event_time) AS earliest, max(max_event_time) AS latest,
        sumMap(bins, if(column_kind = 'numeric', counts, [])) AS histogram,
        sumMap(values, if(column_kind = 'categorical', counts, [])) AS categories, sumForEach(buckets) AS buckets
    FROM {windows}
    GROUP BY column, model_version, slice
    ORDER BY column, model_version, slice
"""
BETWEEN = (
    "feature_windows_between(model = 'm', environment = 'production', since = {since:DateTime64(6, 'UTC')},"
    " until = {until:DateTime64(6, 'UTC')}, widest = {widest:UInt32})"
)
BASE = (
    "feature_windows WHERE model = 'm' AND environment = 'production' AND window_start >= {since:DateTime64(6, 'UTC')}"
    " AND window_end <= {until:DateTime64(6, 'UTC')}"
)


def delta(start: datetime, number: int, **more: Any) -> list[dict[str, Any]]:
    """Three columns of one window as one flush makes them, whose figures depend on its number alone."""
    identity = {
        "kind": "delta",
        "model": "m",
        "model_version": str(1 + number % 2),
        "environment": "production",
        "served": True,
        "sampling_rate": 1.0,
        "slice": "",
        "window_start": start,
        "window_end": start + MINUTES,
        "topic_id": "topic",
        "first_offset": number,
        "next_offset": number + 1,
        "parts": 1,
        "_topic_id": TOPIC,
        "_offset": number,
        "_appended_at": start + timedelta(days=3),
        **more,
    }
    seen = {"min_event_time": start, "max_event_time": start + timedelta(seconds=number % 60)}
    numeric = {
        "column": "x",
        "column_kind": "numeric",
        "precision": 7,
        "bins": [64.0, 64.0 + number % 5 + 1],
        "counts": [number % 7, 3],
        "nulls": number % 3,
        "nans": number % 2,
        "absent": 1,
        "sum": float(number),
        "sum_of_squares": float(number**2),
        "min": float(number),
        "max": float(number + 1),
    }
    categorical = {
        "column": "c",
        "column_kind": "categorical",
        "values": ["a", f"v{number % 4}"],
        "counts": [2, number % 9],
        "buckets": [number] * 64,
    }
    events = {**EVENTS, **seen, "events": 10 + number, "errors": number % 2}
    return [{**identity, **one, "_row": row} for row, one in enumerate([events, numeric, categorical])]


@pytest.fixture
def days(record: Recorder) -> Iterator[Recorder]:
    """Two days and an hour of windows of 20 minutes."""
    record.insert(
        "sketches", itertools.chain.from_iterable(delta(START + n * MINUTES, n) for n in range(49 * 3))
    )
    yield record
    record.store.command("TRUNCATE TABLE rollups")


def rolled(record: Recorder, up_to: int = 10_000) -> None:
    """Roll up all whole hours and days."""
    first = round(START.timestamp()) * 1_000_000
    places = {f"{TOPIC}/0": up_to}
    for width, count in ((HOUR, 49), (DAY, 2)):
        for begin in range(0, count, 24):
            starts = [first + n * width for n in range(begin, min(begin + 24, count))]
            roll_up(record.store, ("m", "production"), width, starts, places)


def sums(record: Recorder, since: datetime, until: datetime, widest: int | None) -> list[dict[str, Any]]:
    """What adds up over a period; over its base windows without ``widest``."""
    windows = BASE if widest is None else BETWEEN
    return record.store.rows(
        SUMS.replace("{windows}", windows), {"since": since, "until": until, "widest": widest or 0}
    )


def widths(record: Recorder, since: datetime, until: datetime, widest: int = 86400) -> Counter[int]:
    """How many windows of each length, in minutes, the view has of the events."""
    rows = record.store.rows(
        f"SELECT DISTINCT window_start, window_end FROM {BETWEEN} WHERE column = '@events'",
        {"since": since, "until": until, "widest": widest},
    )
    return Counter(int((row["window_end"] - row["window_start"]).total_seconds()) // 60 for row in rows)


END = START + timedelta(hours=49)


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
