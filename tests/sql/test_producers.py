"""Who logs, since when, what of theirs is lost, and between which minutes."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from producer_rows import HOUR, START, ago, arrival, arrivals, ledger
from recorded_rows import Recorder

MINUTE = timedelta(minutes=1)


def gaps(record: Recorder) -> list[dict[str, Any]]:
    """Every gap, in the order of producers and numbers."""
    return record.store.rows("SELECT * FROM sequence_gaps ORDER BY producer_id, first_missing")


def test_a_gap_is_located_to_producer_and_minute(record: Recorder) -> None:
    """A run of numbers that never came lies between the last event before and the first after; resends fill nothing."""
    record.insert(
        "intake",
        [
            *arrivals(range(3), at=START + timedelta(seconds=10)),
            arrival(5, at=START + timedelta(minutes=7, seconds=59), dead=True),
            arrival(2, at=START + timedelta(seconds=10)),
            *arrivals(range(6), producer_id="q"),
        ],
    )
    assert gaps(record) == [
        {
            "producer_id": "p",
            "model": "m",
            "environment": "production",
            "first_missing": 3,
            "last_missing": 4,
            "missing": 2,
            "minute_before": START,
            "minute_after": START + 7 * MINUTE,
        }
    ]


def test_a_gap_beside_a_dead_letter_of_another_age_is_located(record: Recorder) -> None:
    """Events of a wrong year, which are dead letters, stand at their own minute."""
    first, last = START.replace(year=1969), START.replace(year=2298)
    second = timedelta(seconds=1)
    record.insert(
        "intake", [arrival(0, at=first + second, dead=True), arrival(2, at=last + second, dead=True)]
    )
    assert [(gap["minute_before"], gap["minute_after"]) for gap in gaps(record)] == [(first, last)]


def test_numbers_begin_at_nought(record: Recorder) -> None:
    """What was sent before the first arrival and never came is a gap without an event before it."""
    record.insert("intake", arrivals(range(2, 4), at=START + MINUTE))
    [gap] = gaps(record)
    assert (gap["first_missing"], gap["last_missing"], gap["missing"]) == (0, 1, 2)
    assert (gap["minute_before"], gap["minute_after"], gap["model"]) == (None, START + MINUTE, "m")


def test_a_gap_belongs_to_the_model_before_it(record: Recorder) -> None:
    """A process that logs several models numbers them in one series; whose the missing one was is not known."""
    record.insert("intake", [arrival(0, model="m"), arrival(2, model="n"), arrival(5, model="m")])
    assert [(gap["model"], gap["missing"]) for gap in gaps(record)] == [("m", 1), ("n", 2)]
    rows = record.store.rows("SELECT model, gaps FROM producers_v ORDER BY model")
    assert rows == [{"model": "m", "gaps": 1}, {"model": "n", "gaps": 2}]


def test_gaps_of_a_long_series(record: Recorder) -> None:
    """Numbers are looked for by blocks of 65,536: whole blocks that came, one that did not, and holes at edges are told apart."""
    single = [70_000, 327_680, 393_215]
    record.insert("intake", [arrival(393_216)])
    record.store.command(
        "INSERT INTO intake (model, environment, event_time, producer_id, sequence, _topic_id, _partition, _offset)"
        " SELECT 'm', 'production', toDateTime64('2024-03-01', 6, 'UTC'), 'p', number, 't', 1, number FROM numbers(393216)"
        " WHERE number NOT IN {single:Array(Int64)} AND intDiv(number, 65536) != 3",
        {"single": single},
    )
    found = [(gap["first_missing"], gap["last_missing"], gap["missing"]) for gap in gaps(record)]
    assert found == [
        (70_000, 70_000, 1),
        (196_608, 262_143, 65_536),
        (327_680, 327_680, 1),
        (393_215, 393_215, 1),
    ]
    missing = len(single) + 65_536
    assert record.store.rows("SELECT gaps, arrived FROM producers_v") == [
        {"gaps": missing, "arrived": 393_217 - missing}
    ]


def test_a_producer_is_one_row_over_its_hours(record: Recorder) -> None:
    """Since when, until when, and every count over all hours; drops by reason."""
    later = START + HOUR
    record.insert(
        "ledger",
        [
            ledger(5, 3, dropped={"sampled": 1}, failed=1, closing=True),
            ledger(
                8,
                dropped={"sampled": 2, "invalid": 1},
                hour=later,
                spooled=2,
                minute=70,
                closing=True,
                last_sequence=8,
            ),
            ledger(0, producer_id="q", last_sequence=None, replayed=1, minute=90, _recorded_at=ago(1)),
        ],
    )
    record.insert(
        "intake",
        [
            *arrivals(range(3)),
            arrival(1),
            *arrivals(range(4, 8), at=later),
            arrival(4, at=later),
            arrival(8, at=later, dead=True),
        ],
    )
    rows = record.store.rows("SELECT * FROM producers_v ORDER BY producer_id")
    assert rows[0] == {
        "producer_id": "p",
        "model": "m",
        "environment": "production",
        "state": "closed",
        "first_heard": START,
        "last_heard": START + 70 * MINUTE,
        "accepted": 13,
        "arrived": 8,
        "resent": 2,
        "dead_lettered": 1,
        "dropped": [("invalid", 1), ("sampled", 3)],
        "failed": 1,
        "spooled": 0,
        "in_flight": 0,
        "missing": 0,
        "unknown_at_most": 0,
        "gaps": 1,
        "written_to_spool": 2,
        "replayed": 0,
    }
    assert (rows[1]["state"], rows[1]["accepted"], rows[1]["replayed"]) == ("live", 0, 1)


def test_a_killed_producer_says_what_it_may_have_lost(record: Recorder) -> None:
    """Known losses and what may have waited, in one figure; of one that stated no limit it is unknown."""
    record.insert(
        "intake", [*arrivals(range(4)), *arrivals(range(4), producer_id="q"), *arrivals([6], producer_id="q")]
    )
    record.insert("ledger", [ledger(5), ledger(4, producer_id="q", queue_limit=None)])
    rows = record.store.rows(
        "SELECT state, missing, unknown_at_most, gaps FROM producers_v ORDER BY producer_id"
    )
    assert [tuple(row.values()) for row in rows] == [("silent", 1, 101, 0), ("silent", 2, None, 2)]
