"""Rows of many contracts in one batch are counted as those of each contract would be alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from producers.codec import decode, encode
from stream_processors.admission import admit
from stream_processors.contracts.effect import ContractHistory, PublishedContract
from stream_processors.contracts.model import Contract
from stream_processors.decoding import decode_batch
from stream_processors.profiler.counting import Counting
from stream_processors.profiler.sketch_batch import Stretch, encoded, sketch_batch

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
MICROS = int(NOW.timestamp() * 1e6)
NUMERIC = {"kind": "numeric"}
CONTRACTS = (
    {"model": "fine", "features": {"a": {**NUMERIC, "precision": 9}, "word": {"kind": "categorical"}}},
    {
        "model": "listed",
        "features": {"a": NUMERIC, "word": {"kind": "categorical", "values": ["x"]}, "unseen": NUMERIC},
        "prediction": {"kind": "binary", "positive_class": "yes", "score_precision": 9},
    },
    {
        "model": "other list",
        "features": {"a": {**NUMERIC, "precision": 2}, "word": {"kind": "categorical", "values": ["y", "z"]}},
        "windows": {"base": "5min", "rollups": []},
    },
    {"model": "a word", "features": {"word": {**NUMERIC, "precision": 9}, "gone": {"kind": "categorical"}}},
    {
        "model": "sliced",
        "features": {"a": {**NUMERIC, "precision": 7}},
        "slices": [{"by": "word", "values": ["x"]}],
    },
)
HISTORY = ContractHistory(
    [
        PublishedContract.of(
            Contract.model_validate(one),
            effective_from=0,
            appended_at=0,
            lead_ms=0,
            partition=0,
            offset=offset,
        )
        for offset, one in enumerate(CONTRACTS)
    ]
)
MODELS = [*(str(one["model"]) for one in CONTRACTS), "none", "nor this"]
NUMBERS = st.one_of(st.none(), st.floats(-1e6, 1e6), st.sampled_from([float("nan"), float("inf"), 0.0, 2.5]))
EVENTS = st.lists(
    st.fixed_dictionaries(
        {
            "model": st.sampled_from(MODELS),
            "model_version": st.just("1"),
            "event_time": st.integers(0, 900).map(lambda s: NOW - timedelta(seconds=s)),
            "numeric_features": st.dictionaries(st.sampled_from(["a", "b", "word"]), NUMBERS, max_size=3),
            "categorical_features": st.dictionaries(
                st.sampled_from(["word", "c"]), st.sampled_from([None, "x", "y", "q"]), max_size=2
            ),
            "score": st.one_of(st.none(), st.floats(0, 1)),
            "probabilities": st.dictionaries(st.sampled_from(["yes", "no"]), st.floats(0, 1), max_size=2),
        }
    ),
    min_size=1,
    max_size=40,
)


def counted(events: list[dict[str, Any]], counting: Counting) -> None:
    """Count one batch."""
    group = decode_batch([encode("prediction", {"prediction_id": "p", **one}) for one in events]).of(
        "prediction"
    )
    assert group is not None
    admission = admit(group.batch, np.full(len(events), MICROS), HISTORY)
    counting.count(group.batch, np.zeros(len(events), dtype=np.int64), admission)


def deltas(counting: Counting) -> dict[tuple[Any, ...], dict[str, Any]]:
    """What a flush would send, by its key."""
    batch = sketch_batch(counting.drain(), "delta", "topic", {0: Stretch(0, 1)})
    read = [decode(message)[1] for message in encoded(batch)]
    return {(one["model"], one["shape"], one["slice"], one["window_start"]): one for one in read}


@given(events=EVENTS)
def test_models_together_are_counted_as_each_alone(events: list[dict[str, Any]]) -> None:
    """Precision, lists, windows, slices and promised features are those of each event's own contract, whatever else is in the batch."""
    together = Counting()
    counted(events, together)
    alone: dict[tuple[Any, ...], dict[str, Any]] = {}
    for model in {one["model"] for one in events}:
        counting = Counting()
        counted([one for one in events if one["model"] == model], counting)
        alone |= deltas(counting)
    found = deltas(together)
    assert found.keys() == alone.keys()
    for key, delta in alone.items():
        assert {name: one for name, one in found[key].items() if name not in {"numeric", "categorical"}} == {
            name: one for name, one in delta.items() if name not in {"numeric", "categorical"}
        }
        assert found[key]["categorical"] == delta["categorical"]
        assert [one["column"] for one in found[key]["numeric"]] == [one["column"] for one in delta["numeric"]]
        for one, other in zip(found[key]["numeric"], delta["numeric"], strict=True):
            for name in ("sum", "sum_of_squares"):
                assert one[name] == pytest.approx(other[name], rel=1e-9, abs=1e-9, nan_ok=True)
            assert {**one, "sum": 0, "sum_of_squares": 0} == {**other, "sum": 0, "sum_of_squares": 0}
