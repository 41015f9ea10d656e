"""Sketches of events that were kept at several rates, as one of the whole; no server."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, fields

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_processors.monitor.sketch_rows import merged
from stream_processors.monitor.weighing import estimated
from stream_processors.sketches import CategoricalSketch, NumericSketch
from stream_processors.statistics import ColumnVerdict, Sketch, adjust, judge_column
from stream_processors.statistics.effective_size import Weights, effective_size

RATE = 0.1
DAYS = 30


def _plain(sketch: Sketch) -> dict[str, object]:
    """A sketch's fields, arrays as lists."""
    found = {one.name: getattr(sketch, one.name) for one in fields(sketch)}
    return {name: one.tolist() if isinstance(one, np.ndarray) else one for name, one in found.items()}


def _day(rng: np.random.Generator, n: int, failing: str = "x", often: float = 0.4) -> list[list[object]]:
    """Region, score (absent where it failed) and whether it failed; a tenth is of region x, and ``failing`` is where predictions fail."""
    regions = rng.choice(list("abcx"), n, p=[0.3, 0.3, 0.3, 0.1])
    failed = (regions == failing) & (rng.random(n) < often)
    return [regions.tolist(), rng.random(n).tolist(), failed.tolist()]


def _sketches(
    day: list[list[object]], kept: npt.NDArray[np.bool_], events: int | None = None
) -> dict[str, Sketch]:
    """What the profiler counts of these rows."""
    places = np.flatnonzero(kept).tolist()
    regions = [str(day[0][i]) for i in places]
    scores = np.array([day[1][i] for i in places if not day[2][i]], dtype=np.float64)
    whole = {"region": CategoricalSketch.of(regions), "@score": NumericSketch.of(scores, 7)}
    return {name: sketch.of_events(len(places)) for name, sketch in whole.items()}


def _sampled(
    rng: np.random.Generator, day: list[list[object]]
) -> tuple[dict[str, list[tuple[float, Sketch]]], Counter[float]]:
    """The day as a contract with ``sampling_rate: 0.1`` sends it: all that failed at rate 1, a tenth of the others."""
    failed = np.array(day[2], dtype=np.bool_)
    parts: dict[str, list[tuple[float, Sketch]]] = {"region": [], "@score": []}
    events: Counter[float] = Counter()
    for rate, kept in ((1.0, failed), (RATE, ~failed & (rng.random(failed.size) < RATE))):
        events[rate] = int(kept.sum())
        for column, sketch in _sketches(day, kept).items():
            parts[column].append((rate, sketch))
    return parts, events


@pytest.fixture(scope="module")
def reference() -> dict[str, list[Sketch]]:
    """Days like those that are judged, all of their events."""
    rng = np.random.default_rng(2)
    days = [
        _sketches(day, np.ones(len(day[0]), dtype=np.bool_))
        for day in (_day(rng, 1_000) for _ in range(DAYS))
    ]
    return {column: [day[column] for day in days] for column in ("region", "@score")}


def _judged(reference: dict[str, list[Sketch]], window: dict[str, Sketch]) -> dict[str, ColumnVerdict]:
    verdicts = [judge_column(reference[column], sketch) for column, sketch in window.items()]
    return dict(zip(window, adjust(verdicts), strict=True))


@pytest.mark.parametrize("seed", range(5))
def test_failures_kept_beside_a_sample_are_no_drift(seed: int, reference: dict[str, list[Sketch]]) -> None:
    """With all failures and a tenth of the rest, a usual day is ok; counted one by one it would be severely drifted."""
    rng = np.random.default_rng(seed)
    parts, events = _sampled(rng, _day(rng, 10_000))
    unweighted = {name: merged([one for _, one in of], events.total()) for name, of in parts.items()}
    found = _judged(reference, unweighted)
    assert {one.state for one in found.values()} == {"drifted"}
    assert {one.material for one in found.values()} == {"severe"}
    found = _judged(reference, {name: estimated(of, events) for name, of in parts.items()})
    assert {name: (one.state, one.material, one.n) for name, one in found.items()} == {
        name: ("ok", "none", effective_size(events)) for name in parts
    }
    assert abs(found["@score"].absent_rate_change or 0.0) < 0.02


def test_usual_days_of_two_rates_are_seldom_significant(reference: dict[str, list[Sketch]]) -> None:
    """At the level .05 no more than about one window in twenty."""
    rng = np.random.default_rng(7)
    alarms = 0
    for _ in range(150):
        parts, events = _sampled(rng, _day(rng, 5_000))
        found = _judged(reference, {name: estimated(of, events) for name, of in parts.items()})
        alarms += any(one.significant for one in found.values())
    # 150 windows at 5 % give at most 14 with probability .99
    assert alarms <= 14


def test_drift_is_found_at_two_rates(reference: dict[str, list[Sketch]]) -> None:
    """Another region's share, failures that moved there in numbers, and other scores are found as large as they are."""
    rng = np.random.default_rng(3)
    day = _day(rng, 10_000, failing="a", often=0.9)
    day[1] = np.sqrt(np.array(day[1], dtype=np.float64)).tolist()
    parts, events = _sampled(rng, day)
    found = _judged(reference, {name: estimated(of, events) for name, of in parts.items()})
    assert found["region"].state == "ok", "failures are elsewhere; the regions' shares are what they were"
    assert (found["@score"].state, found["@score"].material) == ("drifted", "severe")
    assert found["@score"].absent_rate_change == pytest.approx(0.27 - 0.04, abs=0.02)
    day[0] = ["a" if region == "b" else region for region in day[0]]
    parts, events = _sampled(rng, day)
    found = _judged(reference, {name: estimated(of, events) for name, of in parts.items()})
    assert (found["region"].state, found["region"].material) == ("drifted", "severe")


@pytest.mark.parametrize("rate", [1.0, 0.5, 0.1, 1 / 3])
def test_of_one_rate_nothing_changes(rate: float, reference: dict[str, list[Sketch]]) -> None:
    """Sketches and verdicts are bit for bit those of the events as they were counted."""
    rng = np.random.default_rng(4)
    halves = [_sketches(day, np.ones(400, dtype=np.bool_)) for day in (_day(rng, 400), _day(rng, 400))]
    for column in ("region", "@score"):
        plain = merged([half[column] for half in halves], 800)
        weighed = estimated([(rate, half[column]) for half in halves], Counter({rate: 800}))
        assert _plain(weighed) == _plain(plain)
        verdicts = [judge_column(reference[column], one) for one in (weighed, plain)]
        assert asdict(verdicts[0]) == asdict(verdicts[1])


_values = st.lists(st.one_of(st.none(), st.floats(-50, 50), st.just(float("inf"))), max_size=40)


@given(st.dictionaries(st.sampled_from([0.01, 0.1, 0.25, 1.0]), _values, min_size=2), st.integers(0, 5))
def test_counts_are_whole_and_within_half_an_event_of_what_they_should_be(
    values: dict[float, list[float | None]], lacking: int
) -> None:
    """Up to any bin; all add up to the effective size, moments are weighed, and what no event had no bin has."""
    events = Counter({rate: len(of) + lacking for rate, of in values.items()})
    weights = Weights.of(events)
    parts: list[tuple[float, Sketch]] = []
    for rate, of in values.items():
        valid = np.array([one is not None for one in of], dtype=np.bool_)
        numbers = np.array([0.0 if one is None else one for one in of], dtype=np.float64)
        parts.append((rate, NumericSketch.of(numbers, 3, valid).of_events(events[rate])))
    whole = estimated(parts, events)
    assert isinstance(whole, NumericSketch)
    assert whole.n == effective_size(events)
    assert (whole.counts > 0).all()
    assert (whole.minimum is None) == (whole.counts.size == 0)
    for edge in sorted(
        {one for _, part in parts if isinstance(part, NumericSketch) for one in part.bins.tolist()}
    ):
        wanted = sum(
            weights.at(rate) * int(part.counts[part.bins <= edge].sum())
            for rate, part in parts
            if isinstance(part, NumericSketch)
        )
        assert abs(int(whole.counts[whole.bins <= edge].sum()) - wanted) <= 0.5 + 1e-3
    finite = {
        rate: [one for one in of if one is not None and np.isfinite(one)] for rate, of in values.items()
    }
    if whole.mean is not None:
        w = [weights.at(rate) for rate, of in finite.items() for _ in of]
        x = [one for of in finite.values() for one in of]
        assert whole.mean == pytest.approx(np.average(x, weights=w), rel=1e-3, abs=1e-3)


@given(
    st.dictionaries(
        st.sampled_from([0.05, 0.5, 1.0]), st.lists(st.sampled_from(["a", "b", None, "y" * 70])), min_size=2
    )
)
def test_categories_stay_by_name_and_add_up(values: dict[float, list[str | None]]) -> None:
    """Names that were seen, buckets, nulls and absences."""
    events = Counter({rate: len(of) + 1 for rate, of in values.items()})
    weights = Weights.of(events)
    parts: list[tuple[float, Sketch]] = [
        (rate, CategoricalSketch.of(of).of_events(events[rate])) for rate, of in values.items()
    ]
    whole = estimated(parts, events)
    assert isinstance(whole, CategoricalSketch)
    assert whole.n == effective_size(events)
    assert whole.values == tuple(
        sorted({one for of in values.values() for one in of if one and len(one) < 70})
    )
    for value, count in zip(whole.values, whole.counts.tolist(), strict=True):
        assert abs(count - sum(weights.at(rate) * of.count(value) for rate, of in values.items())) < 1.001
    assert abs(whole.nulls - sum(weights.at(rate) * of.count(None) for rate, of in values.items())) < 1.001
    assert abs(whole.absent - sum(weights.at(rate) for rate in values)) < 1.001
