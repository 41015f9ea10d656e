"""The view of facts that wait for a prediction, or waited in vain."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from recorded_rows import Recorder, label, migrated_record

DAY = timedelta(days=1)


@pytest.fixture
def record(clickhouse: str) -> Iterator[Recorder]:
    """Every table and view, empty."""
    with migrated_record(clickhouse) as made:
        yield made


def test_a_fact_is_pending_until_the_horizon_has_passed(record: Recorder) -> None:
    """Without an outcome a fact of yesterday waits, one of forty days ago is an orphan; one with an outcome is neither."""
    now = datetime.now(UTC)
    facts = [
        label(name, now - age * DAY, label_id=name) for name, age in (("new", 1), ("old", 40), ("told", 1))
    ]
    record.insert("labels", facts)
    told = {"model": "m", "prediction_id": "told", "label_id": "told", "event_time": now - DAY}
    record.insert("outcomes", [told])
    rows = record.store.rows("SELECT label_id, state FROM unmatched_labels ORDER BY label_id")
    assert rows == [{"label_id": "new", "state": "pending"}, {"label_id": "old", "state": "orphan"}]


def test_the_contract_says_how_long_a_fact_waits(record: Recorder) -> None:
    """A horizon of an hour makes yesterday's fact an orphan, if the contract was in effect when the fact came."""
    now = datetime.now(UTC)
    body = '{"label":{"horizon":3600},"prediction":{"kind":"binary"},"windows":{"base":60}}'
    contract = {"model": "m", "body": body, "digest": "d", "in_effect_from": now - 2 * DAY}
    record.insert("contracts", [contract])
    record.insert(
        "labels", [label(name, now - age * DAY, label_id=name) for name, age in (("under", 1), ("before", 3))]
    )
    rows = record.store.rows("SELECT label_id, state FROM unmatched_labels ORDER BY label_id")
    assert rows == [{"label_id": "before", "state": "pending"}, {"label_id": "under", "state": "orphan"}]
