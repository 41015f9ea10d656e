"""Counting and its messages, without a broker: any split into batches and flushes adds up to the same."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from profiled_log import MergedSketch, assert_categorical, assert_numeric

from producers.codec import decode, encode
from stream_processors.admission import admit
from stream_processors.contracts.effect import ContractHistory, PublishedContract
from stream_processors.contracts.model import Contract
from stream_processors.decoding import decode_batch
from stream_processors.profiler.counting import Counting
from stream_processors.profiler.sketch_batch import MAX_PART_BYTES, Stretch, encoded, sketch_batch

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
MICROS = int(NOW.timestamp() * 1e6)
CONTRACT = Contract.model_validate(
    {
        "model": "with",
        "features": {
            "a": {"kind": "numeric", "precision": 8},
            "word": {"kind": "categorical", "values": ["x"]},
        },
        "slices": [{"by": "word", "values": ["x", "y"]}],
        "windows": {"base": "5min", "rollups": []},
    }
)
HISTORY = ContractHistory(
    [PublishedContract.of(CONTRACT, effective_from=0, appended_at=0, lead_ms=0, partition=0, offset=0)]
)
STRETCHES = {partition: Stretch(0, 1) for partition in range(3)}

NUMBERS = st.one_of(st.none(), st.floats(-1e6, 1e6), st.just(float("nan")), st.sampled_from([0.0, 1.0, 2.5]))
WORDS = st.one_of(st.none(), st.sampled_from(["x", "y", "z"]), st.text(max_size=3))
EVENTS = st.lists(
    st.fixed_dictionaries(
        {
            "model": st.sampled_from(["with", "without", "another"]),
            "model_version": st.sampled_from(["1", "2"]),
            "event_time": st.integers(0, 900).map(lambda s: NOW - timedelta(seconds=s)),
            "numeric_features": st.dictionaries(st.sampled_from(["a", "b", "word"]), NUMBERS, max_size=3),
            "categorical_features": st.dictionaries(st.sampled_from(["word", "other"]), WORDS, max_size=2),
            "score": st.one_of(st.none(), st.floats(0, 1)),
            "decision": st.sampled_from([None, "yes", "no"]),
            "probabilities": st.dictionaries(st.sampled_from(["yes", "no"]), st.floats(0, 1), max_size=2),
            "status": st.sampled_from(["ok", "error"]),
        }
    ),
    min_size=1,
    max_size=40,
)


def deltas(counting: Counting) -> list[dict[str, Any]]:
    """What a flush would send, read back as a consumer reads it."""
    batch = sketch_batch(counting.drain(), "delta", "topic", STRETCHES)
    return [decode(message)[1] for message in encoded(batch)]


def count(counting: Counting, events: list[dict[str, Any]], partitions: list[int]) -> None:
    """Count one batch."""
    values = [encode("prediction", {"prediction_id": str(n), **one}) for n, one in enumerate(events)]
    group = decode_batch(values).of("prediction")
    assert group is not None
    admission = admit(group.batch, np.full(len(events), MICROS), HISTORY)
    counting.count(group.batch, np.array(partitions, dtype=np.int64), admission)


@settings(deadline=None, max_examples=60)
@given(events=EVENTS, data=st.data())
def test_any_split_adds_up(events: list[dict[str, Any]], data: st.DataObject) -> None:
    """However events are split into batches, partitions and flushes, merged deltas are the counts of all events."""
    counting, sent = Counting(), []
    rest = list(events)
    while rest:
        size = data.draw(st.integers(1, len(rest)))
        batch, rest = rest[:size], rest[size:]
        count(counting, batch, data.draw(st.lists(st.integers(0, 2), min_size=size, max_size=size)))
        if data.draw(st.booleans()):
            sent += deltas(counting)
    sent += deltas(counting)
    assert_whole(events, sent)


# A life: sizes of the batches that it counts, and whether it lives to flush them.
LIVES = st.lists(st.tuples(st.lists(st.integers(1, 12), min_size=1, max_size=3), st.booleans()), max_size=6)


@settings(deadline=None, max_examples=20)
@given(events=EVENTS, lives=LIVES, random=st.randoms(use_true_random=False))
def test_any_restarts_add_up(
    events: list[dict[str, Any]], lives: list[tuple[list[int], bool]], random: Random
) -> None:
    """In any order, and whatever is counted and lost before it is flushed and read again in other batches, merged deltas are the counts of all events."""
    order = random.sample(events, len(events))
    sent: list[dict[str, Any]] = []
    committed = 0
    for sizes, flushed in [*lives, ([len(order)], True)]:
        counting, place = Counting(), committed
        for size in sizes:
            batch = order[place : place + size]
            if batch:
                count(counting, batch, [n % 3 for n in range(place, place + len(batch))])
            place += len(batch)
        if flushed:
            sent += deltas(counting)
            committed = place
    assert_whole(events, sent)


def assert_whole(events: list[dict[str, Any]], sent: list[dict[str, Any]]) -> None:
    """Merged deltas of each model are the counts of its events."""
    for model, precision in (("with", 8), ("without", 5), ("another", 5)):
        own = [one for one in events if one["model"] == model]
        whole = MergedSketch([d for d in sent if d["model"] == model and d["slice"] == ""])
        assert (whole.events, whole.errors) == (len(own), sum(one["status"] == "error" for one in own))
        assert_same_columns(whole, own, precision)
    check_slices(events, sent)


def assert_same_columns(whole: MergedSketch, events: list[dict[str, Any]], precision: int) -> None:
    """Every column of the events is counted, and absent is what is left."""
    for name in ("a", "b"):
        carried = [one["numeric_features"][name] for one in events if name in one["numeric_features"]]
        if any(value is not None and value == value for value in carried):  # noqa: PLR0124 - NaN
            sketch = whole.numeric(name)
            assert_numeric(sketch, carried, precision if name == "a" else 5)
            assert sketch.absent == len(events) - len(carried)
    others = [
        one["categorical_features"]["other"] for one in events if "other" in one["categorical_features"]
    ]
    if others:
        assert_categorical(whole.categorical("other"), others)
    scores = [one["score"] for one in events if one["score"] is not None]
    if scores:
        assert_numeric(whole.numeric("@score"), scores, 7 if precision == 8 else 5)
        assert whole.numeric("@score").absent == len(events) - len(scores)


def check_slices(events: list[dict[str, Any]], sent: list[dict[str, Any]]) -> None:
    """Slices of the model with a contract are those of its categorical feature, and the rest."""
    sums: dict[str, int] = {}
    for delta in sent:
        if delta["model"] == "with" and delta["slice"]:
            sums[delta["slice"]] = sums.get(delta["slice"], 0) + delta["events"]
    expected: dict[str, int] = {}
    for one in events:
        if one["model"] == "with":
            word = one["categorical_features"].get("word")
            name = f"word={word}" if word in ("x", "y") else "word=@other"
            expected[name] = expected.get(name, 0) + 1
    assert sums == expected
    assert all(d["slice"] == "" for d in sent if d["model"] == "without")


def test_what_a_delta_holds_does_not_depend_on_the_batch() -> None:
    """Other models and versions in a batch, and the split into batches, leave a delta's message byte for byte as it is."""
    events: list[dict[str, Any]] = [
        {
            "model": model,
            "model_version": version,
            "event_time": NOW,
            "numeric_features": {"a": 1.5 * n, **({"rare": 1.0} if version == "2" else {})},
        }
        for n, (model, version) in enumerate(
            [("with", "1"), ("with", "2"), ("without", "1"), ("without", "2")] * 5
        )
    ]

    def alone(model: str, version: str) -> set[bytes]:
        counting = Counting()
        own = [one for one in events if (one["model"], one["model_version"]) == (model, version)]
        for one in own:
            count(counting, [one], [0])
        return set(encoded(sketch_batch(counting.drain(), "delta", "topic", STRETCHES)))

    counting = Counting()
    count(counting, events, [0] * len(events))
    together = set(encoded(sketch_batch(counting.drain(), "delta", "topic", STRETCHES)))
    pairs = [(m, v) for m in ("with", "without") for v in ("1", "2")]
    assert together == set().union(*(alone(*pair) for pair in pairs))


def test_parts() -> None:
    """A sketch too large for one message goes in parts, each below the limit; only the first counts events, and each column stands once."""
    chance = np.random.default_rng(2)
    wide = {f"feature {n}": None for n in range(60)}
    events = [
        {
            "model": "without",
            "model_version": "1",
            "event_time": NOW,
            "numeric_features": {
                name: float(chance.normal() * 10.0 ** chance.integers(-300, 300)) for name in wide
            },
            "categorical_features": {
                f"word {n}": "ж" * 30 + str(chance.integers(0, 5_000)) for n in range(10)
            },
        }
        for _ in range(4_000)
    ]
    counting = Counting()
    count(counting, events, [1] * len(events))
    messages = encoded(sketch_batch(counting.drain(), "delta", "topic", STRETCHES))
    assert len(messages) > 1
    assert max(map(len, messages)) < MAX_PART_BYTES
    parts = [decode(message)[1] for message in messages]
    assert [(one["part"], one["parts"]) for one in parts] == [(n, len(parts)) for n in range(len(parts))]
    assert [one["events"] for one in parts] == [4_000] + [0] * (len(parts) - 1)
    assert [one["min_event_time"] is None for one in parts] == [False] + [True] * (len(parts) - 1)
    columns = [c["column"] for one in parts for kind in ("numeric", "categorical") for c in one[kind]]
    assert sorted(columns) == sorted([*wide, *(f"word {n}" for n in range(10))])


def test_bytes_are_those_of_the_codec() -> None:
    """A delta encoded by the batch is byte for byte what the codec makes of its record."""
    counting = Counting()
    count(counting, [{"model": "with", "model_version": "1", "event_time": NOW, "score": 0.5}] * 3, [0, 1, 2])
    for message in encoded(sketch_batch(counting.drain(), "delta", "topic", STRETCHES)):
        assert encode("sketch", decode(message)[1]) == message


def test_nothing_counted() -> None:
    """A flush without events makes no message."""
    assert deltas(Counting()) == []


def test_many_keys() -> None:
    """Thousands of windows, versions and rates in one batch are thousands of deltas that add up."""
    events = [
        {
            "model": "without",
            "model_version": str(n % 7),
            "event_time": NOW - timedelta(minutes=n),
            "sampling_rate": 1 / (1 + n % 3),
            "numeric_features": {"a": float(n)},
        }
        for n in range(5_000)
    ]
    counting = Counting()
    count(counting, events, [n % 3 for n in range(5_000)])
    assert counting.held >= 5_000 * 8
    sent = deltas(counting)
    assert len(sent) == 5_000
    assert_numeric(MergedSketch(sent).numeric("a"), [float(n) for n in range(5_000)])
