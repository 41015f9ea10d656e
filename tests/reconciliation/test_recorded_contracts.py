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
    ("event", "append", "contracts", "cause"),
    [
        pytest.param(91, 91, [], "expired", id="no contract: 90 days"),
        pytest.param(89, 89, [], "missing_rows", id="no contract: not yet"),
        pytest.param(91, 91, [(50, 365)], "expired", id="a contract that came later keeps nothing longer"),
        pytest.param(10, 10, [(20, 7), (15, 365)], "missing_rows", id="a contract before it kept less long"),
        pytest.param(10, 10, [(20, 365), (5, 7)], "missing_rows", id="a contract after it keeps less long"),
        pytest.param(10, 10, [(20, 7), (5, 0)], "expired", id="a contract after it keeps for ever"),
        pytest.param(
            200, 20, [(5, 7)], "missing_rows", id="history loaded before any contract is kept for ever"
        ),
        pytest.param(200, 20, [(30, 180)], "expired", id="history loaded under a contract is not"),
    ],
)
def test_a_missing_row_has_expired_by_the_contract_under_which_it_came(
    record: Recorder, event: int, append: int, contracts: list[tuple[int, int]], cause: str
) -> None:
    """Neither what held before nor what holds now says for how long a row was to be kept; all figures are days ago."""
    window, appended = NOON - timedelta(days=event), NOON - timedelta(days=append)
    identity = {"model": "m", "model_version": "1", "environment": "production", "served": True}
    record.insert(
        "contracts",
        [
            {
                "model": "m",
                "digest": str(days),
                "body": Contract(model="m", retention_days=days).canonical(),
                "in_effect_from": NOON - timedelta(days=ago),
            }
            for ago, days in contracts
        ],
    )
    record.insert(
        "intake", [{**identity, "event_time": window, "prediction_id": "a", "_appended_at": appended}]
    )
    times = {"window_start": window, "window_end": window + timedelta(minutes=1)}
    record.insert(
        "sketches", [{**identity, **times, **EVENTS, "kind": "delta", "sampling_rate": 1.0, "events": 1}]
    )
    now, first = (int(at.timestamp() * 1e6) for at in (NOON, window))
    work = Reconciliation(record.store, Frontier({f"{TOPIC_ID}/0": 1_000}), "m", "production", now=now)
    [found] = work.report(first, first + 60_000_000).findings
    assert str(found.cause) == cause
