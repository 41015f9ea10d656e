"""Base windows that have served their time: what they counted stays in their hours and days, whatever comes later."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from recorded_rows import Recorder, utc
from rolled_windows import END, MINUTES, START, TOPIC, delta, rolled, sums, widths
from waiting import eventually

from evaluation.queries import find_query
from stream_processors.contracts.effect import ContractHistory, PublishedContract
from stream_processors.contracts.model import Contract, Windows
from stream_processors.monitor.expiring import Expiring
from stream_processors.monitor.rolling_up import RollingUp, roll_up
from stream_processors.windows import HOUR

KEPT = 30
# what windows stay beyond that: a month and a day
STAYED = KEPT + 32
WHOLE_DAYS = START + timedelta(days=2)


def micros(moment: datetime) -> int:
    """Microseconds of a moment."""
    return round(moment.timestamp()) * 1_000_000


class Monitor:
    """What a monitor does under a contract that keeps base windows for so long, with a clock that is set."""

    def __init__(self, record: Recorder, keep_days: int = KEPT, model: str = "m") -> None:
        windows = Windows(base=1200, keep_days=keep_days)
        contract = Contract(model=model, windows=windows, retention_days=KEPT)
        published = PublishedContract.of(
            contract, effective_from=0, appended_at=0, lead_ms=0, partition=0, offset=0
        )
        self.time = time.time_ns() // 1_000
        self._store = record.store
        self._expiring = Expiring(
            record.store,
            ContractHistory([published]),
            clock=lambda: self.time / 1e6,
            now=lambda: self.time,
        )

    def passes(self, at: datetime, count: int = 2) -> None:
        """So many passes, eleven minutes apart, each done to its end; the first marks and the second removes."""
        for _ in range(count):
            self._expiring.round(micros(at))
            eventually(self._removed, within=30, saying="what is removed is gone")
            self.time += 11 * 60 * 1_000_000

    def _removed(self) -> None:
        under_way = (
            "SELECT count() AS n FROM system.mutations WHERE database = currentDatabase() AND NOT is_done"
        )
        assert self._store.rows(under_way) == [{"n": 0}]


def expired(record: Recorder, at: datetime, keep_days: int = KEPT, model: str = "m") -> None:
    """Everything that is old enough at this watermark is gone."""
    Monitor(record, keep_days, model).passes(at)


def base_windows(record: Recorder) -> list[datetime]:
    """The base windows that have a row."""
    return [
        row["window_start"]
        for row in record.store.rows(
            "SELECT DISTINCT window_start FROM feature_windows ORDER BY window_start"
        )
    ]


def less_exact(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Sums of floats to what the order of adding leaves."""
    return [
        {
            name: pytest.approx(value, rel=1e-12) if isinstance(value, float) else value
            for name, value in row.items()
        }
        for row in rows
    ]


def test_sums_stay_what_they_were(days: Recorder) -> None:
    """Two days of base windows go, a third stays; every figure over whole hours is what it was, at any time and asked for in any width."""
    rolled(days, up_to=147)
    periods = [(START, END), (START + timedelta(hours=3), END), (utc("1970-01-01"), utc("2299-12-31"))]
    before = [sums(days, *period, None) for period in periods]
    expired(days, WHOLE_DAYS + timedelta(days=STAYED))
    assert base_windows(days) == [WHOLE_DAYS + n * MINUTES for n in range(3)]
    assert days.store.rows("SELECT count() AS n FROM sketches") == [{"n": 9}]
    for widest in (86400, 3600):
        assert [sums(days, *period, widest) for period in periods] == [less_exact(rows) for rows in before]
    assert widths(days, START, END) == {1440: 2, 60: 1}


def test_categories_are_as_new_as_before(days: Recorder) -> None:
    """The question which categories are new finds the same of two hours whose base windows are gone."""
    rolled(days, up_to=147)
    hours = [START + n * timedelta(hours=1) for n in range(3)]
    times = ("since", "until", "reference_since", "reference_until")
    asked = dict(zip(times, (one.isoformat() for one in (*hours[:2], *hours[1:])), strict=True))
    query = find_query("new_categories")
    bound = query.bind({"model": "m", **asked}, START)

    def answer() -> set[tuple[str, str, int]]:
        return {(row["value"], row["change"], row["count"]) for row in days.store.rows(query.text, bound)}

    before = answer()
    # v0 has no event in the first hour
    assert {(value, change) for value, change, _ in before} == {("v2", "new"), ("v3", "gone"), ("v0", "gone")}
    expired(days, START + timedelta(days=STAYED + 1))
    assert answer() == before


def test_a_day_is_kept_until_all_of_it_is_old_enough(days: Recorder) -> None:
    """A second before midnight nothing of the day goes; nor without `keep_days`, nor of another model."""
    rolled(days, up_to=147)
    whole = base_windows(days)
    expired(days, START + timedelta(days=STAYED + 1, seconds=-1))
    expired(days, END + timedelta(days=1000), keep_days=0)
    expired(days, END + timedelta(days=1000), model="other")
    assert base_windows(days) == whole
    expired(days, START + timedelta(days=STAYED + 1))
    assert base_windows(days) == [one for one in whole if one >= START + timedelta(days=1)]


def test_what_is_not_rolled_up_stays(days: Recorder) -> None:
    """An hour without a roll-up, and one whose roll-up a later delta has overtaken, keep their base windows."""
    rolled(days, up_to=147)
    days.store.command(
        "ALTER TABLE rollups DELETE WHERE width = 3600 AND window_start = {at:DateTime64(6, 'UTC')}",
        {"at": START},
        {"mutations_sync": 2},
    )
    late = START + timedelta(hours=7)
    days.insert("sketches", delta(late, 500))
    before = sums(days, START, END, 86400)
    expired(days, END + timedelta(days=STAYED + 1))
    assert base_windows(days) == [first + n * MINUTES for first in (START, late) for n in range(3)]
    assert sums(days, START, END, 86400) == less_exact(before)


def test_what_comes_later_is_added(days: Recorder) -> None:
    """Deltas of expired windows, from the same topic and from another, stand beside the hours and days that cannot be made anew."""
    rolled(days, up_to=147)
    late = [
        delta(START, 500),
        delta(START + timedelta(hours=30), 501),
        delta(START + timedelta(hours=30) + MINUTES, 3, _topic_id="another"),
    ]
    for rows in late:
        days.insert("sketches", rows)
    wanted = sums(days, START, END, None)
    days.store.command("DELETE FROM sketches WHERE _offset >= 500 OR _topic_id = 'another'")
    rolled(days, up_to=147)
    expired(days, END + timedelta(days=STAYED + 1))
    for rows in late:
        days.insert("sketches", rows)
    for widest in (86400, 3600):
        assert sums(days, START, END, widest) == less_exact(wanted)
    # a monitor that looks at all of it again, and one that lets expire what came late
    first = micros(START)
    rolling = RollingUp(days.store, Recorded({("own", 0): 0, (TOPIC, 0): 502, ("another", 0): 4}), lateness=0)  # type: ignore[arg-type]
    rolling.round(first + 1_000 * HOUR, [0])
    expired(days, END + timedelta(days=STAYED + 1))
    for widest in (86400, 3600):
        assert sums(days, START, END, widest) == less_exact(wanted)


class Recorded:
    """How far topics are recorded: what the monitor asks Kafka."""

    sketches_id = "own"

    def __init__(self, places: dict[tuple[str, int], int]) -> None:
        self._places = places

    def partition_counts(self, _: Sequence[str]) -> dict[str, int]:
        """One partition."""
        return {"sketches": 1}

    def recorded(self, _: str, partitions: Sequence[int]) -> dict[int, int]:
        """The own topic's."""
        return {partition: self._places["own", partition] for partition in partitions}


def test_an_expiry_that_was_cut_off_is_ended_by_the_next(days: Recorder) -> None:
    """Marked in part or whole and not removed, or removed in part: figures are right in between, and a later pass ends it."""
    rolled(days, up_to=147)
    before = sums(days, START, END, 86400)
    at = START + timedelta(days=STAYED + 1)
    monitor = Monitor(days)
    monitor.passes(at, 1)
    assert len(base_windows(days)) == 147
    days.store.command(
        "ALTER TABLE rollups DELETE WHERE alone AND column = '@events' AND window_start < {b:DateTime64(6, 'UTC')}",
        {"b": START + timedelta(hours=5)},
        {"mutations_sync": 2},
    )
    days.store.command(
        "DELETE FROM sketches WHERE window_start >= {a:DateTime64(6, 'UTC')} AND window_end <= {b:DateTime64(6, 'UTC')}",
        {"a": START + timedelta(hours=10), "b": START + timedelta(hours=11, minutes=20)},
    )
    assert sums(days, START, END, 86400) == less_exact(before)
    assert sums(days, START, END, 3600) == less_exact(before)
    # an export that was begun before holds what was recorded by then: a mark is no new record
    late = "SELECT countIf(alone AND _recorded_at >= _rolled_at) AS n, countIf(alone) > 0 AS some FROM rollups FINAL"
    assert days.store.rows(late) == [{"n": 0, "some": 1}]
    rolled_again = [START + n * timedelta(hours=1) for n in range(5)]
    roll_up(days.store, ("m", "production"), HOUR, [micros(one) for one in rolled_again], {f"{TOPIC}/0": 147})
    monitor.passes(at, 3)
    alone = "SELECT uniqExact(window_start) AS hours FROM rollups FINAL WHERE alone AND width = 3600"
    assert days.store.rows(alone) == [{"hours": 24}]
    assert base_windows(days) == [START + timedelta(days=1) + n * MINUTES for n in range(75)]
    for widest in (86400, 3600):
        assert sums(days, START, END, widest) == less_exact(before)


def test_a_mark_wins_over_a_clock_that_was_ahead_and_is_not_made_again(days: Recorder) -> None:
    """Roll-ups made by a monitor whose clock is a day ahead expire all the same, and once they have nothing is done any more."""
    rolled(days, up_to=147)
    before = sums(days, START, END, 86400)
    monitor = Monitor(days)
    monitor.time -= 86_400 * 1_000_000
    monitor.passes(WHOLE_DAYS + timedelta(days=STAYED), 2)
    assert len(base_windows(days)) == 147
    monitor.time += 2 * 86_400 * 1_000_000
    monitor.passes(WHOLE_DAYS + timedelta(days=STAYED), 1)
    assert len(base_windows(days)) == 3
    done = "SELECT (SELECT count() FROM system.mutations WHERE database = currentDatabase()) AS mutations, (SELECT max(_rolled_at) FROM rollups) AS newest"
    found = days.store.rows(done)
    monitor.passes(WHOLE_DAYS + timedelta(days=STAYED), 2)
    assert days.store.rows(done) == found
    assert sums(days, START, END, 86400) == less_exact(before)


def test_an_hour_with_a_window_as_long_stays(days: Recorder) -> None:
    """A base that became an hour in the middle of one leaves that hour as it is: what comes for the longer window is in it."""
    days.insert("sketches", delta(START, 400, window_end=START + timedelta(hours=1), shape="other"))
    rolled(days, up_to=500)
    expired(days, START + timedelta(days=STAYED + 1))
    assert base_windows(days)[:4] == [START, START + MINUTES, START + 2 * MINUTES, START + timedelta(days=1)]
    days.insert("sketches", delta(START, 600, window_end=START + timedelta(hours=1), shape="other"))
    late = sums(days, START, START + timedelta(hours=1), None)
    assert sums(days, START, START + timedelta(hours=1), 3600) == less_exact(late)


def test_a_marked_hour_is_not_made_anew(days: Recorder) -> None:
    """A late delta between mark and removal leaves the hour to its base windows, and no monitor rolls it up again."""
    rolled(days, up_to=147)
    monitor = Monitor(days)
    monitor.passes(START + timedelta(days=STAYED + 1), 1)
    days.insert("sketches", delta(START, 500))
    wanted = sums(days, START, END, None)
    rolling = RollingUp(days.store, Recorded({("own", 0): 0, (TOPIC, 0): 502}), lateness=0)  # type: ignore[arg-type]
    rolling.round(micros(START) + 1_000 * HOUR, [0])
    monitor.passes(START + timedelta(days=STAYED + 1), 2)
    assert base_windows(days)[:4] == [START, START + MINUTES, START + 2 * MINUTES, START + timedelta(days=1)]
    for widest in (86400, 3600):
        assert sums(days, START, END, widest) == less_exact(wanted)
