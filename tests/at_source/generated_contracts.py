"""Contracts and events of any kind, for properties."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from producers.at_source.contract_file import promises_of
from producers.at_source.pseudonyms import Pseudonyms
from producers.at_source.source_contract import SourceContract
from stream_processors.contracts.model import Contract

NAMES = ("age", "zip", "plan", "income", "city", "né")
PSEUDONYMS = Pseudonyms(bytes(range(32)))
WORDS = st.sampled_from(["basic", "plus", "10", "7", "true", "", "é", "-3"])
NUMBERS = st.one_of(
    st.integers(-50, 150).map(float),
    st.floats(-100, 200),
    st.sampled_from(
        [0.0, -0.0, 1e300, float("nan"), float("inf"), float("-inf"), 2.0**53, 2.0**60, 0.1, 0.3]
    ),
)


@st.composite
def edges(draw: st.DrawFn) -> list[float]:
    """Rising edges."""
    return sorted(draw(st.sets(st.integers(-20, 120).map(float), min_size=1, max_size=5)))


@st.composite
def features(draw: st.DrawFn, protected: bool = True) -> dict[str, Any]:
    """One feature of a contract."""
    kind = draw(st.sampled_from(["numeric", "categorical"]))
    found: dict[str, Any] = {"kind": kind, "required": draw(st.booleans())}
    pii = (
        draw(st.sampled_from(["none", "drop", "hash" if kind == "categorical" else "bucket"]))
        if protected
        else "none"
    )
    if pii != "none":
        found["pii"] = pii
    if pii == "bucket":
        found["bucket"] = draw(st.one_of(edges(), st.sampled_from([10, 0.1, 2.5, 1000])))
    if kind == "numeric":
        found["minimum"] = draw(st.none() | st.integers(-20, 30))
        found["maximum"] = draw(st.none() | st.floats(40, 120))
    elif pii != "hash" and draw(st.booleans()):
        found["values"] = draw(st.lists(WORDS, max_size=4, unique=True))
        found["only_listed"] = draw(st.booleans())
    return found


@st.composite
def contracts(draw: st.DrawFn, protected: bool = True) -> Contract:
    """A contract of model ``m``."""
    named = draw(st.dictionaries(st.sampled_from(NAMES), features(protected), max_size=len(NAMES)))
    body: dict[str, Any] = {
        "model": "m",
        "features": named,
        "environment": draw(st.sampled_from([None, "production", "staging"])),
        "on_violation": draw(st.sampled_from(["warn", "reject"])),
        "sampling_rate": draw(st.sampled_from([1.0, 0.5, 0.25])),
        "keep_errors": draw(st.booleans()),
    }
    if protected:
        body["entity_id"] = draw(st.sampled_from(["none", "drop", "hash"]))
    return Contract.model_validate(body)


VALUES = st.one_of(st.none(), NUMBERS, WORDS, st.booleans(), st.integers(-50, 150))


def source(contract: Contract, **changed: Any) -> SourceContract:
    """The contract as a service reads it, with a key."""
    body = contract.model_dump(mode="json") | changed
    return SourceContract(promises_of(body, "contract"), PSEUDONYMS)
