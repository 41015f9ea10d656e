"""Services killed while they log and Kafka comes and goes: what they reported is recorded once, and what was lost never looks balanced."""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from faulty_service import CLIENT_QUEUE, QUEUE, THREADS, model_of
from killed_services import Life, finished, killed
from own_kafka import OwnKafka
from recording_road import Road

# a test that runs over the full hour has two rows of a model
ACCOUNTS = """
    SELECT model, sum(a.accepted) AS accepted, sum(a.recorded) AS recorded, sum(a.missing) AS missing, min(a.balanced) AS balanced
    FROM accounting AS a GROUP BY model
"""


@pytest.fixture
def road(own_kafka: OwnKafka, clickhouse: str, database: str, tmp_path: Path) -> Iterator[Road]:
    """Topics on the broker that is held still, and a recorder's tables."""
    with Road(own_kafka.bootstrap, clickhouse, f"t{uuid.uuid4().hex[:10]}", database, tmp_path) as made:
        yield made


def test_what_killed_services_reported_is_recorded_once(
    road: Road, own_kafka: OwnKafka, tmp_path: Path
) -> None:
    """Ten services are killed."""
    check_kills(road, own_kafka, tmp_path, kills=10, seed=1)


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_what_many_killed_services_reported_is_recorded_once(
    road: Road, own_kafka: OwnKafka, tmp_path: Path
) -> None:
    """Two hundred."""
    check_kills(road, own_kafka, tmp_path, kills=200, seed=2)


def check_kills(road: Road, kafka: OwnKafka, directory: Path, *, kills: int, seed: int) -> None:
    """Kill services that share a spool, have one more send what they left, and compare the record with what they had said."""
    chance = random.Random(seed)
    prefix = road.kafka.topic_prefix
    lives = [killed(number, chance, kafka, prefix, directory) for number in range(kills)]
    last = finished(kills, kafka, prefix, directory)
    assert list((directory / "spool").iterdir()) == []
    assert last.given_up == 0
    road.start()
    road.recorded("predictions", "ledger", within=300)
    grow_old(road)
    arrived = recorded_ids(road)
    for life in [*lives, last]:
        assert life.kept <= arrived.get(life.number, set()), f"service {life.number} of seed {seed}"
    # of each producer the account of its own model: of others' it has what it sent for them
    producers = {(row["producer_id"], row["model"]): row for row in road.rows("SELECT * FROM producers_v")}
    accounts = {row["model"]: row for row in road.rows(ACCOUNTS)}
    losses = [
        check_loss(
            life,
            arrived.get(life.number, set()),
            producers.get((life.producer_id, model_of(life.number))),
            accounts.get(model_of(life.number)),
        )
        for life in lives
    ]
    check_end(last, producers[last.producer_id, model_of(kills)], accounts[model_of(kills)])
    # else the services were never killed at a moment that matters
    assert sum(loss > 0 for loss in losses) > kills // 3, losses
    assert {"delivered", "spooled"} <= {outcome for life in lives for outcome in life.told}


def grow_old(road: Road) -> None:
    """Let all that was recorded be heard ten minutes ago, when a producer that says nothing more counts as gone."""
    for table in ("ledger", "intake"):
        road.store.command(
            f"ALTER TABLE {table} UPDATE _recorded_at = _recorded_at - INTERVAL 10 MINUTE WHERE true",
            settings={"mutations_sync": 2},
        )


def recorded_ids(road: Road) -> dict[int, set[str]]:
    """Prediction ids in the record by service; none is there twice."""
    found: dict[int, set[str]] = {}
    rows = road.rows("SELECT prediction_id, count() AS n FROM predictions_v GROUP BY prediction_id")
    assert [row for row in rows if row["n"] != 1] == []
    for row in rows:
        found.setdefault(int(row["prediction_id"].split("-")[0]), set()).add(row["prediction_id"])
    return found


def check_loss(
    life: Life, arrived: set[str], producer: dict[str, Any] | None, account: dict[str, Any] | None
) -> int:
    """Hold what the views say of a killed service against what it lost; returns how many events that is."""
    lost = life.accepted - len(arrived) - life.given_up
    if producer is None:  # nothing of it ever reached Kafka or the disk
        assert not life.kept
        return lost
    assert producer["state"] == "silent"
    # what is called missing is lost indeed, and more than may have waited is not called unknown
    assert producer["missing"] <= lost + life.given_up + THREADS
    unknown = producer["unknown_at_most"]
    if unknown is not None:  # without a ledger nobody knows how much it held
        assert lost <= unknown == producer["missing"] + QUEUE + CLIENT_QUEUE
    assert account is not None
    assert not account["balanced"]
    return lost


def check_end(last: Life, producer: dict[str, Any], account: dict[str, Any]) -> None:
    """The one that ended as it should is balanced, although it sent what others had left."""
    assert (producer["state"], producer["unknown_at_most"]) == ("closed", 0)
    assert producer["accepted"] == producer["arrived"] == last.accepted == 100
    assert account["balanced"]
    assert (account["accepted"], account["recorded"], account["missing"]) == (100, 100, 0)
