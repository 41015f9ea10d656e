"""A record under its contract: features settled, personal data protected, breaches refused, as the processors would have it."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from generated_contracts import NAMES, PSEUDONYMS, VALUES, contracts, source
from hypothesis import given
from hypothesis import strategies as st

from producers.at_source.contract_file import promises_of
from producers.at_source.source_contract import SourceContract
from producers.codec import encode
from producers.errors import ConfigError, InvalidEvent
from producers.events import prediction_record
from stream_processors.contracts.model import Contract
from stream_processors.contracts.violations import violations
from stream_processors.decoding import decode_batch

FEATURES = {
    "age": {"kind": "numeric", "required": True, "minimum": 0, "maximum": 120},
    "zip": {"kind": "categorical"},
    "plan": {"kind": "categorical", "values": ["basic", "plus"], "only_listed": True},
    "income": {"kind": "numeric", "pii": "bucket", "bucket": 1000},
    "customer": {"kind": "categorical", "pii": "hash"},
    "email": {"kind": "categorical", "required": True, "pii": "drop"},
}


def contract_of(**more: Any) -> SourceContract:
    """A contract of model ``m``."""
    return SourceContract(promises_of({"model": "m", **more}, "contract"), PSEUDONYMS)


def record(contract: SourceContract, features: dict[str, object], **more: Any) -> dict[str, Any]:
    """The record of a prediction, its features split as the contract says."""
    said = {"prediction_id": "p", "model": "m", "model_version": "1", "environment": "production", **more}
    return prediction_record(event_time=0, features=features, kinds=contract.kinds, **said)


def admitted(contract: SourceContract, features: dict[str, object], **more: Any) -> dict[str, Any]:
    """What is sent."""
    found = contract.admit(record(contract, features, **more))
    assert found is not None
    return found


def both(contract: SourceContract, features: dict[str, object]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The (numeric, categorical) features that are sent."""
    found = admitted(contract, features)
    return found["numeric_features"], found["categorical_features"]


@pytest.mark.parametrize(
    ("value", "numbers", "categories"),
    [
        (94_103, {}, {"zip": "94103"}),
        (94_103.0, {}, {"zip": "94103"}),
        (np.int64(94_103), {}, {"zip": "94103"}),
        (np.float32(7), {}, {"zip": "7"}),
        (2**60 + 1, {}, {"zip": "1152921504606846977"}),
        (-0.0, {}, {"zip": "0"}),
        (True, {}, {"zip": "true"}),
        ("94103", {}, {"zip": "94103"}),
        (None, {}, {"zip": None}),
        (1.5, {"zip": 1.5}, {}),
        (2.0**60, {"zip": 2.0**60}, {}),
        (math.inf, {"zip": math.inf}, {}),
    ],
)
def test_a_category_is_one_whatever_carries_it(
    value: object, numbers: dict[str, float], categories: dict[str, str]
) -> None:
    """A whole number is its digits, of any size as an integer; what cannot be a category stays where it was, for the processors to mark."""
    assert both(contract_of(features={"zip": FEATURES["zip"]}), {"zip": value}) == (numbers, categories)


@pytest.mark.parametrize(
    ("value", "numbers", "categories"),
    [
        (3, {"age": 3.0}, {}),
        (True, {"age": 1.0}, {}),
        (np.bool_(False), {"age": 0.0}, {}),
        (None, {"age": None}, {}),
        ("3", {}, {"age": "3"}),
    ],
)
def test_a_number_is_one_whatever_carries_it(
    value: object, numbers: dict[str, float], categories: dict[str, str]
) -> None:
    """A boolean is 1 or 0; a text is no number."""
    assert both(contract_of(features={"age": FEATURES["age"]}), {"age": value}) == (numbers, categories)


def test_the_contract_decides_over_the_logger() -> None:
    """A name in `categorical` that the contract calls numeric is numeric, and 1.0 for a category of the contract is no error."""
    contract = contract_of(features={"age": {"kind": "numeric"}, "zip": {"kind": "categorical"}})
    made = prediction_record(
        prediction_id="p",
        model="m",
        model_version="1",
        environment="e",
        event_time=0,
        features={"age": 3, "zip": 1.0, "other": 4},
        categorical={"age", "zip", "other"},
        kinds=contract.kinds,
    )
    found = contract.admit(made)
    assert found is not None
    assert found["numeric_features"] == {"age": 3.0}
    assert found["categorical_features"] == {"zip": "1", "other": "4"}


@given(
    contracts(protected=False),
    st.dictionaries(st.sampled_from(NAMES), VALUES),
    st.sampled_from(["ok", "error"]),
)
def test_the_source_and_the_processors_find_the_same(
    contract: Contract, features: dict[str, Any], status: str
) -> None:
    """What an event breaks is the same before it is sent and after it has arrived; reject refuses just those."""
    at_source = source(contract, sampling_rate=1.0)
    made = record(at_source, features, status=status)
    problems = at_source.problems(made)
    decoded = decode_batch([encode("prediction", made)]).of("prediction")
    assert decoded is not None
    arrived = [
        text
        for text, _ in violations(decoded.batch, [contract], np.zeros(decoded.batch.num_rows, dtype=np.int64))
    ]
    assert sorted(problems) == sorted(arrived)
    if contract.on_violation == "reject" and problems and contract.environment in (None, "production"):
        with pytest.raises(InvalidEvent):
            at_source.admit(made)
    else:
        assert at_source.admit(made) is made


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({}, None),
        ({"age": "seven"}, "features.age: is of another kind than its contract says"),
        ({"zip": 1.5}, "features.zip: is of another kind than its contract says"),
        ({"age": None}, "features.age: is missing, which its contract requires"),
        ({"email": None}, "features.email: is missing, which its contract requires"),
        ({"age": 121}, "features.age: is outside of its contract's range"),
        ({"age": -1}, "features.age: is outside of its contract's range"),
        ({"age": math.nan}, None),
        ({"plan": "secret"}, "features.plan: is not among its contract's values"),
        ({"plan": None}, None),
        ({"new": 1.0}, None),
        ({f"f{i}": 1.0 for i in range(1_000)}, "features: more than 1,000"),
    ],
    ids=str,
)
def test_reject_refuses_here_what_would_be_a_dead_letter(
    change: dict[str, object], error: str | None
) -> None:
    """The error names the feature and what was promised, never the value; `warn` sends the same event."""
    good: dict[str, object] = {"age": 30, "zip": 1, "plan": "basic", "customer": "c", "email": "a@b"}
    strict, lenient = contract_of(features=FEATURES, on_violation="reject"), contract_of(features=FEATURES)
    if error is None:
        assert strict.admit(record(strict, good | change)) is not None
    else:
        with pytest.raises(InvalidEvent) as refusal:
            strict.admit(record(strict, good | change))
        assert str(refusal.value) == error
    assert lenient.admit(record(lenient, good | change)) is not None


def test_a_failed_prediction_misses_nothing() -> None:
    """As at the processors: it often has no inputs."""
    strict = contract_of(features=FEATURES, on_violation="reject")
    assert strict.admit(record(strict, {}, error="Timeout")) is not None


def test_personal_data_is_protected() -> None:
    """Dropped, hashed or made coarse; null stays null, and what the contract does not name is sent as it is."""
    contract = contract_of(features=FEATURES, entity_id="hash")
    found = admitted(
        contract,
        {"age": 30, "income": 41_999.5, "customer": 17, "email": "a@b", "phone": "+49"},
        entity_id="17",
        segments={"region": "east", "customer": "17", "email": "a@b", "income": 41_999},
    )
    pseudonym = PSEUDONYMS("17")
    assert found["numeric_features"] == {"age": 30.0, "income": 41_000.0}
    assert found["categorical_features"] == {"customer": pseudonym, "phone": "+49"}
    assert found["segments"] == {"region": "east", "customer": pseudonym}
    assert found["entity_id"] == pseudonym
    assert both(contract, {"income": None, "customer": None}) == ({"income": None}, {"customer": None})
    assert admitted(contract_of(entity_id="drop"), {}, entity_id="17")["entity_id"] is None
    assert admitted(contract_of(entity_id="hash"), {})["entity_id"] is None


@pytest.mark.parametrize("environment", ["production", "staging"])
@pytest.mark.parametrize(
    ("features", "numbers", "categories"),
    [
        ({"income": "41999"}, {}, {"income": None}),
        ({"customer": 1.5}, {}, {"customer": PSEUDONYMS("1.5")}),
        ({"customer": 17.0}, {}, {"customer": PSEUDONYMS("17")}),
        ({"customer": 2**70}, {}, {"customer": PSEUDONYMS(str(2**70))}),
        ({"customer": ""}, {}, {"customer": PSEUDONYMS("")}),
        ({"email": 5.5}, {}, {}),
    ],
    ids=str,
)
def test_what_is_of_the_wrong_kind_is_protected_too(
    environment: str, features: dict[str, object], numbers: dict[str, float], categories: dict[str, str]
) -> None:
    """No value slips through because it is of another kind or environment than the contract's."""
    contract = contract_of(features=FEATURES, environment="production")
    found = admitted(contract, features, environment=environment)
    assert (found["numeric_features"], found["categorical_features"]) == (numbers, categories)


@given(contracts(), st.dictionaries(st.sampled_from(NAMES), VALUES), st.none() | st.just("e"))
def test_what_is_sent_is_found_protected(
    contract: Contract, features: dict[str, Any], entity_id: str | None
) -> None:
    """Whatever a service says, processors with the same contract find nothing unprotected in what arrives, and no dropped feature missing."""
    at_source = source(contract, on_violation="warn", sampling_rate=1.0)
    sent = at_source.admit(record(at_source, features, entity_id=entity_id))
    assert sent is not None
    decoded = decode_batch([encode("prediction", sent)]).of("prediction")
    assert decoded is not None
    arrived = [
        text
        for text, _ in violations(decoded.batch, [contract], np.zeros(decoded.batch.num_rows, dtype=np.int64))
    ]
    assert [text for text in arrived if text.startswith("unprotected")] == []
    dropped = [name for name, one in contract.features.items() if one.pii == "drop"]
    assert [name for name in dropped if f"missing:{name}" in arrived] == []


def test_a_contract_for_one_environment_refuses_in_that_one_only() -> None:
    """As the processors have it: events of another environment are under no contract."""
    contract = contract_of(features=FEATURES, on_violation="reject", environment="production")
    with pytest.raises(InvalidEvent):
        contract.admit(record(contract, {}))
    assert contract.admit(record(contract, {}, environment="staging")) is not None


def test_from_a_file_with_a_key(tmp_path: Path) -> None:
    """The key is asked for where something is hashed, and only there."""
    file = tmp_path / "m.yaml"
    file.write_text("model: m\nfeatures:\n  customer: {kind: categorical, pii: hash}\n")
    with pytest.raises(ConfigError, match="HINDCAST_PII_KEY is not set"):
        SourceContract.from_file(file, {})
    contract = SourceContract.from_file(file, {"HINDCAST_PII_KEY": bytes(range(32)).hex()})
    assert both(contract, {"customer": "17"}) == ({}, {"customer": PSEUDONYMS("17")})
    file.write_text("model: m\nentity_id: hash\n")
    with pytest.raises(ConfigError, match="HINDCAST_PII_KEY is not set"):
        SourceContract.from_file(file, {})
    file.write_text("model: m\nfeatures:\n  customer: {kind: categorical, pii: drop}\n")
    assert SourceContract.from_file(file, {}).promises.features["customer"].pii == "drop"
    with pytest.raises(ConfigError, match="needs a key"):
        SourceContract(promises_of({"model": "m", "entity_id": "hash"}, "contract"))


def test_the_model_is_the_contracts() -> None:
    """A contract of another model is a mistake in the settings."""
    contract_of().require_model("m")
    with pytest.raises(ConfigError, match="the contract is of model m, not of churn"):
        contract_of().require_model("churn")
