"""Named questions about what was said, what was live, what drifted and what alerted."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from answered import rows
from known_history import APRIL, MARCH, MODEL, START, KnownHistory
from recorded_rows import EVENTS, Recorder, prediction, utc
from scipy.stats import ks_2samp, wasserstein_distance

from evaluation.history import History
from stream_processors.sketches.bins import histogram_bins, midpoint

DAY = timedelta(days=1)
WINDOW = {"window_start": START, "window_end": START + DAY}
VERSION = {"model": MODEL, "model_version": "1", "environment": "production", "served": True}


@pytest.mark.parametrize(
    ("every", "frequency"), [("hour", "h"), ("day", "D"), ("week", "W-SUN"), ("month", "M")]
)
def test_volume(history: History, known: KnownHistory, every: str, frequency: str) -> None:
    """Counts, failures and latencies per window of UTC, version, role and kind of traffic; resends count once."""
    found = rows(history, "volume", model=MODEL, every=every, traffic="all")
    made = known.predictions
    starts = made.event_time.dt.tz_localize(None).dt.to_period(frequency).dt.start_time.dt.tz_localize("UTC")
    groups = {
        (str(start), version, bool(served)): group
        for (start, version, served), group in made.groupby([starts, "model_version", "served"])
    }
    assert {(str(pd.Timestamp(row["window"])), row["model_version"], row["served"]) for row in found} == set(
        groups
    )
    for row in found:
        group = groups[str(pd.Timestamp(row["window"])), row["model_version"], row["served"]]
        failed = (group.status != "ok").sum()
        assert (row["predictions"], row["errors"]) == (len(group), failed)
        assert row["error_share"] == pytest.approx(failed / len(group))
        assert row["role"] == ("champion" if row["served"] else "shadow")
        ordered = np.sort(group.latency_ms)
        assert ordered[0] <= row["latency_p50_ms"] <= row["latency_p99_ms"] <= ordered[-1]
    assert sum(row["predictions"] for row in found) == len(made) < known.sent


def test_volume_is_served_unless_asked(history: History, known: KnownHistory) -> None:
    """Shadow traffic is counted when it is asked for."""
    total = {
        kind: sum(row["predictions"] for row in rows(history, "volume", model=MODEL, traffic=kind))
        for kind in ("served", "shadow", "all")
    }
    served = int(known.predictions.served.sum())
    assert total == {
        "served": served,
        "shadow": len(known.predictions) - served,
        "all": len(known.predictions),
    }
    assert sum(row["predictions"] for row in rows(history, "volume", model=MODEL)) == served


def test_live_when(history: History) -> None:
    """Which version was live when; and at one moment."""
    everything = rows(history, "live_when", model=MODEL)
    assert [
        (row["model_version"], row["role"], row["valid_from"], row["valid_to"]) for row in everything
    ] == [
        ("1", "champion", START, APRIL),
        ("2", "shadow", MARCH, APRIL),
        ("2", "champion", APRIL, None),
    ]
    assert [row["model_version"] for row in rows(history, "live_when", model=MODEL, at=MARCH + DAY)] == [
        "1",
        "2",
    ]
    assert [row["role"] for row in rows(history, "live_when", model=MODEL, at=APRIL)] == ["champion"]


def test_entity_history(history: History, known: KnownHistory) -> None:
    """Everything every version said about one subject and what came true, newest first, as known at a moment."""
    t = utc("2013-04-10")
    for moment in (None, t):
        given = {} if moment is None else {"t": moment}
        found = rows(history, "entity_history", model=MODEL, entity="N7", **given)
        expected = known.outcomes(moment)
        expected = expected[expected.entity_id == "N7"].sort_values(
            ["event_time", "model_version"], ascending=[False, True]
        )
        assert [
            (row["prediction_id"], row["model_version"], row["label_state"], row["truth"]) for row in found
        ] == [
            (row.prediction_id, row.model_version, row.state, row.truth if row.state == "labelled" else None)
            for row in expected.itertuples()
        ]
        assert found
    assert dict(found[0]["categorical_features"]).keys() == {"origin", "carrier"}
    assert len(rows(history, "entity_history", model=MODEL, entity="N7", most=3)) == 3
    assert {
        row["served"] for row in rows(history, "entity_history", model=MODEL, entity="N7", traffic="served")
    } == {True}


def test_hostile_names_are_only_values(ask: History, record: Recorder) -> None:
    """Quotes, backslashes, braces and line ends in a parameter are compared, not read as SQL."""
    hostile = [
        "' OR 1=1 --",
        'it\'s \\ "q" {model:String}',
        "line\nend\ttab",
        "%(x)s %%",
        "ünïcode'; DROP TABLE predictions",
    ]
    record.insert(
        "predictions",
        [prediction(str(n), START, model=name, entity_id=name) for n, name in enumerate(hostile)],
    )
    for number, name in enumerate(hostile):
        found = rows(ask, "entity_history", model=name, entity=name)
        assert [row["prediction_id"] for row in found] == [str(number)]


def test_drift_by_feature(ask: History, record: Recorder) -> None:
    """The last revision per verdict, of the slice, reference and period asked for."""
    verdict = {**VERSION, "reference": "training", "state": "ok", "material": "none"}
    late = {"window_start": START + DAY, "window_end": START + 2 * DAY}
    record.insert(
        "drift",
        [
            {**verdict, **WINDOW, "column": "distance", "revision": 3, "psi": 0.1},
            {
                **verdict,
                **WINDOW,
                "column": "distance",
                "revision": 5,
                "psi": 0.3,
                "state": "drifted",
                "material": "severe",
            },
            {**verdict, **late, "column": "distance", "revision": 6, "psi": 0.2},
            {**verdict, **WINDOW, "column": "@score", "revision": 5, "psi": 0.4},
            {**verdict, **WINDOW, "column": "distance", "slice": "origin=JFK", "revision": 5, "psi": 0.5},
            {**verdict, **WINDOW, "column": "distance", "served": False, "revision": 5, "psi": 0.6},
            {**verdict, **WINDOW, "column": "distance", "reference": "previous", "revision": 5, "psi": 0.7},
        ],
    )
    assert [row["psi"] for row in rows(ask, "drift_by_feature", model=MODEL)] == [0.4, 0.3, 0.2]
    assert [
        row["psi"] for row in rows(ask, "drift_by_feature", model=MODEL, column="distance", until=START + DAY)
    ] == [0.3]
    assert [row["psi"] for row in rows(ask, "drift_by_feature", model=MODEL, slice="origin=JFK")] == [0.5]
    assert [row["psi"] for row in rows(ask, "drift_by_feature", model=MODEL, traffic="shadow")] == [0.6]
    assert [row["psi"] for row in rows(ask, "drift_by_feature", model=MODEL, reference="previous")] == [0.7]


def test_drift_by_feature_without_a_reference(ask: History, record: Recorder) -> None:
    """A model without a baseline has verdicts too, which say so: they are found under no reference's name."""
    verdict = {**VERSION, **WINDOW, "state": "no_reference", "material": "none", "revision": 5}
    record.insert("drift", [{**verdict, "reference": "", "column": name} for name in ("@model", "distance")])
    assert rows(ask, "drift_by_feature", model=MODEL) == []
    found = rows(ask, "drift_by_feature", model=MODEL, reference="")
    assert [(row["column"], row["state"]) for row in found] == [
        ("@model", "no_reference"),
        ("distance", "no_reference"),
    ]


def sketch(values: np.ndarray[Any, Any], day: int, precision: int, **more: Any) -> dict[str, Any]:
    """One day's sketch of a numeric column."""
    bins, counts = np.unique(histogram_bins(values, precision), return_counts=True)
    return {
        **VERSION,
        "kind": "delta",
        "sampling_rate": 1.0,
        "column": "distance",
        "column_kind": "numeric",
        "topic_id": "t",
        "window_start": START + day * DAY,
        "window_end": START + (day + 1) * DAY,
        "precision": precision,
        "bins": bins.tolist(),
        "counts": counts.tolist(),
        "sum": float(values.sum()),
        "sum_of_squares": float((values**2).sum()),
        "nulls": 2,
        **more,
    }


def test_feature_change(ask: History, record: Recorder) -> None:
    """Two periods of several windows are compared as scipy compares their binned values, also across precisions."""
    random = np.random.default_rng(3)
    days = [
        random.normal(1000, 300, 500),
        random.normal(1000, 300, 300),
        random.normal(1300, 300, 400),
        random.normal(1300, 200, 200),
    ]
    record.insert(
        "sketches", [sketch(values, day, precision=7 if day != 2 else 6) for day, values in enumerate(days)]
    )
    origin = {
        **VERSION,
        "kind": "delta",
        "sampling_rate": 1.0,
        "column": "origin",
        "column_kind": "categorical",
        "values": ["EWR", "JFK"],
    }
    for day, counts in [(0, [10, 90]), (3, [50, 50])]:
        record.insert(
            "sketches",
            [
                {
                    **origin,
                    "window_start": START + day * DAY,
                    "window_end": START + (day + 1) * DAY,
                    "counts": counts,
                }
            ],
        )
    record.insert(
        "sketches", [{**sketch(values, day, precision=7), **EVENTS} for day, values in enumerate(days)]
    )
    asked = {
        "since": START + 2 * DAY,
        "until": START + 4 * DAY,
        "reference_since": START,
        "reference_until": START + 2 * DAY,
    }
    found = {row["column"]: row for row in rows(ask, "feature_change", model=MODEL, **asked)}
    ours, theirs = np.concatenate(days[2:]), np.concatenate(days[:2])
    row = found["distance"]
    assert (row["n"], row["reference_n"]) == (600, 800)
    assert row["mean"] == pytest.approx(ours.mean())
    assert row["reference_null_share"] == pytest.approx(4 / 804)
    a, b = (midpoint(histogram_bins(side, 6), 6) for side in (ours, theirs))
    assert row["kolmogorov_smirnov"] == pytest.approx(ks_2samp(a, b).statistic, abs=1e-12)
    assert row["wasserstein"] == pytest.approx(wasserstein_distance(a, b), abs=1e-9)
    p, q = (50.5 / 101, 50.5 / 101), (10.5 / 101, 90.5 / 101)
    psi = sum((x - y) * np.log(x / y) for x, y in zip(p, q, strict=True))
    assert found["origin"]["psi"] == pytest.approx(psi)
    assert (found["origin"]["kolmogorov_smirnov"], found["origin"]["n"]) == (None, 100)


def feature(day: int, name: str, kind: str, **counted: Any) -> dict[str, Any]:
    """One day's sketch of a feature that came as this kind; numbers are ones."""
    values = {"bins": [1.0], "precision": 5} if kind == "numeric" else {"values": ["a"]}
    return {
        **sketch(np.array([]), day, 5, column=name, column_kind=kind, nulls=0),
        "bins": [],
        **(values if "counts" in counted else {}),
        **counted,
    }


def test_nulls_are_those_of_the_column_whatever_kind_they_came_as(ask: History, record: Recorder) -> None:
    """A category that is sometimes None is one row with its share of nulls; values of both kinds are a row each, and a score not given is absent."""
    record.insert(
        "sketches",
        [
            # text, and None without a kind: a logger that was not told
            feature(0, "c", "categorical", counts=[90]),
            feature(0, "c", "numeric", nulls=10),
            feature(1, "c", "categorical", counts=[30]),
            feature(1, "c", "numeric", nulls=10),
            feature(0, "both", "categorical", counts=[4], nulls=1),
            feature(1, "both", "categorical", counts=[2]),
            feature(1, "both", "numeric", counts=[1], nulls=2),
            feature(1, "never", "categorical", nulls=3),
            feature(1, "never", "numeric", nulls=5),
            feature(1, "@score", "numeric", counts=[6], absent=4),
        ],
    )
    bounds = {
        "since": START + DAY,
        "until": START + 2 * DAY,
        "reference_since": START,
        "reference_until": START + DAY,
    }
    names = ("column", "column_kind", "n", "reference_n", "null_share", "reference_null_share")
    found = rows(ask, "feature_change", model=MODEL, **bounds)
    assert sorted(tuple(row[name] for name in names) for row in found) == [
        ("@score", "numeric", 6, 0, 0.0, None),
        ("both", "categorical", 2, 4, 0.4, 0.2),
        ("both", "numeric", 1, 0, 0.4, 0.2),
        ("c", "categorical", 30, 90, 0.25, 0.1),
        ("never", "numeric", 0, 0, 1.0, None),
    ]


def test_alerts_fired(ask: History, record: Recorder) -> None:
    """Firing and resolved alerts; withdrawn ones only when asked for."""
    alert = {
        **VERSION,
        **WINDOW,
        "kind": "statistical",
        "metric": "drift",
        "severity": "severe",
        "summary": "moved",
    }
    states = {"a": ["firing"], "b": ["firing", "resolved"], "c": ["firing", "withdrawn"]}
    for day, (name, said) in enumerate(states.items()):
        record.insert(
            "alerts",
            [{**alert, "alert_id": name, "started_at": START + day * DAY, "state": state} for state in said],
        )
    assert [row["state"] for row in rows(ask, "alerts_fired")] == ["firing", "resolved"]
    assert [row["started_at"] for row in rows(ask, "alerts_fired", state="withdrawn", model=MODEL)] == [
        START + 2 * DAY
    ]
    assert rows(ask, "alerts_fired", model="other") == []
    assert len(rows(ask, "alerts_fired", since=START + DAY)) == 1
