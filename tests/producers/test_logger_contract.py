"""A logger that is given its model's contract: what leaves the process, and what is counted."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from producers import ConfigError, InvalidEvent, PredictionLogger
from producers.testing import MemorySink

CONTRACT = """
model: churn
on_violation: {on_violation}
features:
  age: {{kind: numeric, maximum: 120, pii: bucket, bucket: 10}}
  code: {{kind: categorical}}
  customer: {{kind: categorical, pii: hash}}
  email: {{kind: categorical, pii: drop}}
entity_id: hash
sampling_rate: {rate}
"""
FEATURES: dict[str, object] = {
    "age": 47,
    "code": 7,
    "customer": "client-of-the-test",
    "email": "a@example.org",
}


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A contract that keeps everything, and the key for its hashes."""
    monkeypatch.setenv("HINDCAST_PII_KEY", "00" * 16)
    path = tmp_path / "churn.yaml"
    path.write_text(CONTRACT.format(rate=1.0, on_violation="warn"))
    return path


def test_personal_data_do_not_leave_the_process(file: Path) -> None:
    """A single prediction and a row of a table are protected alike: dropped, hashed, made coarse, and of the contract's kinds."""
    sink = MemorySink()
    with PredictionLogger(model="churn", sink=sink, contract=file) as log:
        log.prediction(features=FEATURES, entity_id="customer-17", score=0.5)
        row = {name: [value] for name, value in FEATURES.items()}
        log.predictions(pa.table({**row, "entity_id": ["customer-17"]}), features=list(FEATURES))
    single, tabled = sink.records("predictions")
    for record in (single, tabled):
        assert record["numeric_features"] == {"age": 40.0}
        assert record["categorical_features"].keys() == {"code", "customer"}
        assert record["categorical_features"]["code"] == "7"
        assert record["categorical_features"]["customer"].startswith("hmac:")
        assert record["entity_id"].startswith("hmac:")
    assert single["categorical_features"] == tabled["categorical_features"]
    assert single["entity_id"] == tabled["entity_id"]
    assert not any(
        word in message.value
        for message in sink.messages
        for word in (b"a@example", b"client-of-the-test", b"customer-17")
    )


def test_what_the_sample_leaves_out_is_counted(file: Path) -> None:
    """Calls and tables of the same requests keep the same half; the rest is counted as sampled, without a number or a complaint."""
    file.write_text(CONTRACT.format(rate=0.5, on_violation="warn"))
    sink, ids = MemorySink(), [f"r{number}" for number in range(200)]
    with PredictionLogger(model="churn", sink=sink, contract=file) as log:
        for request_id in ids:
            log.prediction(features=FEATURES, request_id=request_id)
        said = log.predictions(
            pa.table({name: [value] * 200 for name, value in FEATURES.items()} | {"request_id": ids}),
            features=list(FEATURES),
        )
    assert len(said) == 200
    records = sink.records("predictions")
    kept = [record["request_id"] for record in records]
    half = len(kept) // 2
    assert 60 < half < 140
    assert kept[:half] == kept[half:]
    assert {record["sampling_rate"] for record in records} == {0.5}
    assert [record["sequence"] for record in records] == list(range(2 * half))
    assert (log.stats.accepted, log.stats.dropped) == (400, {"sampled": 400 - 2 * half})


def test_what_breaks_a_strict_contract_is_counted_as_invalid(file: Path) -> None:
    """Where the contract rejects, an event that breaks it does not leave the process; the rest of a table does."""
    file.write_text(CONTRACT.format(rate=1.0, on_violation="reject"))
    sink = MemorySink()
    with PredictionLogger(model="churn", sink=sink, contract=file) as log:
        log.prediction(features=FEATURES | {"age": 300})
        table = pa.table({name: [value, value] for name, value in FEATURES.items()} | {"age": [300, 30]})
        log.predictions(table, features=list(FEATURES))
    (record,) = sink.records("predictions")
    assert record["numeric_features"] == {"age": 30.0}
    assert (log.stats.accepted, log.stats.dropped) == (3, {"invalid": 2})


def test_strict_finds_it_in_the_call(file: Path) -> None:
    """A strict logger raises for what breaks the contract, and what it only examines is sent as the contract says, once."""
    file.write_text(CONTRACT.format(rate=1.0, on_violation="reject"))
    sink = MemorySink()
    with PredictionLogger(model="churn", sink=sink, contract=file, strict=True) as log:
        with pytest.raises(InvalidEvent) as refusal:
            log.prediction(features=FEATURES | {"age": 300})
        assert refusal.value.field == "features.age"
        log.prediction(features=FEATURES, entity_id="customer-17")
    (record,) = sink.records("predictions")
    assert record["numeric_features"] == {"age": 40.0}
    assert record["entity_id"].startswith("hmac:")
    assert (log.stats.accepted, log.stats.dropped) == (1, {})


def test_a_contract_of_another_model_is_refused(file: Path) -> None:
    """A logger is not made with a contract that is not its model's, or not there, or whose key is missing."""
    with pytest.raises(ConfigError, match="churn"):
        PredictionLogger(model="other", sink=MemorySink(), contract=file)
    with pytest.raises(ConfigError):
        PredictionLogger(model="churn", sink=MemorySink(), contract=file.with_name("nosuch.yaml"))


def test_a_contract_that_hashes_needs_its_key(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the key nothing is logged in the plain: the logger is not made."""
    monkeypatch.delenv("HINDCAST_PII_KEY")
    with pytest.raises(ConfigError, match="HINDCAST_PII_KEY"):
        PredictionLogger(model="churn", sink=MemorySink(), contract=file)
