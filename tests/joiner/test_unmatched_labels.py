"""The view of facts that wait for a prediction, or waited in vain."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest
from recorded_rows import Recorder, label, migrated_record

from stream_processors.contracts.effect import ContractHistory, PublishedContract
from stream_processors.contracts.model import Contract
from stream_processors.joiner.horizons import horizons

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
START = datetime(2024, 3, 1, tzinfo=UTC)


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
    told = {
        "model": "m",
        "prediction_id": "told",
        "label_id": "told",
        "event_time": now - DAY,
        "reported_at": now - DAY,
    }
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


def published(offset: int, days: int, hour: int, environment: str | None = None) -> PublishedContract:
    """A contract of model m whose labels are due after so many days, in effect from an hour of the first day."""
    fields = {"model": "m", "environment": environment, "label": {"horizon": f"{days}d"}}
    at = int((START + hour * HOUR).timestamp()) * 1_000_000
    return PublishedContract.of(
        Contract.model_validate(fields),
        effective_from=at,
        appended_at=at,
        lead_ms=0,
        partition=0,
        offset=offset,
    )


def contract_row(one: PublishedContract) -> dict[str, Any]:
    """Its row of table contracts."""
    return {
        "model": one.contract.model,
        "environment": one.contract.environment,
        "body": one.contract.canonical(),
        "digest": one.digest,
        "in_effect_from": datetime.fromtimestamp(one.in_effect_from / 1_000_000, UTC),
        "_offset": one.offset,
    }


PUBLICATIONS = {
    "none": [],
    "another environment's, later": [published(0, 40, 2, "production"), published(1, 5, 4, "staging")],
    "the first one again": [published(0, 40, 2), published(1, 5, 4), published(2, 40, 6)],
    "one environment's, then everywhere": [published(0, 40, 2, "production"), published(1, 5, 4)],
    "everywhere, then one environment's": [published(0, 5, 2), published(1, 40, 4, "staging")],
    "two at one moment": [published(5, 5, 2), published(4, 40, 2, "production")],
    "two at one moment, the other way round": [published(4, 5, 2), published(5, 40, 2, "production")],
}


@pytest.mark.parametrize("said", PUBLICATIONS)
def test_a_fact_waits_as_long_as_for_the_joiner(record: Recorder, said: str) -> None:
    """Whatever was published, where and how often: a fact waits as the contract says that the joiner finds for its place and time."""
    facts = [
        label("p", START + hour * HOUR, label_id=f"{environment} {hour}", environment=environment)
        for environment in (None, "production", "staging", "elsewhere")
        for hour in (1, 2, 3, 5, 7)
    ]
    record.insert("labels", facts)
    record.insert("contracts", [contract_row(one) for one in PUBLICATIONS[said]])
    columns = ("model", "environment", "_appended_at")
    table = pa.Table.from_pylist([{name: fact[name] for name in columns} for fact in facts])
    waits = horizons(table, ContractHistory(PUBLICATIONS[said])).tolist()
    rows = record.store.rows("SELECT label_id, appended_at, orphan_at FROM unmatched_labels")
    assert {row["label_id"]: (row["orphan_at"] - row["appended_at"]).total_seconds() for row in rows} == dict(
        zip((fact["label_id"] for fact in facts), waits, strict=True)
    )
