"""Named questions about what was lost: dead letters, the account of every producer, and whether stream and rows agree."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from answered import rows
from known_history import MODEL, START
from producer_rows import START as LEDGER_START
from producer_rows import arrival, arrivals, keep_dead_letters, ledger
from recorded_rows import TOPIC_ID, Recorder, prediction

from evaluation.history import History

DAY = timedelta(days=1)


def test_dead_letters_by_reason(ask: History, record: Recorder) -> None:
    """One row per topic, model and reason; a dead letter recorded twice counts once."""
    letter = {
        "topic": "hindcast.predictions",
        "topic_id": "t",
        "reason": "undecodable",
        "detail": "ends early",
        "appended_at": START,
    }
    other = {**letter, "reason": "contract", "model": MODEL, "detail": "lacks distance", "replayed": True}
    record.insert(
        "dead_letters",
        [{**letter, "offset": 1}, {**letter, "offset": 1}, {**letter, "offset": 2, "detail": "no header"}],
    )
    record.insert("dead_letters", [{**other, "offset": 3, "appended_at": START + DAY}])
    found = rows(ask, "dead_letters_by_reason")
    assert [(row["reason"], row["messages"], row["detail"], row["replayed"]) for row in found] == [
        ("undecodable", 2, "no header", 0),
        ("contract", 1, "lacks distance", 1),
    ]
    assert [row["reason"] for row in rows(ask, "dead_letters_by_reason", model=MODEL)] == ["contract"]
    assert [row["reason"] for row in rows(ask, "dead_letters_by_reason", until=START + DAY)] == [
        "undecodable"
    ]


def test_gaps_count_as_the_messages_that_were_lost(ask: History, record: Recorder) -> None:
    """One entry speaks of a whole gap: all that left the log in it is counted, whatever the gap's detail goes on to say."""
    gap = {"topic": "hindcast.predictions", "topic_id": "t", "reason": "expired", "appended_at": START}
    ways = ("left the log", "were deleted with their topic")
    record.insert(
        "dead_letters",
        [
            {
                **gap,
                "offset": first,
                "detail": f"offsets {first} to {last} {how} before they were recorded",
            }
            for (first, last), how in zip([(256, 275), (300, 300)], ways, strict=True)
        ],
    )
    assert [row["messages"] for row in rows(ask, "dead_letters_by_reason")] == [21]
    assert [row["messages"] for row in rows(ask, "dead_letter_examples", reason="expired")] == [1, 20]


def test_accounting_by_window(ask: History, record: Recorder) -> None:
    """Hours add up to days and to everything, and a model's rows are its own; what is unknown in an hour is unknown in the sum."""
    hours = [START + timedelta(hours=hour) for hour in (0, 1, 25)]
    told: dict[str, Any] = {"model": MODEL, "accepted": 2, "dropped": {"queue_full": 1}, "closing": True}
    record.insert("ledger", [ledger(hour=hour, last=n, **told) for n, hour in enumerate(hours)])
    record.insert("intake", [arrival(n, at=hour, model=MODEL) for n, hour in enumerate(hours)])
    made = {"model": MODEL, "producer_id": "p"}
    record.insert(
        "predictions", [prediction(str(n), hour, sequence=n, **made) for n, hour in enumerate(hours)]
    )
    columns = ("accepted", "recorded", "dropped", "missing", "unknown_at_most", "balanced")
    expected = {
        "hour": [(2, 1, 1, 0, 0, True)] * 3,
        "day": [(4, 2, 2, 0, 0, True), (2, 1, 1, 0, 0, True)],
        "month": [(6, 3, 3, 0, 0, True)],
        "all": [(6, 3, 3, 0, 0, True)],
    }
    for every, wanted in expected.items():
        found = rows(ask, "accounting", every=every, model=MODEL)
        assert [tuple(row[column] for column in columns) for row in found] == wanted
    assert rows(ask, "accounting", model="other") == []
    record.insert("ledger", [ledger(2, producer_id="q", model=MODEL, hour=hours[0], queue_limit=7)])
    unclean = rows(ask, "accounting", every="day", model=MODEL)
    assert [(row["unknown_at_most"], row["unclean_ends"], row["balanced"]) for row in unclean] == [
        (9, 1, False),
        (0, 0, True),
    ]
    record.insert("ledger", [ledger(2, producer_id="r", model=MODEL, hour=hours[0], queue_limit=None)])
    assert [row["unknown_at_most"] for row in rows(ask, "accounting", model=MODEL)] == [None, 0]


@pytest.mark.parametrize("year", [1969, 2105, 2298])
def test_accounting_names_the_window_of_any_year(ask: History, record: Recorder, year: int) -> None:
    """Dead letters of a wrong year stand in that year's hour, day and month."""
    hour = START.replace(year=year, month=3, day=5, hour=4)
    record.insert("ledger", [ledger(1, hour=hour, model=MODEL, closing=True)])
    record.insert("intake", arrivals(range(1), at=hour, model=MODEL, dead=True))
    keep_dead_letters(record)
    windows = {"hour": hour, "day": hour.replace(hour=0), "month": hour.replace(day=1, hour=0)}
    for every, window in windows.items():
        found = rows(ask, "accounting", model=MODEL, every=every, since=START.replace(year=1900))
        assert [(row["window"], row["accepted"], row["balanced"]) for row in found] == [(window, 1, True)]


def test_producers(ask: History, record: Recorder) -> None:
    """Who logs: the one heard last first, of the model, state and time asked for, with drops in all and by reason."""
    dropped = {"sampled": 3, "invalid": 1}
    record.insert("ledger", [ledger(6, 1, model=MODEL, dropped=dropped, closing=True)])
    record.insert("ledger", [ledger(3, producer_id="q", environment="staging", minute=20)])
    record.insert(
        "intake", arrivals(range(2), model=MODEL) + arrivals([0, 2], producer_id="q", environment="staging")
    )
    found = rows(ask, "producers")
    assert [(row["producer_id"], row["state"], row["missing"], row["gaps"]) for row in found] == [
        ("q", "silent", 1, 1),
        ("p", "closed", 0, 0),
    ]
    assert (found[1]["dropped"], dict(found[1]["dropped_by_reason"])) == (4, dropped)
    asked = {
        "p": [{"model": MODEL}, {"environment": "production"}, {"producer": "p"}, {"state": "closed"}],
        "q": [{"since": found[0]["last_heard"]}, {"state": "silent"}],
    }
    for name, ways in asked.items():
        for given in ways:
            assert [row["producer_id"] for row in rows(ask, "producers", **given)] == [name]


def test_sequence_gaps(ask: History, record: Recorder) -> None:
    """Where events went missing: of the model, producer and period asked for, at most so many."""
    late = LEDGER_START + DAY
    record.insert(
        "intake",
        [
            *arrivals([1, 4], model=MODEL),
            *arrivals([0], producer_id="q", environment="staging"),
            *arrivals([9], producer_id="q", environment="staging", at=late),
        ],
    )
    found = rows(ask, "sequence_gaps")
    assert [(row["producer_id"], row["missing"], row["minute_before"]) for row in found] == [
        ("p", 1, None),
        ("p", 2, LEDGER_START),
        ("q", 8, LEDGER_START),
    ]
    for given, wanted in (
        ({"model": MODEL}, [1, 2]),
        ({"environment": "staging"}, [8]),
        ({"producer": "q"}, [8]),
        ({"since": late}, [8]),
        ({"until": LEDGER_START}, [1]),
        ({"most": 2}, [1, 2]),
    ):
        assert [row["missing"] for row in rows(ask, "sequence_gaps", **given)] == wanted


def test_integrity(ask: History, record: Recorder) -> None:
    """Stretches whose messages are not those of intake; not those that the recorder has still to read."""

    def stretch(first: int, following: int, events: int, dead: int = 0, **more: Any) -> dict[str, Any]:
        counts = {"first_offset": first, "next_offset": following, "events": events, "dead_letters": dead}
        return {"topic_id": TOPIC_ID, **counts, "newest_append_time": START + following * DAY, **more}

    ahead_of_the_recorder = [stretch(12, 20, 8), stretch(0, 1, 1, source_partition=1)]
    record.insert("stretches", [stretch(0, 4, 3, dead=1), stretch(4, 6, 2), *ahead_of_the_recorder])
    record.insert("intake", [arrival(n, _offset=n, dead=n == 2) for n in range(16)])
    record.insert("intake", [arrival(n, _offset=n, dead=n == 2) for n in range(3)])
    assert rows(ask, "integrity") == []
    for partition_of_sketches in (0, 1):  # each stretch stands in every one
        wrong = [stretch(6, 9, 4), stretch(9, 12, 2, dead=1), stretch(30, 32, 2)]
        record.insert("stretches", [{**one, "_partition": partition_of_sketches} for one in wrong])
    record.insert("intake", [arrival(40, _offset=40)])
    found = rows(ask, "integrity")
    columns = ("first_offset", "profiled", "recorded", "profiled_dead_letters", "recorded_dead_letters")
    assert [tuple(row[column] for column in columns) for row in found] == [
        (6, 4, 3, 0, 0),
        (9, 2, 3, 1, 0),
        (12, 8, 4, 0, 0),
        (30, 2, 0, 0, 0),
    ]
    assert [row["first_offset"] for row in rows(ask, "integrity", until=START + 12 * DAY)] == [6]
    assert [row["first_offset"] for row in rows(ask, "integrity", since=START + 21 * DAY)] == [30]
