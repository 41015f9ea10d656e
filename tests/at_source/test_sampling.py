"""Sampling: the documented formula, one fate for all that belongs together, rates that add up."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producers.at_source.promises import SourcePromises
from producers.at_source.sampling import Sampling
from producers.at_source.source_contract import SourceContract
from producers.events import prediction_record


def record(**more: Any) -> dict[str, Any]:
    """A prediction of model ``churn``."""
    said = {"prediction_id": "p", "model": "churn", "model_version": "1", "environment": "production", **more}
    return prediction_record(event_time=0, features={}, **said)


def contract(rate: float, **more: Any) -> SourceContract:
    """A contract that samples."""
    return SourceContract(SourcePromises("churn", sampling_rate=rate, **more))


@given(st.text(min_size=1), st.text(min_size=1), st.floats(0, 1, exclude_min=True))
def test_the_formula(model: str, its_id: str, rate: float) -> None:
    """The first 8 bytes of SHA-256(model:id), big-endian, below rate * 2^64: in exact arithmetic."""
    digest = hashlib.sha256(f"{model}:{its_id}".encode("utf-8", "surrogatepass")).digest()
    numerator, denominator = rate.as_integer_ratio()
    below = int.from_bytes(digest[:8], "big") * denominator < numerator * 2**64
    assert Sampling(model, rate, keep_errors=True).keeps(its_id) == below


def test_the_vector_of_the_page() -> None:
    """docs/source_contract.md: churn:req-17 begins with 53df8b79509e2126, which is 0.3276 of 2^64."""
    assert hashlib.sha256(b"churn:req-17").hexdigest()[:16] == "53df8b79509e2126"
    assert Sampling("churn", 0.3277, keep_errors=True).keeps("req-17")
    assert not Sampling("churn", 0.3276, keep_errors=True).keeps("req-17")


def test_a_request_shares_its_fate() -> None:
    """All items of a request are kept or none, whatever their entities and ids; the share kept is the rate."""
    half = contract(0.5)
    fates = []
    for request in range(4_000):
        items = [record(request_id=f"r{request}", entity_id=f"e{i}", prediction_id=f"p{i}") for i in range(3)]
        kept = [half.admit(item) is not None for item in items]
        assert len(set(kept)) == 1
        fates.append(kept[0])
    # five standard deviations of 4,000 fair coins
    assert abs(sum(fates) - 2_000) < 5 * 1_000**0.5


def test_an_entity_shares_its_fate_where_no_request_is_named() -> None:
    """Then its id decides, and the prediction's only where there is neither."""
    half = Sampling("churn", 0.5, keep_errors=True)
    for number in range(100):
        entity, prediction = f"e{number}", f"p{number}"
        assert half.admits(record(entity_id=entity, prediction_id=prediction)) == half.keeps(entity)
        assert half.admits(record(prediction_id=prediction)) == half.keeps(prediction)


@given(st.text(min_size=1), st.floats(0.01, 1), st.floats(0.01, 1))
def test_what_is_kept_stays_kept_at_a_higher_rate(its_id: str, one: float, other: float) -> None:
    """Raising the rate loses no story half told."""
    low, high = sorted([one, other])
    assert not Sampling("m", low, keep_errors=True).keeps(its_id) or Sampling(
        "m", high, keep_errors=True
    ).keeps(its_id)


def test_models_sample_independently() -> None:
    """What one model keeps says nothing about another."""
    one, other = Sampling("a", 0.5, keep_errors=True), Sampling("b", 0.5, keep_errors=True)
    both = sum(one.keeps(f"r{n}") and other.keeps(f"r{n}") for n in range(4_000))
    assert abs(both - 1_000) < 5 * 750**0.5


def test_the_rate_stands_on_the_event() -> None:
    """The contract's, times what the caller has sampled by before."""
    kept = next(n for n in range(100) if Sampling("churn", 0.25, keep_errors=True).keeps(f"r{n}"))
    quarter = contract(0.25)
    plain, sampled = record(request_id=f"r{kept}"), record(request_id=f"r{kept}", sampling_rate=0.5)
    assert quarter.admit(plain) is plain
    assert plain["sampling_rate"] == 0.25
    assert quarter.admit(sampled) is sampled
    assert sampled["sampling_rate"] == 0.125
    assert contract(1.0).admit(record()) == record()


def test_errors_are_kept_unless_the_contract_says_otherwise() -> None:
    """A failed prediction is sent outside of the sample, its rate as stated; `keep_errors: false` samples it like any other."""
    least = 1e-9
    assert contract(least).admit(record()) is None
    failed = contract(least).admit(record(error="Timeout"))
    assert failed is not None
    assert failed["sampling_rate"] == 1.0
    assert contract(least, keep_errors=False).admit(record(error="Timeout")) is None


def test_another_environment_is_not_sampled() -> None:
    """A contract for production leaves staging whole."""
    only = contract(1e-9, environment="production")
    assert only.admit(record()) is None
    assert only.admit(record(environment="staging")) == record(environment="staging")


@pytest.mark.parametrize("its_id", ["\ud800", "é", "x" * 10_000])
def test_any_id_has_a_fate(its_id: str) -> None:
    """Text without UTF-8 too: its event is refused later, where it is encoded."""
    contract(0.5).admit(record() | {"request_id": its_id})
