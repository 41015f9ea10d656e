"""The matching rule, against a plain loop that follows its words, and word by word."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_processors.joiner.matching import (
    first_facts,
    first_predictions,
    match,
    told_apart,
    unmatched_nearby,
)

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
_TIME = pa.timestamp("us", "UTC")
_FACT = pa.schema(
    [
        ("label_id", pa.string()),
        ("prediction_id", pa.string()),
        ("output", pa.string()),
        ("model", pa.string()),
        ("true_at", _TIME),
        ("reported_at", _TIME),
        ("hint", _TIME),
        ("model_version", pa.string()),
        ("environment", pa.string()),
        ("_appended_at", _TIME),
        ("_partition", pa.uint32()),
        ("_offset", pa.uint64()),
    ]
)
_PREDICTION = pa.schema(
    [
        ("prediction_id", pa.string()),
        ("output", pa.string()),
        ("model", pa.string()),
        ("model_version", pa.string()),
        ("environment", pa.string()),
        ("event_time", _TIME),
        ("_appended_at", _TIME),
        ("_partition", pa.uint32()),
        ("_offset", pa.uint64()),
    ]
)
Row = dict[str, Any]


def fact(appended: float, **more: Any) -> Row:
    """A fact about `p`, appended so many hours after noon."""
    at = NOON + appended * HOUR
    defaults = {
        "label_id": "l",
        "prediction_id": "p",
        "output": "",
        "model": "m",
        "true_at": None,
        "reported_at": at,
        "hint": None,
        "model_version": None,
        "environment": None,
        "_appended_at": at,
        "_partition": 0,
        "_offset": int(appended * 3600) + 10**6,
    }
    return {**defaults, **more}


def prediction(event: float, appended: float, **more: Any) -> Row:
    """A prediction `p` of version 1 made and appended so many hours after noon."""
    defaults = {
        "prediction_id": "p",
        "output": "",
        "model": "m",
        "model_version": "1",
        "environment": "production",
        "event_time": NOON + event * HOUR,
        "_appended_at": NOON + appended * HOUR,
        "_partition": 0,
        "_offset": int(appended * 3600) + 10**6,
    }
    return {**defaults, **more}


def matched(facts: list[Row], predictions: list[Row], horizon_h: int = 1000) -> set[tuple[Any, ...]]:
    """(label_id, version, environment, event time in hours, ambiguous) of every match."""
    facts_table = first_facts(pa.Table.from_pylist(facts, _FACT))
    table = first_predictions(pa.Table.from_pylist(predictions, _PREDICTION))
    found = match(facts_table, table, np.full(facts_table.num_rows, horizon_h * 3600))
    rows = table.take(found.prediction).to_pylist()
    labels = facts_table.take(found.fact)["label_id"].to_pylist()
    return {
        (label, row["model_version"], row["environment"], (row["event_time"] - NOON) / HOUR, bool(ambiguous))
        for label, row, ambiguous in zip(labels, rows, found.ambiguous, strict=True)
    }


def test_one_candidate_matches_whatever_the_clocks_say() -> None:
    """A prediction said to be made after the truth came true is still the only one with its id."""
    assert matched([fact(5, true_at=NOON)], [prediction(3, 4)]) == {("l", "1", "production", 3, False)}
    year_ago = prediction(-8760, 4)
    assert matched([fact(5)], [year_ago], horizon_h=24) == {("l", "1", "production", -8760, False)}


def test_an_id_used_twice_goes_to_the_latest_before_the_truth() -> None:
    """Of predictions at 1, 2 and 4 o'clock, the truth of 3 o'clock belongs to that of 2, and says that it was ambiguous."""
    rows = [prediction(1, 1), prediction(2, 2), prediction(4, 4)]
    assert matched([fact(6, true_at=NOON + 3 * HOUR)], rows) == {("l", "1", "production", 2, True)}


def test_without_one_before_the_truth_the_earliest_is_taken() -> None:
    """A truth older than every prediction with its id belongs to the earliest."""
    rows = [prediction(2, 2), prediction(1, 1)]
    assert matched([fact(6, true_at=NOON)], rows) == {("l", "1", "production", 1, True)}


def test_later_predictions_never_move_a_match() -> None:
    """A better prediction that comes after the fact changes nothing, so the answer does not depend on when it is asked."""
    before, after = prediction(1, 1), prediction(2, 7)
    told = fact(6, true_at=NOON + 3 * HOUR)
    assert (
        matched([told], [before]) == matched([told], [before, after]) == {("l", "1", "production", 1, False)}
    )


def test_a_fact_that_comes_first_waits_for_the_first_prediction() -> None:
    """With no candidate when the fact came, the first prediction appended afterwards is it, not the best by event time."""
    rows = [prediction(2, 9), prediction(1, 8)]
    assert matched([fact(6, true_at=NOON + 3 * HOUR)], rows) == {("l", "1", "production", 1, False)}


def test_past_the_horizon_a_fact_is_an_orphan() -> None:
    """A prediction that comes longer after the fact than the horizon is not its prediction."""
    assert not matched([fact(0)], [prediction(1, 30)], horizon_h=24)
    assert matched([fact(0)], [prediction(1, 23)], horizon_h=24)


def test_every_version_that_used_the_id_gets_it() -> None:
    """Champion and shadow both get the truth; a fact that names a version is that version's alone."""
    rows = [prediction(1, 1), prediction(1, 1, model_version="2"), prediction(1, 1, environment="staging")]
    assert len(matched([fact(2)], rows)) == 3
    assert matched([fact(2, model_version="2")], rows) == {("l", "2", "production", 1, False)}
    assert matched([fact(2, environment="staging")], rows) == {("l", "1", "staging", 1, False)}


def test_outputs_and_models_are_apart() -> None:
    """The same id under another output or model is another prediction."""
    rows = [prediction(1, 1, output="b"), prediction(1, 1, model="n")]
    assert not matched([fact(2)], rows)


def test_near_the_hint_comes_first() -> None:
    """With a candidate within an hour of the hint, others with the id are not looked at; without, all are."""
    rows = [prediction(1, 1), prediction(5, 5)]
    near = fact(9, hint=NOON + 0.5 * HOUR, true_at=NOON + 8 * HOUR)
    far = fact(9, hint=NOON + 3 * HOUR, true_at=NOON + 8 * HOUR)
    assert matched([near], rows) == {("l", "1", "production", 1, False)}
    assert matched([far], rows) == {("l", "1", "production", 5, True)}


def test_near_the_hint_comes_first_within_a_version() -> None:
    """A shadow that scored the id far from the hint gets the truth beside the champion near it, whether it came before the fact or after."""
    told = fact(30, hint=NOON + HOUR, true_at=NOON + 2 * HOUR)
    for appended in (20, 40):
        rows = [prediction(1, 1), prediction(20, appended, model_version="2")]
        assert matched([told], rows) == {
            ("l", "1", "production", 1, False),
            ("l", "2", "production", 20, False),
        }
    rows = [prediction(1, 1), prediction(20, 20, environment="staging"), prediction(20, 21)]
    assert matched([told], rows) == {("l", "1", "production", 1, False), ("l", "1", "staging", 20, False)}


def test_a_resend_is_the_first_arrival() -> None:
    """A fact and a prediction that were sent twice match once, with the append time of the first."""
    facts = [fact(7, reported_at=NOON, _offset=2), fact(2, reported_at=NOON, _offset=1)]
    rows = [prediction(1, 6), prediction(1, 1)]
    assert matched(facts, rows) == {("l", "1", "production", 1, False)}
    assert first_facts(pa.Table.from_pylist(facts, _FACT))["_offset"].to_pylist() == [1]


def test_facts_under_one_label_id_are_told_apart() -> None:
    """The first arrival keeps the id, whatever it reports; another fact of that id is named by its time too, wherever one looks."""
    facts = [
        fact(3, reported_at=NOON, _offset=3),
        fact(1, reported_at=NOON + HOUR, _offset=1),
        fact(2, label_id="other", _offset=2),
        fact(4, prediction_id="q", _offset=4),
        fact(5, reported_at=NOON + 2 * HOUR, _offset=5),
    ]
    at = int(NOON.timestamp()) * 10**6
    wanted = [f"l {at}", "l", "other", "l", f"l {at + 2 * 3600 * 10**6}"]
    for seen in (5, 4, 3, 2):
        found = told_apart(pa.Table.from_pylist(facts[:seen], _FACT))
        assert found["label_id"].to_pylist() == wanted[:seen]
    assert told_apart(pa.Table.from_pylist([], _FACT)).num_rows == 0


def by_the_words(facts: list[Row], predictions: list[Row], horizon_h: int) -> set[tuple[Any, ...]]:
    """The rule of the design, one fact and version at a time."""
    found = set()
    for told in facts:
        same = [
            row
            for row in predictions
            if row["prediction_id"] == told["prediction_id"]
            and told["model_version"] in (None, row["model_version"])
        ]
        for version in {row["model_version"] for row in same}:
            ours = [row for row in same if row["model_version"] == version]
            near = [row for row in ours if told["hint"] and abs(row["event_time"] - told["hint"]) <= HOUR]
            if any(row["_appended_at"] <= told["_appended_at"] for row in near):
                ours = near
            candidates = [row for row in ours if row["_appended_at"] <= told["_appended_at"]]
            limit = told["_appended_at"] + horizon_h * HOUR
            later = [row for row in ours if told["_appended_at"] < row["_appended_at"] <= limit]
            true_at = told["true_at"] or told["reported_at"]
            prior = [row for row in candidates if row["event_time"] < true_at]
            if prior:
                best = max(prior, key=lambda row: row["event_time"])
            elif candidates:
                best = min(candidates, key=lambda row: row["event_time"])
            elif later:
                best = min(later, key=lambda row: (row["_appended_at"], row["_offset"]))
            else:
                continue
            at = (best["event_time"] - NOON) / HOUR
            found.add((told["label_id"], version, "production", at, len(candidates) > 1))
    return found


_HOURS = st.integers(0, 12)
_FACTS = st.lists(
    st.builds(
        lambda at, about, version, hint, true: fact(
            at,
            prediction_id=about,
            model_version=version,
            hint=None if hint is None else NOON + hint * HOUR,
            true_at=None if true is None else NOON + true * HOUR,
        ),
        _HOURS,
        st.sampled_from("pq"),
        st.sampled_from([None, "1", "2"]),
        st.none() | _HOURS,
        st.none() | _HOURS,
    ),
    max_size=5,
)
_PREDICTIONS = st.lists(
    st.builds(
        lambda event, at, about, version: prediction(event, at, prediction_id=about, model_version=version),
        _HOURS,
        _HOURS,
        st.sampled_from("pqr"),
        st.sampled_from("12"),
    ),
    max_size=8,
    unique_by=lambda row: (row["event_time"], row["prediction_id"], row["model_version"]),
)


@settings(max_examples=300, deadline=None)
@given(facts=_FACTS, predictions=_PREDICTIONS)
def test_the_columns_follow_the_words(facts: list[Row], predictions: list[Row]) -> None:
    """Whatever was sent when, the columnar rule and the plain loop find the same matches."""
    facts = [{**row, "label_id": f"l{place}"} for place, row in enumerate(facts)]
    predictions = [{**row, "_offset": place} for place, row in enumerate(predictions)]
    assert matched(facts, predictions, 1000) == by_the_words(facts, predictions, 1000)


def test_what_is_not_found_nearby_is_known() -> None:
    """Facts without a hint, those whose only neighbour came later, and those that another version may have answered, are searched in all of time."""
    facts = [
        fact(2, label_id="a"),
        fact(2, label_id="b", hint=NOON + HOUR),
        fact(0, label_id="c", hint=NOON + HOUR),
    ]
    table = pa.Table.from_pylist(facts, _FACT)
    near = pa.Table.from_pylist([prediction(1, 1)], _PREDICTION)
    columns = ["model", "output", "model_version", "environment"]

    def missing(facts: pa.Table, *elsewhere: Row) -> list[bool]:
        versions = pa.Table.from_pylist(list(elsewhere), _PREDICTION).select(columns)
        return [bool(one) for one in unmatched_nearby(facts, near, versions)]

    other = prediction(20, 20, model_version="2")
    named = pa.Table.from_pylist([fact(2, label_id="d", hint=NOON + HOUR, model_version="1")], _FACT)
    assert missing(table) == missing(table, prediction(1, 1)) == [True, False, True]
    assert missing(table, prediction(20, 20, model="n"), prediction(20, 20, output="b")) == [
        True,
        False,
        True,
    ]
    assert missing(table, other) == [True, True, True]
    assert missing(named, other) == [False]
    assert missing(table.slice(0, 0), other) == []
