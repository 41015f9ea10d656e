"""Where accepted predictions went: what adds up, and what does not."""

from __future__ import annotations

from typing import Any

import pytest
from producer_rows import HOUR, LOSS, START, accounts, ago, arrival, arrivals, keep_dead_letters, ledger
from recorded_rows import Recorder, prediction


def test_accounting_adds_up(record: Recorder) -> None:
    """Accepted is what was recorded, removed as duplicate, dead-lettered, dropped, refused and spooled; resends stand apart."""
    record.insert(
        "ledger",
        [
            ledger(99, minute=5, dropped={"queue_full": 1}),
            ledger(
                12, 9, minute=9, dropped={"queue_full": 1, "too_large": 1}, failed=1, spooled=2, closing=True
            ),
            ledger(4, minute=1),
            ledger(500, minute=9, stream="labels"),
            ledger(1, minute=9, producer_id="q", closing=True),
        ],
    )
    # the newest ledger is the one sent last, not the one with most
    record.insert(
        "intake",
        [
            *arrivals(range(4)),
            arrival(0),  # delivered again: accepted once
            arrival(4, identity=3),  # accepted again under the same id
            arrival(5, dead=True),
            arrival(6, dead=True),
            arrival(6),  # a dead letter sent back
            arrival(0, identity=1, producer_id="q"),  # another producer said the same
            arrival(None, identity=70),
            arrival(None, identity=70),
            arrival(None, identity=71, dead=True),
        ],
    )
    keep_dead_letters(record)
    known = {"producer_id": "p", "sequence": 1}
    record.insert(
        "predictions",
        [prediction(str(n), START, **known) for n in (0, 1, 2, 3, 6)] + [prediction("70", START)],
    )
    assert record.store.rows("SELECT * FROM accounting") == [
        {
            "model": "m",
            "environment": "production",
            "hour": START,
            "accepted": 13,
            "recorded": 5,
            "expired": 0,
            "without_row": 0,
            "duplicates_removed": 2,
            "dead_lettered": 1,
            "dropped": 2,
            "failed": 1,
            "spooled": 2,
            "in_flight": 0,
            "missing": 0,
            "unknown_at_most": 0,
            "unclean_ends": 0,
            "balanced": False,
            "resent": 2,
            "arrived_without_producer": 1,
            "without_producer": 1,
            "dead_letters_without_producer": 1,
            "dead_letters_without_row": 0,
        }
    ]


def recorded(record: Recorder, numbers: range) -> None:
    """Events that arrived once and stand in a row."""
    record.insert("intake", arrivals(numbers))
    record.insert("predictions", [prediction(str(n), START, producer_id="p", sequence=n) for n in numbers])


def test_a_clean_end_is_balanced(record: Recorder) -> None:
    """A closing ledger, all of whose events are recorded, leaves nothing unknown."""
    recorded(record, range(3))
    record.insert("ledger", [ledger(2, minute=1), ledger(3, closing=True)])
    assert accounts(record, *LOSS) == [(3, 0, 0, 0, True)]


def test_what_nobody_has_is_missing(record: Recorder) -> None:
    """Events of a clean end that never arrived are missing: the guard against figures that always add up."""
    recorded(record, range(1))
    record.insert("ledger", [ledger(3, closing=True)])
    assert accounts(record, *LOSS) == [(3, 2, 2, 0, False)]


@pytest.mark.parametrize(("limit", "unknown"), [(100, 100), (0, 0), (None, None)])
def test_an_unclean_end_is_never_balanced(record: Recorder, limit: int | None, unknown: int | None) -> None:
    """Without a closing ledger as many may be lost as could wait, or nobody knows how many; though all that is known of is there."""
    recorded(record, range(5))
    record.insert("ledger", [ledger(3, queue_limit=limit)])
    assert accounts(record, *LOSS) == [(5, 0, unknown, 1, False)]


def test_one_producer_without_a_limit_leaves_the_hour_unknown(record: Recorder) -> None:
    """A sum that leaves out what nobody knows would be no bound."""
    recorded(record, range(3))
    record.insert("ledger", [ledger(3, queue_limit=None), ledger(2, producer_id="q", queue_limit=50)])
    record.insert("intake", arrivals(range(1), producer_id="q", identity=9))
    assert accounts(record, "missing", "unknown_at_most", "unclean_ends") == [(1, None, 2)]


def test_a_producer_without_any_ledger_is_never_balanced(record: Recorder) -> None:
    """Killed before its first ledger: what arrived was accepted, and so was what its numbers leave out."""
    recorded(record, range(2, 4))
    assert accounts(record, *LOSS) == [(4, 2, None, 1, False)]


def test_gaps_beyond_the_last_ledger_are_missing(record: Recorder) -> None:
    """After its last ledger a killed producer sent eight events, three of which never came: known, beside what waited in its queue."""
    recorded(record, range(3))
    recorded(record, range(6, 8))
    record.insert("ledger", [ledger(3)])
    assert accounts(record, *LOSS) == [(8, 3, 103, 1, False)]


def test_later_arrivals_do_not_hide_an_earlier_loss(record: Recorder) -> None:
    """Five events lost before the last ledger stay missing however many arrived after it."""
    recorded(record, range(5))
    recorded(record, range(10, 20))
    record.insert("ledger", [ledger(10)])
    assert accounts(record, *LOSS) == [(20, 5, 105, 1, False)]


def test_what_waited_stands_in_the_hour_of_the_last_known_event(record: Recorder) -> None:
    """A producer that handed on an event of the second hour had handed on all of the first: only the second may have lost more."""
    record.insert("intake", [*arrivals(range(3)), *arrivals(range(3, 5), at=START + HOUR)])
    record.insert(
        "predictions",
        [prediction(str(n), START + (n > 2) * HOUR, producer_id="p", sequence=n) for n in range(5)],
    )
    record.insert("ledger", [ledger(3)])
    assert accounts(record, *LOSS) == [(3, 0, 0, 0, True), (2, 0, 100, 1, False)]
    totals = record.store.rows("SELECT accepted, unknown_at_most, state FROM producers_v")
    assert totals == [{"accepted": 5, "unknown_at_most": 100, "state": "silent"}]


def test_each_model_of_a_producer_may_have_lost_what_waited(record: Recorder) -> None:
    """The queue of a process with two models may have held events of either."""
    record.insert("intake", [*arrivals(range(3)), *arrivals(range(3, 4), model="n")])
    record.insert("ledger", [ledger(3), ledger(1, 3, model="n")])
    assert accounts(record, "model", "unknown_at_most", "unclean_ends") == [("m", 100, 1), ("n", 100, 1)]


def test_one_closing_ledger_of_two_is_no_clean_end(record: Recorder) -> None:
    """A producer killed between its last ledgers did not close the other account."""
    record.insert("intake", [*arrivals(range(3)), *arrivals(range(3, 5), model="n")])
    record.insert("ledger", [ledger(3, closing=True), ledger(1, 3, model="n")])
    assert accounts(record, "unclean_ends") == [(1,), (1,)]


def test_events_after_the_closing_ledger_are_no_clean_end(record: Recorder) -> None:
    """Numbers beyond a closing ledger show that it was not the last word."""
    recorded(record, range(4))
    record.insert("ledger", [ledger(3, closing=True)])
    assert accounts(record, *LOSS) == [(4, 0, 100, 1, False)]


@pytest.mark.parametrize(
    ("minutes", "closing", "expected"),
    [(1, False, (2, 0, 0, 0)), (1, True, (2, 0, 0, 0)), (9, False, (0, 2, 102, 1))],
)
def test_what_a_living_producer_sent_is_in_flight(
    record: Recorder, minutes: int, closing: bool, expected: tuple[int, ...]
) -> None:
    """The rest is on its way until nothing is heard of its producer for five minutes, also where it has just closed."""
    recorded(record, range(1))
    record.insert("ledger", [ledger(3, closing=closing, _recorded_at=ago(minutes))])
    assert accounts(record, "in_flight", "missing", "unknown_at_most", "unclean_ends") == [expected]


def test_any_ledger_is_a_sign_of_life(record: Recorder) -> None:
    """A producer that says only labels at the moment has not ended."""
    recorded(record, range(3))
    record.insert("ledger", [ledger(3), ledger(1, stream="labels", _recorded_at=ago(1))])
    assert accounts(record, "unclean_ends", "balanced") == [(0, True)]


def test_arrivals_are_no_sign_of_life_of_a_producer_with_ledgers(record: Recorder) -> None:
    """What another process replays of a killed producer's spool does not revive it; a producer too young for a ledger lives."""
    record.insert("intake", arrivals(range(3), _recorded_at=ago(1)))
    record.insert("ledger", [ledger(3)])
    assert accounts(record, "unclean_ends") == [(1,)]
    record.insert("intake", arrivals(range(3), producer_id="q", _recorded_at=ago(1), model="n"))
    assert accounts(record, "unclean_ends", "unknown_at_most") == [(1, 100), (0, 0)]


@pytest.mark.parametrize(
    ("replayed", "spooled", "missing"),
    [((), 4, 0), ((2,), 2, 0), ((4,), 0, 0), ((1, 3), 0, 0)],
    ids=["none yet", "some", "all", "by two processes"],
)
def test_what_lies_in_a_spool_is_spooled_until_another_process_replays_it(
    record: Recorder, replayed: tuple[int, ...], spooled: int, missing: int
) -> None:
    """Spooled is what was ever written less what was ever replayed, by whichever process."""
    recorded(record, range(6 + sum(replayed)))
    record.insert("ledger", [ledger(10, spooled=4, closing=True)])
    record.insert(
        "ledger",
        [
            ledger(0, producer_id=f"replayer {n}", replayed=count, closing=True, last_sequence=None)
            for n, count in enumerate(replayed)
        ],
    )
    assert accounts(record, "accepted", "spooled", "missing", "unclean_ends", "balanced") == [
        (10, spooled, missing, 0, not spooled)
    ]


def test_replayed_twice(record: Recorder) -> None:
    """A replay that was killed before it noted what it had sent is done again: the events are resends, nothing is negative."""
    recorded(record, range(10))
    record.insert("intake", arrivals(range(6, 10)))
    replay: dict[str, Any] = {"replayed": 4, "closing": True, "last_sequence": None}
    record.insert(
        "ledger",
        [
            ledger(10, spooled=4, closing=True),
            ledger(0, producer_id="q", **replay),
            ledger(0, producer_id="r", **replay),
        ],
    )
    assert accounts(record, "spooled", "missing", "resent", "balanced") == [(0, 0, 4, True)]


def test_a_spool_that_is_empty_hides_no_loss(record: Recorder) -> None:
    """Where all was replayed, what never arrived is missing although its producer once spooled as many."""
    recorded(record, range(7))
    record.insert("ledger", [ledger(10, spooled=5, replayed=5, closing=True)])
    assert accounts(record, "spooled", "missing") == [(0, 3)]


def test_a_spool_holds_no_more_than_is_missing(record: Recorder) -> None:
    """What arrived although it was spooled as well, after a delivery that timed out, does not lie in wait for the sum."""
    recorded(record, range(9))
    record.insert("ledger", [ledger(10, spooled=5, closing=True)])
    assert accounts(record, "accepted", "spooled", "missing") == [(10, 1, 0)]


def test_who_lives_has_the_spool(record: Recorder) -> None:
    """Where the spool may hold the events of either, those of the ended producer are not called safe."""
    recorded(record, range(3))
    record.insert("ledger", [ledger(5, spooled=2, closing=True)])
    record.insert("ledger", [ledger(2, producer_id="q", spooled=2, _recorded_at=ago(1))])
    record.insert("ledger", [ledger(0, producer_id="r", replayed=2, closing=True, last_sequence=None)])
    assert accounts(record, "spooled", "in_flight", "missing", "unknown_at_most") == [(2, 0, 2, 2)]


def test_drops_without_a_number_are_accounted_for(record: Recorder) -> None:
    """What was sampled out, invalid or found no room has no number and leaves no gap."""
    recorded(record, range(3))
    drops = {"sampled": 4, "invalid": 1, "queue_full": 2}
    record.insert("ledger", [ledger(10, 2, dropped=drops, closing=True)])
    assert accounts(record, "accepted", "dropped", "missing", "balanced") == [(10, 7, 0, True)]


def test_drops_alone_are_accounted_for(record: Recorder) -> None:
    """An hour in which everything was dropped has no number at all."""
    record.insert("ledger", [ledger(3, dropped={"invalid": 3}, last_sequence=None, closing=True)])
    assert accounts(record, "accepted", "dropped", *LOSS[1:]) == [(3, 3, 0, 0, 0, True)]


def test_failed_events_that_arrived_all_the_same_are_recorded(record: Recorder) -> None:
    """A delivery that timed out and yet arrived is no failure, and no event too many; one that is nowhere is."""
    recorded(record, range(3))
    record.insert("ledger", [ledger(4, failed=2, closing=True)])
    assert accounts(record, "accepted", "recorded", "failed", "missing") == [(4, 3, 1, 0)]


def test_a_ledger_that_names_no_last_number_counts_what_arrived(record: Recorder) -> None:
    """A ledger of a foreign client without sequences is taken at its word, and accepted is at least what arrived."""
    recorded(record, range(4))
    record.insert(
        "ledger",
        [
            ledger(6, last_sequence=None, closing=True),
            ledger(2, producer_id="q", last_sequence=None, closing=True),
        ],
    )
    record.insert("intake", arrivals(range(3), producer_id="q"))
    rows = record.store.rows("SELECT accepted, missing, state FROM producers_v ORDER BY producer_id")
    assert [tuple(row.values()) for row in rows] == [(6, 2, "closed"), (3, 0, "closed")]
