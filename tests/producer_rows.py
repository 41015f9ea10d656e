"""What producers leave in the record: ledgers, and one row of intake per message."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from recorded_rows import Recorder, utc

START = utc("2024-03-01")
HOUR = timedelta(hours=1)
# what accounts of an hour say of losses
LOSS = ("accepted", "missing", "unknown_at_most", "unclean_ends", "balanced")


def ago(minutes: float) -> datetime:
    """A moment so long before now: what was recorded then is a fresh or a stale sign of life."""
    return datetime.now(UTC) - timedelta(minutes=minutes)


def arrival(
    number: int | None, *, identity: int | None = None, dead: bool = False, at: datetime = START, **more: Any
) -> dict[str, Any]:
    """A row of intake: message `number` of producer p, of an identity of its own unless one is given."""
    row = {
        "model": "m",
        "model_version": "1",
        "environment": "production",
        "served": True,
        "window_start": at,
        "event_time": at,
        "prediction_id_hash": number if identity is None else identity,
        "producer_id": "" if number is None else "p",
        "sequence": number,
        "dead_letter": dead,
        "_appended_at": at,
    }
    return {**row, **more}


def arrivals(numbers: Iterable[int], **more: Any) -> list[dict[str, Any]]:
    """A row of intake for each number."""
    return [arrival(number, **more) for number in numbers]


def keep_dead_letters(record: Recorder) -> None:
    """A row of dead_letters for every message that intake calls one."""
    places = "SELECT _topic_id AS topic_id, _partition AS partition, _offset AS offset FROM intake WHERE dead_letter"
    record.insert("dead_letters", record.store.rows(places))


def ledger(accepted: int, last: int | None = None, *, minute: float = 10, **more: Any) -> dict[str, Any]:
    """A ledger of producer p, sent so many minutes after START, that counts events up to number `last`."""
    sent_at = START + timedelta(minutes=minute)
    row = {
        "producer_id": "p",
        "model": "m",
        "environment": "production",
        "stream": "predictions",
        "hour": START,
        "accepted": accepted,
        "last_sequence": accepted - 1 if last is None else last,
        "sent_at": sent_at,
        "queue_limit": 100,
        "_appended_at": sent_at,
    }
    return {**row, **more}


def accounts(record: Recorder, *columns: str, view: str = "accounting") -> list[tuple[Any, ...]]:
    """These columns of every row of the view, in the order of producer (where there is one), model and hour."""
    order = "model, environment, hour" if view == "accounting" else "producer_id, model, environment"
    rows = record.store.rows(f"SELECT {', '.join(columns)} FROM {view} ORDER BY {order}")
    return [tuple(row[column] for column in columns) for row in rows]
