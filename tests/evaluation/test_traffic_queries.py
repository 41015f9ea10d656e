"""Named questions about traffic: requests, versions' shares, failures, scores, and one prediction's whole record."""

from __future__ import annotations

import itertools
import math
from datetime import timedelta

import numpy as np
import pytest
from answered import rows
from known_history import APRIL, END, MARCH, MODEL, START, KnownHistory
from recorded_rows import Recorder, label, prediction, utc

from evaluation.history import History

DAY = timedelta(days=1)


def test_answers_to_request(history: History, known: KnownHistory) -> None:
    """Everything answered to one request or in one trace, in time's order; without either id nothing."""
    expected = known.predictions[known.predictions.request_id == "r7"]
    expected = expected.sort_values(["event_time", "model_version"])
    for asked in ({"request": "r7"}, {"trace": "t7"}, {"request": "r7", "trace": "no such"}):
        found = rows(history, "answers_to_request", model=MODEL, **asked)
        assert [(row["prediction_id"], row["model_version"], row["item_index"]) for row in found] == [
            (row.prediction_id, row.model_version, row.item_index) for row in expected.itertuples()
        ]
    assert rows(history, "answers_to_request", model=MODEL) == []
    assert rows(history, "answers_to_request", model="other", request="r7") == []
    first = expected.event_time.min()
    assert len(rows(history, "answers_to_request", request="r7", until=first + timedelta(seconds=1))) == 2
    assert len(rows(history, "answers_to_request", request="r7", most=1)) == 1


def test_failures(history: History, known: KnownHistory) -> None:
    """Failures per window, version and class, beside the predictions of that window; what is well is no row."""
    found = rows(history, "failures", model=MODEL, every="month")
    made = known.predictions.assign(month=known.predictions.event_time.dt.strftime("%Y-%m-01"))
    groups = {
        key: group for key, group in made.groupby(["month", "model_version"]) if (group.status != "ok").any()
    }
    assert {(str(row["window"])[:10], row["model_version"]) for row in found} == set(groups)
    for row in found:
        group = groups[str(row["window"])[:10], row["model_version"]]
        failed = group[group.status != "ok"]
        assert (row["error"], row["failures"]) == ("Timeout", len(failed))
        assert row["failure_share"] == pytest.approx(len(failed) / len(group))
        assert (row["first_at"], row["last_at"]) == (failed.event_time.min(), failed.event_time.max())
        assert row["example_id"] == failed.loc[failed.event_time.idxmax()].prediction_id
        assert row["example_trace_id"] == failed.loc[failed.event_time.idxmax()].trace_id
    assert {row["served"] for row in rows(history, "failures", model=MODEL, traffic="shadow")} == {False}
    assert sum(row["failures"] for row in rows(history, "failures", model=MODEL, until=MARCH)) == 5


def test_failures_by_class(ask: History, record: Recorder) -> None:
    """Classes stand apart, one that was not told is empty, and shares are of all predictions."""
    failed = {"status": "error", "model": MODEL}
    record.insert(
        "predictions",
        [
            prediction("a", START, model=MODEL),
            prediction("b", START, **failed, error="Timeout", latency_ms=5.0),
            prediction("c", START + timedelta(minutes=1), **failed, error="Timeout", latency_ms=9.0),
            prediction("d", START, **failed),
        ],
    )
    assert [
        (row["error"], row["failures"], row["failure_share"], row["latency_p50_ms"], row["example_id"])
        for row in rows(ask, "failures", model=MODEL)
    ] == [("Timeout", 2, 0.5, 5.0, "c"), ("", 1, 0.25, None, "d")]


def test_traffic_split(ask: History, record: Recorder) -> None:
    """Shares of the served traffic of a window, beside what the deployment in force said; shadow traffic takes no share."""
    deployed = {"model": MODEL, "environment": "production", "known_at": START, "_appended_at": START}
    record.insert(
        "deployments",
        [
            {**deployed, "model_version": "1", "role": "champion", "traffic_share": 0.9, "valid_from": START},
            {
                **deployed,
                "model_version": "2",
                "role": "challenger",
                "traffic_share": 0.1,
                "valid_from": START,
            },
            {
                **deployed,
                "model_version": "2",
                "role": "challenger",
                "traffic_share": 0.5,
                "valid_from": START + DAY,
            },
        ],
    )
    made = [("1", 0, True)] * 3 + [
        ("2", 0, True),
        ("2", 0, False),
        ("1", 1, True),
        ("2", 1, True),
        ("7", 1, True),
    ]
    record.insert(
        "predictions",
        [
            prediction(str(n), START + day * DAY, model=MODEL, model_version=version, served=served)
            for n, (version, day, served) in enumerate(made)
        ],
    )
    found = rows(ask, "traffic_split", model=MODEL, every="day")
    assert [
        (row["window"], row["model_version"], row["role"], row["share"], row["meant_share"]) for row in found
    ] == [
        (START, "1", "champion", 0.75, 0.9),
        (START, "2", "challenger", 0.25, 0.1),
        (START + DAY, "1", "champion", pytest.approx(1 / 3), 0.9),
        (START + DAY, "2", "challenger", pytest.approx(1 / 3), 0.5),
        (START + DAY, "7", "", pytest.approx(1 / 3), None),
    ]
    assert len(rows(ask, "traffic_split", model=MODEL, every="day", until=START + DAY)) == 2


def test_score_distribution(history: History, known: KnownHistory) -> None:
    """Moments and quantiles of each version's scores equal numpy's, by window."""
    found = rows(history, "score_distribution", model=MODEL)
    made = known.predictions.assign(month=known.predictions.event_time.dt.strftime("%Y-%m-01"))
    groups = dict(iter(made.groupby(["month", "model_version", "served"])))
    assert {(str(row["window"])[:10], row["model_version"], row["served"]) for row in found} == set(groups)
    for row in found:
        group = groups[str(row["window"])[:10], row["model_version"], row["served"]]
        scores = group.score.dropna().astype(float)
        assert (row["predictions"], row["without_score"]) == (len(group), len(group) - len(scores))
        wanted = {
            "mean": scores.mean(),
            "deviation": scores.std(ddof=0),
            "least": scores.min(),
            "greatest": scores.max(),
        }
        wanted |= {f"p{percent:02}": np.quantile(scores, percent / 100) for percent in (5, 25, 50, 75, 95)}
        assert {name: row[name] for name in wanted} == pytest.approx(wanted, abs=1e-12)
    whole = rows(history, "score_distribution", model=MODEL, every="all", traffic="served")
    assert [row["predictions"] for row in whole] == [
        (known.predictions.served & (known.predictions.model_version == version)).sum() for version in "12"
    ]


@pytest.mark.parametrize(
    "odd", [[math.nan], [math.inf], [-math.inf, math.inf], [math.nan, math.inf, -math.inf]]
)
def test_figures_are_of_finite_numbers(ask: History, record: Recorder, odd: list[float]) -> None:
    """A score or latency of NaN or infinity is counted and changes no figure: a spread that nobody knows is never none."""
    numbers = [0.1, 0.9, 0.5, 0.2]
    made = [*numbers, *odd, None]
    record.insert(
        "predictions",
        [
            prediction(str(place), START, model=MODEL, score=number, latency_ms=number, status=status)
            for place, (number, status) in enumerate(itertools.product(made, ["ok", "error"]))
        ],
    )
    (row,) = rows(ask, "score_distribution", model=MODEL)
    assert (row["predictions"], row["without_score"], row["not_finite"]) == (2 * len(made), 2, 2 * len(odd))
    both = np.repeat(numbers, 2)
    wanted = {"mean": both.mean(), "deviation": both.std(), "least": 0.1, "greatest": 0.9}
    wanted |= {f"p{percent:02}": np.quantile(both, percent / 100) for percent in (5, 25, 50, 75, 95)}
    assert {name: row[name] for name in wanted} == pytest.approx(wanted)
    (row,) = rows(ask, "volume", model=MODEL)
    assert (row["latency_p50_ms"], row["latency_p99_ms"]) == (0.2, 0.9)
    (row,) = rows(ask, "failures", model=MODEL)
    assert row["latency_p50_ms"] == 0.2


def test_scores_that_are_not_finite_have_no_distribution(ask: History, record: Recorder) -> None:
    """Without a finite score every figure is NULL."""
    record.insert("predictions", [prediction("a", START, model=MODEL, score=math.nan, latency_ms=math.inf)])
    (row,) = rows(ask, "score_distribution", model=MODEL)
    assert (row["not_finite"], row["mean"], row["deviation"], row["p50"], row["greatest"]) == (1, *[None] * 4)
    assert rows(ask, "volume", model=MODEL)[0]["latency_p99_ms"] is None


@pytest.mark.parametrize("scores", [[1e9, 1e9 + 1, 1e9 + 2], [1e200, 3e200, 2e200]])
def test_large_scores_keep_their_spread(ask: History, record: Recorder, scores: list[float]) -> None:
    """The deviation of scores far from zero is theirs; one whose square is beyond a double is infinite, and never 0."""
    record.insert(
        "predictions", [prediction(str(n), START, model=MODEL, score=one) for n, one in enumerate(scores)]
    )
    (row,) = rows(ask, "score_distribution", model=MODEL)
    with np.errstate(over="ignore"):
        assert row["deviation"] == pytest.approx(np.std(scores))


def test_prediction_record(history: History, known: KnownHistory) -> None:
    """What was said and every word about it, in the order in which it was known, up to the moment asked for."""
    said = known.predictions[known.predictions.prediction_id == "p21"]
    facts = known.facts[known.facts.prediction_id == "p21"].sort_values("known_at")
    found = rows(history, "prediction_record", model=MODEL, prediction_id="p21")
    assert [(row["what"], row["known_at"], row["truth"]) for row in found] == [
        *(("prediction", row.known_at, None) for row in said.itertuples()),
        *((row.kind, row.known_at, row.truth) for row in facts.itertuples()),
    ]
    assert [row["score"] for row in found if row["what"] == "prediction"] == list(said.score)
    before = found[1]["known_at"] - timedelta(microseconds=1)
    assert len(rows(history, "prediction_record", model=MODEL, prediction_id="p21", t=before)) == len(said)


def test_prediction_record_tells_what_is_about_whom(ask: History, record: Recorder) -> None:
    """A resend is one row; a fact that names no environment belongs to any; regression truths are text."""
    place = {"_topic_id": "topic-1", "_partition": 3, "_offset": 77}
    record.insert("predictions", [prediction("a", APRIL, model=MODEL, **place)])
    record.insert("predictions", [prediction("a", APRIL, model=MODEL, _appended_at=APRIL + DAY)])
    record.insert("predictions", [prediction("a", APRIL, model=MODEL, environment="staging")])
    record.insert(
        "labels",
        [
            label("a", END, None, model=MODEL, truth_value=2.5, source="till"),
            label("a", END, "x", model=MODEL, environment="staging", label_id="2"),
            label("a", END, "x", model="other"),
        ],
    )
    found = rows(ask, "prediction_record", model=MODEL, prediction_id="a", environment="production")
    assert [(row["what"], row["environment"], row["truth"], row["source"]) for row in found] == [
        ("prediction", "production", None, None),
        ("truth", "", "2.5", "till"),
    ]
    assert (found[0]["topic_id"], found[0]["partition"], found[0]["offset"]) == ("topic-1", 3, 77)
    assert len(rows(ask, "prediction_record", model=MODEL, prediction_id="a")) == 4
    bounds = {"since": utc("2013-04-02"), "prediction_id": "a", "model": MODEL}
    assert {row["what"] for row in rows(ask, "prediction_record", **bounds)} == {"truth"}
