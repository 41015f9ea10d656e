"""Where accepted predictions went: what adds up, and what does not."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from recorded_rows import Recorder, prediction, utc

START = utc("2024-03-01")


def arrival(
    number: int | None, identity: int, *, dead: bool = False, at: Any = START, producer: str = "p"
) -> dict[str, Any]:
    """A row of intake."""
    return {
        "model": "m",
        "model_version": "1",
        "environment": "production",
        "served": True,
        "window_start": START,
        "event_time": at,
        "prediction_id_hash": identity,
        "producer_id": "" if number is None else producer,
        "sequence": number,
        "dead_letter": dead,
    }


def ledger(accepted: int, minute: int, *, producer: str = "p", **more: Any) -> dict[str, Any]:
    """A row of the ledger."""
    return {
        "producer_id": producer,
        "model": "m",
        "environment": "production",
        "stream": "predictions",
        "hour": START,
        "accepted": accepted,
        "sent_at": START + timedelta(minutes=minute),
        **more,
    }


def test_accounting_adds_up(record: Recorder) -> None:
    """Accepted is what was recorded, removed as duplicate, dead-lettered, dropped, refused, spooled, and what is still in flight."""
    record.insert(
        "ledger",
        [
            ledger(99, 5, dropped={"queue_full": 1}),
            ledger(12, 9, dropped={"queue_full": 1, "too_large": 1}, failed=1, spooled=2),
            ledger(4, 1),
            ledger(500, 9, stream="labels"),
            ledger(1, 9, producer="q"),
        ],
    )
    # the newest ledger is the one sent last, not the one with most
    record.insert(
        "intake",
        [
            *(arrival(number, number) for number in range(4)),
            arrival(0, 0),  # delivered again: accepted once
            arrival(4, 3),  # accepted again under the same id
            arrival(5, 5, dead=True),
            arrival(6, 6, dead=True),
            arrival(6, 6),  # a dead letter sent back
            arrival(1, 0, producer="q"),  # another producer said the same
            arrival(None, 70),
            arrival(None, 71, dead=True),
        ],
    )
    known = {"producer_id": "p", "sequence": 1}
    record.insert(
        "predictions",
        [prediction(str(n), START, **known) for n in (0, 1, 2, 3, 6)] + [prediction("70", START)],
    )
    rows = record.store.rows("SELECT * FROM accounting")
    assert rows == [
        {
            "model": "m",
            "environment": "production",
            "hour": START,
            "accepted": 13,
            "recorded": 5,
            "duplicates_removed": 2,
            "dead_lettered": 1,
            "dropped": 2,
            "failed": 1,
            "spooled": 2,
            "in_flight": 0,
            "resent": 2,
            "without_producer": 1,
            "dead_letters_without_producer": 1,
        }
    ]


def test_loss_shows_in_accounting(record: Recorder) -> None:
    """What nobody has is in flight: the guard against figures that always add up."""
    record.insert("ledger", [ledger(3, 1)])
    record.insert("intake", [arrival(0, 0)])
    record.insert("predictions", [prediction("0", START, producer_id="p", sequence=0)])
    assert record.store.rows("SELECT accepted, recorded, in_flight FROM accounting") == [
        {"accepted": 3, "recorded": 1, "in_flight": 2}
    ]
