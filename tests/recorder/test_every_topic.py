"""What is sent to each topic stands in its table, field by field."""

from __future__ import annotations

import math
import time
from datetime import UTC, datetime
from typing import Any

import pytest
from recording_road import Road, example

from producers.codec import encode
from stream_processors.contracts.follower import ContractFollower
from stream_processors.contracts.model import Contract
from stream_processors.kafka import transactional_producer

NOW = time.time_ns() // 1000

TOPICS = {
    "label": ("labels", "labels"),
    "deployment": ("deployments", "deployments"),
    "contract": ("contracts", "contracts"),
    "stretch": ("sketches", "stretches"),
    "outcome": ("outcomes", "outcomes"),
    "quality": ("quality", "quality"),
    "drift": ("drift", "drift"),
    "alert": ("alerts", "alerts"),
    "ledger": ("ledger", "ledger"),
    "prediction": ("predictions", "predictions"),
}


def plain(value: Any) -> Any:
    """A stored value as the example files write it."""
    if isinstance(value, datetime):
        return round(value.astimezone(UTC).timestamp() * 1_000_000)
    if isinstance(value, list) and value and isinstance(value[0], tuple):
        return dict(value)
    return value


def stored_as(record: dict[str, Any]) -> dict[str, Any]:
    """What a record's fields become where the table has no nulls; ``known_at`` is compared by itself."""
    record = {name: value for name, value in record.items() if name != "known_at"}
    for name in ("contract", "reference"):
        if name in record and record[name] is None:
            record[name] = ""
    return {name: [] if value == {} else value for name, value in record.items()}


def test_each_schema_lands_in_its_table(running: Road) -> None:
    """The example of every schema is stored with every field as it was sent."""
    for schema, (topic, _) in TOPICS.items():
        changes = {"event_time": NOW} if schema == "prediction" else {}
        running.send_records(topic, schema, [example(schema, **changes)])
    running.recorded(*{topic for topic, _ in TOPICS.values()})
    for schema, (_, table) in TOPICS.items():
        changes = {"event_time": NOW} if schema == "prediction" else {}
        sent = stored_as(example(schema, **changes))
        rows = running.rows(f"SELECT * REPLACE ({_texts(schema)}) FROM {table} FINAL")
        assert len(rows) == 1, schema
        assert {name: plain(rows[0][name]) for name in sent} == sent, schema


def _texts(schema: str) -> str:
    """Enums as the text they stand for."""
    return "toString(kind) AS kind" if schema == "label" else "_topic_id AS _topic_id"


def test_known_at_is_the_append_time_unless_stated(running: Road) -> None:
    """A fact is known when it was appended; a bulk load may state another time, which marks the row."""
    stated = 1_700_000_000_123_456
    records = [example("label", label_id="a", known_at=None), example("label", label_id="b", known_at=stated)]
    running.send_records("labels", "label", records)
    running.recorded("labels")
    rows = running.rows(
        "SELECT label_id, backfilled, known_at = _appended_at AS now, known_at FROM labels FINAL ORDER BY label_id"
    )
    assert [(row["backfilled"], row["now"]) for row in rows] == [(False, 1), (True, 0)]
    assert plain(rows[1]["known_at"]) == stated


@pytest.mark.parametrize("lead_ms", [0, 60_000])
def test_a_contract_says_from_when_it_is_in_effect(running: Road, lead_ms: int) -> None:
    """in_effect_from is the later of the wished start and append time plus lead."""
    wished = NOW + 30_000_000
    running.send_records(
        "contracts", "contract", [example("contract", effective_from=wished, lead_ms=lead_ms)]
    )
    running.recorded("contracts")
    [row] = running.rows(
        "SELECT in_effect_from, _appended_at + toIntervalMillisecond(lead_ms) AS earliest FROM contracts FINAL"
    )
    assert plain(row["in_effect_from"]) == max(wished, plain(row["earliest"]))


@pytest.mark.parametrize("lead_ms", [-(2**63), -1, 10**16, 2**63 - 1])
def test_a_lead_that_cannot_be_is_nothing_or_a_century(running: Road, lead_ms: int) -> None:
    """A message may say anything; both sides of it make the same of it, and neither ends for it."""
    body = Contract(model="churn").canonical()
    contract = example("contract", body=body, effective_from=0, lead_ms=lead_ms)
    running.send_records("contracts", "contract", [contract])
    running.recorded("contracts")
    [row] = running.rows("SELECT in_effect_from, _appended_at FROM contracts FINAL")
    appended = plain(row["_appended_at"])
    assert plain(row["in_effect_from"]) - appended == (0 if lead_ms < 0 else 36_525 * 86_400 * 1_000_000)
    with ContractFollower(running.kafka) as follower:
        follower.catch_up()
        known = {one.in_effect_from for one in follower.history.published("churn")}
    assert plain(row["in_effect_from"]) in known


def test_not_a_number_infinite_and_null_stay_apart(running: Road) -> None:
    """NaN, both infinities and null of features and scores are what they were."""
    features = {"nan": math.nan, "up": math.inf, "down": -math.inf, "null": None, "zero": 0.0}
    names = {"null": None, "empty": "", "text": "ä'\"\\\n"}
    record = example(
        "prediction", event_time=NOW, numeric_features=features, categorical_features=names, score=math.nan
    )
    running.send_records("predictions", "prediction", [record])
    running.recorded("predictions")
    [row] = running.rows(
        "SELECT numeric_features AS n, categorical_features AS c, score FROM predictions FINAL"
    )
    stored = dict(row["n"])
    assert math.isnan(stored.pop("nan"))
    assert stored == {"up": math.inf, "down": -math.inf, "null": None, "zero": 0.0}
    assert dict(row["c"]) == names
    assert math.isnan(row["score"])


def test_hostile_names_are_only_text(running: Road) -> None:
    """Quotes, brackets, backslashes and format marks in a model's name reach the table unharmed."""
    model = "it's \"{x}\"; DROP TABLE predictions -- \\' %s {model:String} \x00"
    record = example("prediction", event_time=NOW, model=model, model_version=model, environment=model)
    running.send_records("predictions", "prediction", [record])
    running.recorded("predictions")
    for table in ("predictions", "intake"):
        [row] = running.rows(f"SELECT model, model_version, environment FROM {table} FINAL")
        assert set(row.values()) == {model}


def test_intake_counts_resends_that_predictions_do_not(running: Road) -> None:
    """A resend is one prediction and two rows of intake with one hash; the same id at another time is another prediction."""
    record = example("prediction", event_time=NOW, prediction_id="once", model="unknown model")
    again = {**record, "event_time": NOW + 1}
    running.send_records("predictions", "prediction", [record, record, again])
    running.recorded("predictions")
    assert running.count("predictions") == 2
    [row] = running.rows(
        "SELECT count() AS n, uniqExact(prediction_id_hash) AS ids, countIf(dead_letter) AS dead,"
        " min(window_start <= event_time AND event_time < window_start + 60) AS in_window FROM intake FINAL"
    )
    assert row == {"n": 3, "ids": 1, "dead": 0, "in_window": 1}


def test_the_first_arrival_stands(running: Road) -> None:
    """Of two messages with one identity and different content, the one appended first is what is read."""
    first = example("prediction", event_time=NOW, prediction_id="one", score=0.1)
    running.send_records("predictions", "prediction", [first, {**first, "score": 0.9}], partition=1)
    running.recorded("predictions")
    assert running.rows("SELECT score FROM predictions FINAL") == [{"score": 0.1}]


def test_aborted_transactions_leave_no_rows_and_hold_up_nothing(running: Road) -> None:
    """The committed offset passes control records and aborted messages, of which no row is made."""
    before = sum(running.ends("sketches").values())
    client = transactional_producer(running.kafka, f"{running.kafka.topic_prefix}-t")
    client.init_transactions(20)
    for end in (client.commit_transaction, client.abort_transaction):
        client.begin_transaction()
        client.produce(running.kafka.topic("sketches"), encode("stretch", example("stretch")), "k")
        client.flush(10)
        end(10)
    running.recorded("sketches")
    assert sum(running.ends("sketches").values()) == before + 4
    assert running.count("stretches", final=False) == 1
