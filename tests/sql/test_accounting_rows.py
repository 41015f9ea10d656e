"""Accounting against the rows: what arrived and has none, what has one and never arrived, and messages that no producer numbered."""

from __future__ import annotations

from datetime import timedelta

import pytest
from producer_rows import HOUR, LOSS, START, accounts, ago, arrival, arrivals, keep_dead_letters, ledger
from recorded_rows import Recorder, prediction


def test_arrivals_without_a_row_stand_apart(record: Recorder) -> None:
    """Rows that somebody deleted, and rows nobody saw arriving, do not look like events on their way."""
    record.insert("intake", arrivals(range(3)))
    record.insert("ledger", [ledger(3, closing=True)])
    assert accounts(record, "accepted", "recorded", "without_row", "missing", "balanced") == [
        (3, 0, 3, 0, False)
    ]
    record.insert("predictions", [prediction(str(n), START, producer_id="p", sequence=n) for n in range(4)])
    assert accounts(record, "recorded", "without_row", "balanced") == [(4, -1, False)]


_GONE = ("accepted", "recorded", "expired", "without_row", "balanced")


def test_rows_whose_retention_is_over_are_expired(record: Recorder) -> None:
    """An old hour stays balanced, and a row that was to be kept longer is missed all the same."""
    record.insert("ledger", [ledger(4, closing=True)])
    record.insert("intake", arrivals(range(4), retention_days=7))
    record.insert("intake", arrivals(range(2), retention_days=7))  # resent
    assert accounts(record, *_GONE) == [(4, 0, 4, 0, True)]
    record.insert("intake", [arrival(None, identity=70, retention_days=7)])
    assert accounts(record, *_GONE) == [(4, 0, 5, 0, True)]
    record.insert("intake", [arrival(None, identity=71, retention_days=0)])
    assert accounts(record, *_GONE) == [(4, 0, 5, 1, False)]


def test_a_young_row_that_is_gone_is_not_expired(record: Recorder) -> None:
    """Its retention is not over."""
    hour = ago(0).replace(minute=0, second=0, microsecond=0) - 2 * HOUR
    record.insert("intake", arrivals(range(2), at=hour, retention_days=7))
    assert accounts(record, "expired", "without_row") == [(0, 2)]


def test_rows_that_wait_for_their_merge_hide_no_deletion(record: Recorder) -> None:
    """Retention is over, and their rows are still there: as many are not expired, and of the others nobody knows better."""
    over = {"event_time": START, "retention_days": 7}
    record.store.command("SYSTEM STOP TTL MERGES predictions")
    record.insert("intake", [*arrivals(range(3), retention_days=7), arrival(3, retention_days=0)])
    record.insert("ledger", [ledger(4, closing=True)])
    record.insert(
        "predictions", [{**prediction(str(n), START, producer_id="p", sequence=n), **over} for n in range(3)]
    )
    assert accounts(record, *_GONE) == [(4, 3, 0, 1, False)]


def test_an_event_that_came_under_two_retentions_has_its_row(record: Recorder) -> None:
    """The longer one keeps it; nothing is expired, and nothing without row."""
    record.insert("intake", [*arrivals(range(1), retention_days=7), *arrivals(range(1), retention_days=0)])
    record.insert("predictions", [prediction("0", START, producer_id="p", sequence=0)])
    assert accounts(record, "recorded", "expired", "without_row") == [(1, 0, 0)]


@pytest.mark.parametrize(
    ("table", "what"),
    [
        ("predictions", {"recorded": 4, "without_row": 1, "missing": 0}),
        ("intake", {"recorded": 5, "without_row": -1, "missing": 1}),
    ],
)
def test_a_row_deleted_by_hand_is_found(record: Recorder, table: str, what: dict[str, int]) -> None:
    """Where a person deletes one row of a balanced hour, the question `accounting` says so, and which table lacks it."""
    record.insert("ledger", [ledger(5, closing=True)])
    record.insert("intake", arrivals(range(5)))
    known = [prediction(str(n), START, producer_id="p", sequence=n) for n in range(5)]
    record.insert("predictions", known)
    assert accounts(record, "accepted", "recorded", "balanced") == [(5, 5, True)]
    record.store.command(f"ALTER TABLE {table} DELETE WHERE sequence = 3", settings={"mutations_sync": 1})
    [row] = record.store.rows("SELECT * FROM accounting")
    assert {name: row[name] for name in what} == what
    assert not row["balanced"]


def test_a_row_without_number_belongs_to_no_ledger(record: Recorder) -> None:
    """A producer id alone counts nothing."""
    record.insert(
        "intake",
        [arrival(None, identity=1, producer_id="p"), arrival(None, identity=2, producer_id="p", dead=True)],
    )
    keep_dead_letters(record)
    record.insert("predictions", [prediction("1", START, producer_id="p")])
    columns = ("accepted", "recorded", "without_row", "without_producer", "dead_letters_without_producer")
    assert accounts(record, *columns) == [(0, 0, 0, 1, 1)]


def test_a_row_recorded_twice_counts_once(record: Recorder) -> None:
    """What a recorder inserts again after a crash is neither a resend nor another event or dead letter."""
    for _ in range(2):
        record.insert(
            "intake", [*arrivals(range(1), _offset=7), arrival(None, dead=True, identity=1, _offset=8)]
        )
        keep_dead_letters(record)
        record.insert("predictions", [prediction("0", START, producer_id="p", sequence=0)])
        record.insert("ledger", [ledger(1, closing=True, _offset=9)])
    columns = ("accepted", "recorded", "resent", "dead_letters_without_producer", "balanced")
    assert accounts(record, *columns) == [(1, 1, 0, 1, True)]


@pytest.mark.parametrize("year", [1900, 1969, 2105, 2107, 2200, 2298])
def test_dead_letters_of_any_year_count_once(record: Recorder, year: int) -> None:
    """An event time that no row could have stands in the hour that its producer's ledger names, and ends nobody uncleanly."""
    hour = START.replace(year=year, hour=4)
    told = hour + timedelta(minutes=30, microseconds=1)
    record.insert("ledger", [ledger(2, hour=hour, closing=True)])
    record.insert("intake", [*arrivals(range(2), at=told, dead=True), arrival(None, at=told, dead=True)])
    keep_dead_letters(record)
    columns = ("hour", "dead_lettered", "dead_letters_without_producer", *LOSS)
    assert accounts(record, *columns) == [(hour, 2, 1, 2, 0, 0, 0, True)]
    assert accounts(record, "state", "accepted", view="producers_v") == [("closed", 2)]


@pytest.mark.parametrize("first", ["p", None])
def test_an_event_that_came_by_two_roads_is_its_producers(record: Recorder, first: str | None) -> None:
    """Whichever message came first and made the row: what a producer sent is recorded, and nothing is without a row."""
    [row] = record.store.rows("SELECT cityHash64('0', '') AS hash")
    arrived = [arrival(0, identity=row["hash"]), arrival(None, identity=row["hash"])]
    record.insert("intake", arrived if first else arrived[::-1])
    record.insert("intake", [arrival(None, identity=1)])
    record.insert("ledger", [ledger(1, closing=True)])
    sender = {"producer_id": first, "sequence": 0} if first else {}
    record.insert("predictions", [prediction("0", START, **sender), prediction("1", START)])
    columns = ("accepted", "recorded", "without_row", "without_producer", "balanced")
    assert accounts(record, *columns) == [(1, 1, 0, 1, True)]
    record.store.command(
        "ALTER TABLE predictions DELETE WHERE prediction_id = '0'", settings={"mutations_sync": 1}
    )
    assert accounts(record, *columns) == [(1, 0, 1, 1, False)]


def test_an_event_without_producer_has_its_row_or_is_without(record: Recorder) -> None:
    """What no producer numbered is compared with its rows too, each event once however often it came, beside what producers sent or alone."""
    columns = ("arrived_without_producer", "without_producer", "without_row", "balanced")
    record.insert("intake", [*arrivals([None] * 2, identity=70), arrival(None, identity=71, at=START + HOUR)])
    record.insert("predictions", [prediction("70", START), prediction("71", START + HOUR)])
    assert accounts(record, *columns) == [(1, 1, 0, True), (1, 1, 0, True)]
    record.insert("intake", [arrival(0)])
    record.insert("predictions", [prediction("0", START, producer_id="p", sequence=0)])
    record.insert("ledger", [ledger(1, closing=True)])
    assert accounts(record, *columns) == [(1, 1, 0, True), (1, 1, 0, True)]
    record.store.command("DELETE FROM predictions WHERE prediction_id IN ('70', '71')")
    assert accounts(record, *columns) == [(1, 0, 1, False), (1, 0, 1, False)]


def test_a_row_that_nobody_saw_arriving_is_found_without_producer_too(record: Recorder) -> None:
    """A row of intake that somebody deleted leaves its prediction unaccounted for."""
    record.insert("intake", [arrival(None, identity=1)])
    record.insert("predictions", [prediction(name, START) for name in ("1", "2")])
    assert accounts(record, "without_row", "balanced") == [(-1, False)]


@pytest.mark.parametrize("numbered", [True, False])
def test_a_dead_letter_whose_bytes_are_gone_is_found(record: Recorder, numbered: bool) -> None:
    """A dead letter that intake knows has its row in dead_letters, marked as sent back or not; one without breaks the balance."""
    record.insert("intake", [arrival(n if numbered else None, identity=n, dead=True) for n in range(3)])
    record.insert("ledger", [ledger(3 if numbered else 0, closing=True)])
    keep_dead_letters(record)
    columns = ("dead_letters_without_row", "balanced")
    assert accounts(record, *columns) == [(0, True)]
    record.store.command("DELETE FROM dead_letters WHERE offset = (SELECT max(offset) FROM dead_letters)")
    assert accounts(record, *columns) == [(1, False)]
