"""What reconciliation makes of contracts on record."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from recorded_rows import Recorder, migrated_record, prediction, utc

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
