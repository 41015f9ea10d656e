"""Named questions about sketches of events that were kept at several rates: counts are of events on record, shares and means of the whole."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest
from answered import rows
from known_history import MODEL, START
from recorded_rows import EVENTS, Recorder

from evaluation.history import History

DAY = timedelta(days=1)
WINDOW = {
    "kind": "delta",
    "model": MODEL,
    "model_version": "1",
    "environment": "production",
    "served": True,
}
APART = [(1.0, 40), (0.1, 60)]


@pytest.fixture
def streamed(ask: History, record: Recorder) -> History:
    """Two days of sketches: 60 events kept at 0.1 that carry everything, and 40 kept at 1 that lack the score and say null of the plan."""
    for day in (0, 1):
        for rate, count in APART:
            window = {
                **WINDOW,
                "sampling_rate": rate,
                "window_start": START + day * DAY,
                "window_end": START + (day + 1) * DAY,
            }
            number = {"column_kind": "numeric", "precision": 7}
            value = 1.0 if rate == 1 else 2.0 + day
            drawn = {"bins": [value], "counts": [count], "sum": value * count}
            word = {"column": "plan", "column_kind": "categorical"}
            record.insert(
                "sketches",
                [
                    {**window, **EVENTS, "events": count},
                    {**window, **number, **drawn, "column": "x"},
                    {**window, **number, "column": "@score", "absent": count}
                    if rate == 1
                    else {**window, **number, **drawn, "column": "@score"},
                    {**window, **word, "nulls": count}
                    if rate == 1
                    else {**window, **word, "values": ["a", f"new{day}"], "counts": [count // 2, count // 2]},
                ],
            )
    return ask


def test_features_of_sketches(streamed: History) -> None:
    """Missing, histograms and new categories: 40 of 100 events on record are 40 of the 640 that were."""
    found = rows(streamed, "missing_features", model=MODEL)
    told = {
        row["column"]: (row["events"], row["nulls"], row["absent"], row["missing_share"]) for row in found
    }
    lacking = pytest.approx(40 / 640)
    assert told == {"@score": (100, 0, 40, lacking), "plan": (100, 40, 0, lacking), "x": (100, 0, 0, 0.0)}
    histogram = rows(streamed, "feature_histogram", model=MODEL, column="plan", until=START + DAY)
    assert [(row["kind"], row["count"], row["share"]) for row in histogram] == [
        ("category", 30, pytest.approx(300 / 640)),
        ("category", 30, pytest.approx(300 / 640)),
        ("null", 40, lacking),
    ]
    score = rows(streamed, "feature_histogram", model=MODEL, column="@score", until=START + DAY)
    assert [(row["kind"], row["count"], row["share"]) for row in score] == [
        ("bin", 60, pytest.approx(600 / 640)),
        ("absent", 40, lacking),
    ]
    periods = {"reference_since": START, "reference_until": START + DAY}
    periods |= {"since": START + DAY, "until": START + 2 * DAY}
    new = rows(streamed, "new_categories", model=MODEL, **periods)
    assert [(row["value"], row["count"], row["share"]) for row in new] == [
        ("new1", 30, 0.5),
        ("new0", 30, 0.5),
    ]


def test_feature_change(streamed: History, ask: History) -> None:
    """Means, shares of nulls and distances are of the whole; PSI adds its half counts at the size that was seen."""
    periods = {"reference_since": START, "reference_until": START + DAY}
    periods |= {"since": START + DAY, "until": START + 2 * DAY}
    found = {row["column"]: row for row in rows(streamed, "feature_change", model=MODEL, **periods)}
    x = found["x"]
    assert (x["n"], x["reference_n"]) == (100, 100)
    assert (x["mean"], x["reference_mean"]) == pytest.approx(((40 + 1800) / 640, (40 + 1200) / 640))
    assert found["plan"]["null_share"] == pytest.approx(40 / 640)
    assert x["kolmogorov_smirnov"] == pytest.approx(600 / 640)
    assert x["wasserstein"] == pytest.approx(600 / 640 * (3 - 2), rel=0.02)
    ours, theirs = np.array([40, 0, 600]) * 100 / 640, np.array([40, 600, 0]) * 100 / 640
    p, q = (ours + 0.5) / 101.5, (theirs + 0.5) / 101.5
    assert x["psi"] == pytest.approx(((p - q) * np.log(p / q)).sum())
