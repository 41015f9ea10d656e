"""The short way of a prediction's bytes gives what the long way gives."""

from __future__ import annotations

import math
from decimal import Decimal
from enum import StrEnum
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from producers.codec import encode
from producers.errors import InvalidEvent
from producers.prediction_writer import PredictionSaid, PredictionWriter

FRAME = 10
# what stands in the place of producer_id and sequence where both are null
UNNUMBERED = b"\x00\x00"


class Carrier(StrEnum):
    """A text that is no plain one."""

    UNITED = "UA"


def said(features: dict[str, Any], **more: Any) -> PredictionSaid:
    """A prediction with these features."""
    return PredictionSaid("an id", "1", "production", 1_764_106_000_000_000, features, **more)


def long_way(writer: PredictionWriter, one: PredictionSaid) -> bytes:
    """The body by way of the record."""
    return encode("prediction", writer.record(one))[FRAME:]


def short_way(writer: PredictionWriter, one: PredictionSaid) -> bytes:
    """The body by the short way."""
    key, before, after = writer.body(one)
    assert key == one.prediction_id.encode()
    return before + UNNUMBERED + after


VALUES = st.one_of(
    st.floats(),
    st.integers(-(2**53), 2**53),
    st.booleans(),
    st.none(),
    st.text(max_size=5),
    st.sampled_from(
        [np.float32(0.1), np.int8(3), np.bool_(True), Decimal("1.5"), Carrier.UNITED, 2**60, [1.0], "\ud800"]
    ),
)
FEATURES = st.dictionaries(st.sampled_from("abcdefgh"), VALUES, max_size=8)
INSTANTS = st.integers(-(2**62), 2**62)
OTHERS = st.fixed_dictionaries(
    {},
    optional={
        "output": st.text(max_size=3),
        "request_id": st.none() | st.text(max_size=3) | st.integers(),
        "item_index": st.none() | st.integers(-(2**33), 2**33),
        "rank": st.none() | st.integers(0, 200),
        "entity_id": st.none() | st.text(max_size=80) | st.uuids(),
        "served": st.booleans(),
        "target_time": st.none() | INSTANTS,
        "score": st.none() | st.floats(),
        "decision": st.none() | st.text(max_size=3),
        "probabilities": st.none() | st.dictionaries(st.text(max_size=2), st.floats() | st.none(), max_size=3),
        "quantiles": st.none() | st.dictionaries(st.text(max_size=2), st.integers(), max_size=3),
        "segments": st.none() | st.dictionaries(st.text(max_size=2), st.text(max_size=2) | st.none() | st.booleans(), max_size=3),
        "status": st.text(max_size=3) | st.just("ok"),
        "error": st.none() | st.text(max_size=3),
        "latency_ms": st.none() | st.floats(),
        "sampling_rate": st.floats(0, 1, exclude_min=True),
        "trace_id": st.none() | st.text(max_size=3) | st.integers(),
        "span_id": st.none() | st.text(max_size=3),
        "known_at": st.none() | INSTANTS,
    },
)  # fmt: skip


@given(st.lists(st.tuples(FEATURES, OTHERS), max_size=6), st.sets(st.sampled_from("abcdefgh")))
def test_both_ways_give_the_same_bytes_or_the_same_refusal(
    events: list[tuple[dict[str, Any], dict[str, Any]]], categorical: set[str]
) -> None:
    """Whatever came before, an event has the bytes of its record; where the short way refuses, so does the long one."""
    writer = PredictionWriter("m", frozenset(categorical))
    for features, others in events:
        one = said(features, **others)
        try:
            expected = long_way(writer, one)
        except InvalidEvent:
            with pytest.raises((InvalidEvent, TypeError, ValueError)):
                short_way(writer, one)
        else:
            assert short_way(writer, one) == expected


def test_what_is_learned_of_one_event_does_not_bend_the_next() -> None:
    """A feature may be a number, then a text, a truth, a null, and the integers 1 and 0 beside True and False."""
    writer = PredictionWriter("m", frozenset({"code"}))
    for x in (1.5, "text", True, False, "true", None, 7, math.nan, np.float64(2), Decimal("0.5"), 1, 0, "1"):
        for code in ("a", 1, True, None, 0, False, "1"):
            one = said({"x": x, "y": 2.0, "code": code})
            assert short_way(writer, one) == long_way(writer, one)


def test_a_thousand_feature_sets_and_texts_are_no_more_than_it_remembers() -> None:
    """Ever new names and texts are written right, and memory holds a limited number of them."""
    writer = PredictionWriter("m", frozenset())
    for number in range(6_000):
        one = said({f"n{number % 700}": 0.5, "text": f"t{number}", "long": "x" * 100})
        assert short_way(writer, one) == long_way(writer, one)
    assert len(writer._shapes) <= 256
    assert len(writer._texts) <= 4_096
