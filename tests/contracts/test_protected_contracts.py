"""Contracts with personal data: what files may say, what old contracts keep, and that no reference or verdict holds hidden values."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from producers.codec import decode, encode
from producers.errors import ConfigError
from stream_processors.admission import admit
from stream_processors.contracts.effect import ContractHistory, PublishedContract
from stream_processors.contracts.infer import baseline, infer
from stream_processors.contracts.model import Contract
from stream_processors.contracts.publish import with_reference
from stream_processors.decoding import decode_batch
from stream_processors.monitor.judge import drift_columns
from stream_processors.profiler.counting import Counting
from stream_processors.profiler.sketch_batch import Stretch, encoded, sketch_batch
from stream_processors.sketches import NumericSketch, numeric_sketch

PLAIN = {
    "model": "m",
    "features": {"age": {"kind": "numeric"}, "plan": {"kind": "categorical", "values": ["a"]}},
}
PEOPLE = pa.table(
    {"age": [17.0, 23.0, 29.0, None], "email": ["a@b", "c@d", "e@f", None], "customer": ["1", "2", "3", "4"]}
)
PROTECTED = {
    "age": {"kind": "numeric", "pii": "bucket", "bucket": 10},
    "email": {"kind": "categorical", "pii": "drop"},
    "customer": {"kind": "categorical", "pii": "hash"},
}


def columns(sketches: list[dict[str, Any]]) -> set[str]:
    """Columns that sketches have."""
    return {
        one["column"] for sketch in sketches for kind in ("numeric", "categorical") for one in sketch[kind]
    }


def test_digests_of_older_contracts_stay() -> None:
    """A contract published before there were buckets has the digest and the shape that it was recorded under."""
    contract = Contract.model_validate(PLAIN)
    assert contract.digest() == "c967cbc0a6f77f3a1fac1507fbe95d038c21ce932dc048f8a10f4caa5f8b377f"
    assert contract.shape() == "c30a3e7a74198848"


@pytest.mark.parametrize(
    "change", [{"keep_errors": False}, {"entity_id": "hash"}, {"features": {"age": PROTECTED["age"]}}]
)
def test_what_came_later_is_in_the_digest_where_it_says_something(change: dict[str, Any]) -> None:
    """And comes back from the canonical JSON."""
    contract = Contract.model_validate({"model": "m", **change})
    assert contract.digest() != Contract.model_validate({"model": "m"}).digest()
    assert Contract.model_validate_json(contract.canonical()) == contract
    assert Contract.from_yaml(contract.to_yaml()) == contract


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("features: {a: {kind: numeric, pii: hash}}", "features.a.pii: a hashed feature is categorical"),
        ("features: {a: {kind: numeric, pii: bucket}}", "features.a.pii: `pii: bucket` and `bucket`"),
        ("features: {a: {kind: numeric, bucket: 7}}", "features.a.pii: `pii: bucket` and `bucket`"),
        ("features: {a: {kind: numeric, pii: bucket, bucket: -7}}", "a width is a finite number above 0"),
        (
            "features: {a: {kind: categorical, pii: hash}}\nslices: [{by: a, values: [x]}]",
            "slices.0.by: a says `pii: hash`, so these values never arrive",
        ),
        (
            "features: {a: {kind: categorical, pii: drop}}\nslices: [{by: [b, a], values: [[x, y]]}]",
            "slices.0.by: a says `pii: drop`",
        ),
    ],
)
def test_what_cannot_be_is_refused_in_files(text: str, said: str) -> None:
    """One line that names the place."""
    with pytest.raises(ConfigError) as refusal:
        Contract.from_yaml(f"model: m\n{text}", "m.yaml")
    line = text.count("\n") + 2
    assert str(refusal.value).startswith(f"m.yaml line {line}: ")
    assert said in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_what_was_published_before_is_still_read() -> None:
    """Contracts are kept for ever: one that said `pii: hash` of a number when nothing acted upon it still applies to its events."""
    old = {
        "model": "m",
        "features": {"a": {"kind": "numeric", "pii": "hash"}, "b": {"kind": "categorical", "pii": "bucket"}},
    }
    assert Contract.model_validate(old).features["a"].pii == "hash"


def test_protecting_a_feature_makes_the_baseline_stale() -> None:
    """A baseline of plain values is not published under a contract that says they are personal."""
    contract, plain = infer(PEOPLE, model="m")
    assert columns(plain) == {"age", "email", "customer"}
    shapes = {contract.shape()}
    protected = Contract.model_validate({"model": "m", "features": PROTECTED})
    with pytest.raises(ConfigError, match="hindcast contract baseline"):
        with_reference(protected, plain)
    with_reference(protected, baseline(protected, PEOPLE))
    for change in ({"pii": "bucket", "bucket": 5.0}, {"pii": "bucket", "bucket": 9.0}, {"pii": "drop"}):
        age = contract.features["age"].model_copy(update=change)
        edited = contract.model_copy(update={"features": {**contract.features, "age": age}})
        assert edited.shape() not in shapes
        shapes.add(edited.shape())


def test_a_baseline_holds_no_hidden_values() -> None:
    """Dropped and hashed columns are left out, needed or not, and numbers stand in their buckets as events will."""
    protected = Contract.model_validate({"model": "m", "features": PROTECTED})
    sketches = baseline(protected, PEOPLE)
    assert columns(sketches) == {"age"}
    assert baseline(protected, PEOPLE.drop_columns(["email", "customer"])) == sketches
    (age,) = [numeric_sketch(one) for sketch in sketches for one in sketch["numeric"]]
    expected = NumericSketch.of(np.array([10.0, 20.0, 20.0]), 5)
    assert (age.bins.tolist(), age.counts.tolist(), age.nulls) == (
        expected.bins.tolist(),
        expected.counts.tolist(),
        1,
    )


def test_what_is_hidden_is_not_judged() -> None:
    """There is nothing to compare it with; a bucketed feature is judged."""
    assert drift_columns(Contract.model_validate({"model": "m", "features": PROTECTED}))[0] == "age"
    assert not {"email", "customer"} & set(
        drift_columns(Contract.model_validate({"model": "m", "features": PROTECTED}))
    )


def test_a_dropped_feature_is_in_no_sketch() -> None:
    """It is not absent from every event, it is none of theirs, whatever a service that does not know the contract sends beside them."""
    hourly = {"base": "1h", "rollups": []}
    contract = Contract.model_validate({"model": "m", "features": PROTECTED, "windows": hourly})
    one = PublishedContract.of(contract, effective_from=0, appended_at=0, lead_ms=0, partition=0, offset=0)
    event = {"prediction_id": "p", "model": "m", "model_version": "1"}
    told = [{"customer": "hmac:" + "0" * 32}, {"email": "ada@example.org"}]
    messages = [
        encode(
            "prediction",
            {**event, "event_time": datetime(2026, 6, 1, hour, tzinfo=UTC), "categorical_features": one},
        )
        for hour, one in enumerate(told)
    ]
    group = decode_batch(messages).of("prediction")
    assert group is not None
    appended = group.batch.column("event_time").view(pa.int64()).to_numpy()
    counting = Counting()
    counting.count(
        group.batch, np.zeros(2, dtype=np.int64), admit(group.batch, appended, ContractHistory([one]))
    )
    batch = sketch_batch(counting.drain(), "delta", "", {0: Stretch(0, 2)})
    sketches = sorted(
        (decode(message)[1] for message in encoded(batch)), key=lambda sketch: sketch["window_start"]
    )
    assert [columns([sketch]) for sketch in sketches] == [{"age", "customer"}, {"age", "customer", "email"}]
