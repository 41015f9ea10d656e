"""What is judged and how it is told, from facts that a test makes: no server."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from flushes import FIRST_DAY, MODEL, contract, ordinary

from stream_processors.contracts.effect import PublishedContract
from stream_processors.contracts.model import Contract, Drift, Feature
from stream_processors.monitor.drift_messages import drift_records
from stream_processors.monitor.headings import ModelVersion
from stream_processors.monitor.judge import drift_columns, judge
from stream_processors.monitor.progress import JudgedWindow
from stream_processors.monitor.reference_series import ReferenceSeries
from stream_processors.monitor.sketch_rows import merged
from stream_processors.monitor.window_facts import SliceSketches, WindowFacts
from stream_processors.sketches import CategoricalSketch, NumericSketch
from stream_processors.statistics.verdict import Sketch
from stream_processors.windows import DAY, Window

RNG = np.random.default_rng(5)


def _columns(n: int, shift: float = 0.0) -> dict[str, Sketch]:
    columns = ordinary(RNG, FIRST_DAY, n, shift=shift).columns
    return {
        "distance": NumericSketch.of(columns["distance"], 7),
        "carrier": CategoricalSketch.of(columns["carrier"]),
        "@score": NumericSketch.of(RNG.random(n), 7),
    }


def _facts(n: int = 600, shift: float = 0.0, **whole: Any) -> WindowFacts:
    window = JudgedWindow(ModelVersion(MODEL, "production", "1", True), Window(0, DAY))
    facts = WindowFacts(window, 7, 0)
    facts.slices[""] = SliceSketches(Counter({1.0: n}), columns=_columns(n, shift), **whole)
    return facts


def _reference(
    *, score: bool = False, slices: tuple[str, ...] = ("",), same_as: Mapping[str, str] | None = None
) -> ReferenceSeries:
    held = {column: sketch for column, sketch in _columns(5000).items() if score or column != "@score"}
    held |= {column: held[other] for column, other in (same_as or {}).items()}
    return ReferenceSeries(
        "training",
        "abc",
        dict.fromkeys(slices, 5000),
        frozenset(held),
        lambda column: [(name, [held[column]]) for name in slices],
    )


def _published(wanted: Contract) -> PublishedContract:
    return PublishedContract.of(wanted, effective_from=0, appended_at=0, lead_ms=0, partition=0, offset=0)


def test_the_prediction_is_judged_where_the_reference_has_it_and_told_unjudged_where_not() -> None:
    """@score is compared if training data was scored; else the whole says that there is no reference."""
    for scored, state in ((True, "ok"), (False, "no_reference")):
        judged = judge(_facts(), _published(contract()), _reference(score=scored))
        assert {one.column: one.verdict.state for one in judged.columns}["@score"] == state


def test_a_feature_s_own_threshold_decides_for_it() -> None:
    """A change that is material by the contract's threshold is not by the feature's."""
    strict = {"distance": Feature(kind="numeric", precision=7), "carrier": Feature(kind="categorical")}
    lenient = {**strict, "distance": Feature(kind="numeric", precision=7, drift={"warn": 3.0, "severe": 4.0})}
    states = []
    for features in (strict, lenient):
        judged = judge(_facts(shift=0.8), _published(contract(features=features)), _reference())
        states.append({one.column: one.verdict.state for one in judged.columns}["distance"])
    assert states == ["drifted", "ok"]


def test_a_feature_may_be_called_like_a_pseudo_column() -> None:
    """It is judged by what was counted of it, not by the model's own score, nor found missing."""
    named = {"@score": Feature(kind="numeric", precision=7), "%x": Feature(kind="numeric", precision=7)}
    facts = _facts(shift=2.0)
    for name in ("%40score", "%25x"):
        facts.slices[""].columns[name] = facts.slices[""].columns["distance"]
    reference = _reference(score=True, same_as={"%40score": "distance", "%25x": "distance"})
    wanted = contract(features=named)
    judged = judge(facts, _published(wanted), reference)
    assert {one.column: one.verdict.state for one in judged.columns} == {
        "%40score": "drifted",
        "%25x": "drifted",
        "@score": "ok",
    }
    assert drift_columns(wanted)[:2] == ["%40score", "%25x"]


def test_a_threshold_of_warn_alone_raises_severe_too() -> None:
    """As a contract could say it that was published before it was refused: nothing is severe that is no warning."""
    lenient = {
        "distance": Feature(kind="numeric", precision=7, drift={"warn": 3.0}),
        "carrier": Feature(kind="categorical"),
    }
    judged = judge(_facts(shift=0.8), _published(contract(features=lenient)), _reference())
    assert {one.column: one.verdict.state for one in judged.columns}["distance"] == "ok"


def test_a_feature_that_came_as_another_kind_is_absent() -> None:
    """Numbers where the contract says categories are no categories: all events lack the feature, which is drift."""
    facts = _facts()
    facts.slices[""].columns["carrier"] = NumericSketch.of(np.ones(600), 5)
    judged = judge(facts, _published(contract()), _reference())
    (carrier,) = (one.verdict for one in judged.columns if one.column == "carrier")
    assert (carrier.state, carrier.absent_rate_change) == ("drifted", 1.0)


def test_what_was_counted_before_a_feature_changed_its_kind_is_left_out() -> None:
    """On the day that a contract makes numbers categories, the events of the morning lack nothing: the rest of the day is judged."""
    facts = _facts(1_200)
    morning, afternoon = NumericSketch.of(np.ones(600), 5), _columns(599)["carrier"]
    facts.slices[""].columns["carrier"] = merged([morning, afternoon], 1_200)
    judged = judge(facts, _published(contract()), _reference())
    (carrier,) = (one.verdict for one in judged.columns if one.column == "carrier")
    assert (carrier.state, carrier.n, carrier.excluded) == ("ok", 600, 1)


def test_nulls_that_came_without_a_kind_are_nulls_of_the_feature() -> None:
    """A service that says a category's None as a number's neither makes the feature vanish, whichever came last, nor hides its nulls."""
    values, nulls = _columns(600)["carrier"], replace(NumericSketch.of(np.array([]), 5), nulls=60, absent=540)
    for parts in ([values, nulls], [nulls, values]):
        facts = _facts()
        facts.slices[""].columns["carrier"] = merged(parts, 660)
        judged = judge(facts, _published(contract()), _reference())
        (carrier,) = (one.verdict for one in judged.columns if one.column == "carrier")
        assert (carrier.n, carrier.null_rate_change, carrier.absent_rate_change) == (660, 60 / 660, 0.0)


def test_a_slice_that_was_judged_in_its_smaller_windows_is_not_judged_again() -> None:
    """Only where a day of the week had too few events is the week judged."""
    covered = judge(_facts(least_part=200), _published(contract()), _reference())
    needed = judge(_facts(least_part=199), _published(contract()), _reference())
    assert (len(covered.columns), len(needed.columns)) == (0, 3)
    assert [record["column"] for record in drift_records(covered)] == ["@model"]


def test_the_whole_of_a_window_judged_in_its_smaller_windows_is_not_short_of_events() -> None:
    """Nothing is left to test in it, though a small slice of it may have too few events."""
    facts = _facts(least_part=200)
    facts.slices["origin=JFK"] = SliceSketches(Counter({1.0: 199}), least_part=20)
    *_, whole = drift_records(judge(facts, _published(contract()), _reference(slices=("", "origin=JFK"))))
    assert (whole["state"], whole["n"]) == ("untestable", 600)
    *_, short = drift_records(judge(_facts(150, least_part=20), _published(contract()), _reference()))
    assert (short["state"], short["n"]) == ("insufficient", 150)


def test_small_slices_are_insufficient_without_their_sketches() -> None:
    """Most slices are small; they are told so with both counts, though nothing of them was built."""
    facts = _facts()
    facts.slices["origin=JFK"] = SliceSketches(Counter({1.0: 199}))
    judged = judge(facts, _published(contract()), _reference(slices=("", "origin=JFK")))
    small = [one.verdict for one in judged.columns if one.slice == "origin=JFK"]
    assert [(verdict.state, verdict.n, verdict.reference_n) for verdict in small] == [
        ("insufficient", 199, 5000)
    ] * 2


def test_the_whole_is_as_bad_as_its_worst_column_and_names_it_first() -> None:
    """The model's verdict sums up: state, share drifted, errors, contributors; it stands last."""
    facts = _facts(shift=2.0, errors=Counter({1.0: 30}))
    judged = judge(facts, _published(contract(drift=Drift(level=0.01))), _reference())
    *_, whole = drift_records(judged)
    assert (whole["column"], whole["slice"], whole["state"], whole["material"]) == (
        "@model",
        "",
        "drifted",
        "severe",
    )
    assert whole["contributors"][0] == "distance"
    assert whole["evidence"]["error_rate"] == 0.05
    assert whole["evidence"]["share_drifted"] == 0.5


def test_without_a_reference_only_the_whole_is_told() -> None:
    """There is nothing to compare with; volume and errors are told all the same."""
    (record,) = drift_records(judge(_facts(), None, None))
    assert (record["state"], record["reference"], record["n"], record["contract"]) == (
        "no_reference",
        "",
        600,
        None,
    )
