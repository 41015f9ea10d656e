"""What reconciliation makes of contracts on record."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from recorded_rows import EVENTS, TOPIC_ID, Recorder, migrated_record, prediction, utc

from stream_processors.contracts.model import Contract
from stream_processors.reconciliation.frontier import Frontier
from stream_processors.reconciliation.reconcile import Reconciliation

NOON = utc("2026-01-01T12:00:00")


@pytest.fixture
def record(clickhouse: str) -> Iterator[Recorder]:
    """A database of its own."""
    with migrated_record(clickhouse) as found:
        yield found


def test_what_no_processor_takes_for_a_contract_is_none_here(record: Recorder) -> None:
    """Whoever published it: one that cannot be read must not end the monitor, which serves all models."""
    good = Contract(model="m")
    for body in (
        good.canonical(),
        good.canonical().replace('"base":60', '"base":3600'),
        "{}",
        "[]",
        "null",
        "no JSON",
    ):
        record.insert("contracts", [{"model": "m", "digest": f"digest of {body}", "body": body}])
    record.insert("predictions", [prediction("a", NOON)])
    first = int(NOON.timestamp() * 1e6)
    found = Reconciliation(record.store, Frontier({}), "m", "production", now=first).report(
        first, first + 60_000_000
    )
    assert found.findings == []


@pytest.mark.parametrize(
    ("age", "retention", "cause"),
    [(91, 90, "expired"), (89, 90, "missing_rows"), (10, 7, "expired"), (4000, 0, "missing_rows")],
)
def test_a_missing_row_has_expired_by_the_retention_under_which_it_came(
    record: Recorder, age: int, retention: int, cause: str
) -> None:
    """Neither what held before nor what holds now says for how long a row was to be kept, but what the recorder noted; in days."""
    window = NOON - timedelta(days=age)
    identity = {"model": "m", "model_version": "1", "environment": "production", "served": True}
    record.insert(
        "contracts",
        [{"model": "m", "digest": "d", "body": Contract(model="m", retention_days=365).canonical()}],
    )
    record.insert(
        "intake", [{**identity, "event_time": window, "prediction_id": "a", "retention_days": retention}]
    )
    times = {"window_start": window, "window_end": window + timedelta(minutes=1)}
    record.insert(
        "sketches", [{**identity, **times, **EVENTS, "kind": "delta", "sampling_rate": 1.0, "events": 1}]
    )
    now, first = (int(at.timestamp() * 1e6) for at in (NOON, window))
    work = Reconciliation(record.store, Frontier({f"{TOPIC_ID}/0": 1_000}), "m", "production", now=now)
    [found] = work.report(first, first + 60_000_000).findings
    assert str(found.cause) == cause
