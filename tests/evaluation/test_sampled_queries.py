"""Named questions over events that were kept at several rates: counts are of rows, and whatever speaks of the whole weighs them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from typing import Any

import answered
import numpy as np
import pytest
from known_history import MODEL, START
from recorded_rows import Recorder, label, prediction
from sklearn import metrics

from evaluation.history import History
from evaluation.queries import shipped_queries

DAY = timedelta(days=1)
RATES = (1.0, 0.5, 0.3, 0.1)
MADE = 1200
Event = dict[str, Any]


def events(rates: Sequence[float], seed: int = 3) -> list[Event]:
    """Predictions of two months and versions; the failed ones stand at the first rate, as a contract keeps them."""
    random = np.random.default_rng(seed)
    found = []
    for number in range(MADE):
        failed = number % 11 == 5
        score = None if failed else round(float(random.random()), 2)
        found.append(
            {
                "id": f"p{number}",
                "version": "12"[number % 3 == 0],
                "at": START + timedelta(hours=number),
                "rate": rates[0] if failed else rates[int(random.integers(len(rates)))],
                "failed": failed,
                "score": score,
                "decided": None if score is None else score >= 0.5,
                "latency": float(random.integers(1, 60)) * (10 if failed else 1),
                "plan": "ab"[int(random.random() < 0.3)],
                "truth": bool(random.random() < (score or 0.5)) if number % 9 else None,
                "lag": float(random.integers(60, int(60 * DAY.total_seconds()))),
            }
        )
    return found


def record_events(record: Recorder, made: Iterable[Event]) -> None:
    """As a recorder writes them; a prediction is due after 30 days, as there is no contract."""
    record.insert(
        "predictions",
        [
            prediction(
                one["id"],
                one["at"],
                model=MODEL,
                model_version=one["version"],
                sampling_rate=one["rate"],
                status="error" if one["failed"] else "ok",
                error="Timeout" if one["failed"] else None,
                score=one["score"],
                decision=None if one["decided"] is None else str(one["decided"]).lower(),
                latency_ms=one["latency"],
                categorical_features={"plan": one["plan"]},
            )
            for one in made
        ],
    )
    record.insert(
        "labels",
        [
            label(
                one["id"], one["at"] + timedelta(seconds=one["lag"]), str(one["truth"]).lower(), model=MODEL
            )
            for one in made
            if one["truth"] is not None
        ],
    )


@pytest.fixture
def made(ask: History, record: Recorder) -> list[Event]:
    """Events of several rates, on record."""
    found = events(RATES)
    record_events(record, found)
    return found


def rows(history: History, name: str, /, **parameters: Any) -> list[dict[str, Any]]:
    """An answer about the model."""
    return answered.rows(history, name, model=MODEL, **parameters)


def weight(some: Iterable[Event]) -> float:
    """How many events they stand for."""
    return math.fsum(1 / one["rate"] for one in some)


def share(of: Callable[[Event], Any], some: Iterable[Event]) -> float:
    """The mean of a figure of events over the whole they stand for."""
    some = list(some)
    return math.fsum(of(one) / one["rate"] for one in some) / weight(some)


def quantile(of: Callable[[Event], float], some: Iterable[Event], percent: int) -> float:
    """The least value that so much of the whole does not exceed."""
    ordered = sorted(some, key=of)
    reached = np.cumsum([1 / one["rate"] for one in ordered])
    return of(ordered[int(np.argmax(reached * 100 >= percent * reached[-1] * (1 - 1e-12)))])


def groups(made: Iterable[Event], every: str = "%Y-%m-01") -> dict[tuple[str, str], list[Event]]:
    """Events per window and version."""
    found: dict[tuple[str, str], list[Event]] = {}
    for one in made:
        found.setdefault((one["at"].strftime(every), one["version"]), []).append(one)
    return found


def by_group(found: list[dict[str, Any]]) -> dict[tuple[str, str], dict[str, Any]]:
    """Rows of an answer per window and version."""
    time = "window" if found and "window" in found[0] else "month"
    return {(str(row[time])[:10], row["model_version"]): row for row in found}


def test_volume_and_failures(ask: History, made: list[Event]) -> None:
    """Failures that are all kept are no greater share than they are of the traffic, and their latencies no more of it."""
    volume = by_group(rows(ask, "volume", every="month"))
    failures = by_group(rows(ask, "failures", every="month"))
    assert set(volume) == set(groups(made))
    for key, group in groups(made).items():
        failed = [one for one in group if one["failed"]]
        row = volume[key]
        assert (row["predictions"], row["errors"]) == (len(group), len(failed))
        assert row["estimated"] == pytest.approx(weight(group))
        assert row["error_share"] == pytest.approx(share(lambda one: one["failed"], group))
        assert row["latency_p50_ms"] == quantile(lambda one: one["latency"], group, 50)
        assert row["latency_p99_ms"] == -quantile(lambda one: -one["latency"], group, 1)
        assert failures[key]["failures"] == len(failed)
        assert failures[key]["failure_share"] == pytest.approx(row["error_share"])
        assert row["error_share"] < 0.6 * len(failed) / len(group)


def test_traffic_split(ask: History, record: Recorder) -> None:
    """Two versions that share the traffic evenly do so in the answer, whatever was kept of either."""
    record.insert(
        "predictions",
        [
            prediction(f"{version}{n}", START, model=MODEL, model_version=version, sampling_rate=rate)
            for version, rate, kept in (("1", 1.0, 100), ("2", 0.1, 10))
            for n in range(kept)
        ],
    )
    assert [
        (row["model_version"], row["predictions"], row["estimated"], row["share"])
        for row in rows(ask, "traffic_split")
    ] == [("1", 100, 100.0, 0.5), ("2", 10, 100.0, 0.5)]


def test_score_distribution(ask: History, made: list[Event]) -> None:
    """Mean, deviation and quantiles are of the whole; a quantile lies between scores that stand in the middle of their weights."""
    for key, row in by_group(rows(ask, "score_distribution")).items():
        group = sorted((one for one in groups(made)[key] if not one["failed"]), key=lambda one: one["score"])
        mean = share(lambda one: one["score"], group)
        assert row["mean"] == pytest.approx(mean)
        spread = share(lambda one, mean=mean: (one["score"] - mean) ** 2, group)
        assert row["deviation"] == pytest.approx(math.sqrt(spread))
        weights = np.array(
            [1 / one["rate"] for one in sorted(group, key=lambda one: (one["score"], 1 / one["rate"]))]
        )
        places = np.cumsum(weights) - weights / 2
        for percent in (5, 25, 50, 75, 95):
            wanted = places[0] + percent / 100 * (places[-1] - places[0])
            scores = [one["score"] for one in group]
            assert row[f"p{percent:02}"] == pytest.approx(np.interp(wanted, places, scores))


def test_label_questions(ask: History, made: list[Event]) -> None:
    """What has no truth, what was late, and how long it took, are shares of all predictions."""
    unlabelled, late = by_group(rows(ask, "unlabelled_share")), by_group(rows(ask, "late_labels"))
    lags = by_group(rows(ask, "label_lag"))
    for key, group in groups(made).items():
        labelled = [one for one in group if one["truth"] is not None]
        assert unlabelled[key]["labelled"] == lags[key]["ever_labelled"] == len(labelled)
        assert unlabelled[key]["unlabelled_share"] == pytest.approx(
            share(lambda one: one["truth"] is None, group)
        )
        overdue = [one for one in labelled if one["lag"] > 30 * DAY.total_seconds()]
        assert late[key]["late"] == len(overdue)
        assert late[key]["late_share"] == pytest.approx(weight(overdue) / weight(labelled))
        assert (
            late[key]["late_p50_s"]
            == quantile(lambda one: one["lag"], overdue, 50) - 30 * DAY.total_seconds()
        )

        def lag(one: Event) -> float:
            return math.inf if one["truth"] is None else float(one["lag"])

        for percent in (50, 90, 95, 99):
            wanted = quantile(lag, group, percent)
            assert lags[key][f"known_p{percent}_s"] == (None if math.isinf(wanted) else wanted)
        assert lags[key]["true_p50_s"] == quantile(lag, group, 50)


def judged(some: Iterable[Event]) -> list[Event]:
    """Those with truth and decision."""
    return [one for one in some if one["truth"] is not None and not one["failed"]]


def figures(some: Iterable[Event]) -> dict[str, float]:
    """Quality of the whole, by scikit-learn's weights."""
    here = judged(some)
    truth, decided = [one["truth"] for one in here], [one["decided"] for one in here]
    score, weights = [one["score"] for one in here], [1 / one["rate"] for one in here]
    clipped = np.clip(score, 1e-15, 1 - 1e-15)
    return {
        "accuracy": metrics.accuracy_score(truth, decided, sample_weight=weights),
        "precision": metrics.precision_score(truth, decided, sample_weight=weights),
        "recall": metrics.recall_score(truth, decided, sample_weight=weights),
        "f1": metrics.f1_score(truth, decided, sample_weight=weights),
        "log_loss": metrics.log_loss(truth, clipped, sample_weight=weights),
        "brier": metrics.brier_score_loss(truth, score, sample_weight=weights),
        "roc_auc": metrics.roc_auc_score(truth, score, sample_weight=weights),
    }


def test_quality(ask: History, made: list[Event]) -> None:
    """Figures and coverage are scikit-learn's with weights, by month and by month and moment; counts are of rows."""
    for name, asked in (("quality_by_version_and_month", {}), ("quality_as_known", {"t": START + 365 * DAY})):
        found = by_group(rows(ask, name, **asked))
        assert set(found) == set(groups(made))
        for key, group in groups(made).items():
            wanted = {**figures(group), "coverage": share(lambda one: one["truth"] is not None, group)}
            assert {figure: found[key][figure] for figure in wanted} == pytest.approx(wanted)
            assert found[key]["labelled"] == sum(one["truth"] is not None for one in group)
    areas = by_group(rows(ask, "roc_auc_by_month"))
    for key, group in groups(made).items():
        assert areas[key]["positives"] == sum(one["truth"] for one in judged(group))
        assert areas[key]["roc_auc"] == pytest.approx(figures(group)["roc_auc"])


def test_segments(ask: History, made: list[Event]) -> None:
    """A segment's figures, the rest's, and its share of all errors."""
    for key, row in by_group(rows(ask, "segment_quality", segment="plan", value="a")).items():
        inside = [one for one in groups(made)[key] if one["plan"] == "a"]
        outside = [one for one in groups(made)[key] if one["plan"] != "a"]
        ours, rest = figures(inside), figures(outside)
        wanted = {name: ours[name] for name in ("accuracy", "precision", "recall", "log_loss")}
        wanted |= {f"rest_{name}": rest[name] for name in ("accuracy", "log_loss")}
        assert {name: row[name] for name in wanted} == pytest.approx(wanted)
        assert row["predictions"] == len(inside)
    wrong = [one for one in judged(made) if one["decided"] != one["truth"]]
    for row in rows(ask, "worst_segments", minimum=1):
        here = [one for one in judged(made) if one["plan"] == row["value"]]
        errors = [one for one in wrong if one["plan"] == row["value"]]
        assert (row["labelled"], row["errors"]) == (len(here), len(errors))
        assert row["error_share"] == pytest.approx(weight(errors) / weight(here))
        assert row["overall_error_share"] == pytest.approx(weight(wrong) / weight(judged(made)))
        assert row["share_of_errors"] == pytest.approx(weight(errors) / weight(wrong))
        assert row["log_loss"] == pytest.approx(figures(here)["log_loss"])


def test_calibration(ask: History, made: list[Event]) -> None:
    """Means and shares weigh; the interval is Wilson's of so many equal predictions as are as sure."""
    found = rows(ask, "calibration", buckets=4)
    assert len(found) == 8
    for row in found:
        here = [
            one
            for one in judged(made)
            if one["version"] == row["model_version"]
            and min(int(one["score"] * 4), 3) == row["score_from"] * 4
        ]
        p, z = share(lambda one: one["truth"], here), 1.959963984540054
        n = weight(here) ** 2 / math.fsum(1 / one["rate"] ** 2 for one in here)
        half = z * math.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
        assert row["labelled"] == len(here)
        assert row["mean_score"] == pytest.approx(share(lambda one: one["score"], here))
        assert row["positive_share"] == pytest.approx(p)
        assert row["positive_low"] == pytest.approx((p + z**2 / (2 * n) - half) / (1 + z**2 / n))
        assert row["positive_high"] == pytest.approx((p + z**2 / (2 * n) + half) / (1 + z**2 / n))


@pytest.mark.parametrize("rate", [0.1, 0.3, 1e-9])
def test_one_rate_changes_no_figure(ask: History, record: Recorder, rate: float) -> None:
    """Whatever was kept at one rate is answered about as if all had been kept, but for the volume."""
    questions: dict[str, dict[str, Any]] = {
        name: {}
        for name in ("volume", "failures", "traffic_split", "unlabelled_share", "late_labels", "label_lag")
    }
    questions |= {name: {} for name in ("score_distribution", "calibration", "roc_auc_by_month")}
    questions |= {"quality_by_version_and_month": {}, "worst_segments": {"minimum": 1}}
    questions |= {"segment_quality": {"segment": "plan", "value": "a"}}
    answers = []
    for each in (1.0, rate):
        record_events(record, events([each]))
        answers.append({name: rows(ask, name, **asked) for name, asked in questions.items()})
        record.clear()
    for name in questions:
        assert len(answers[0][name]) == len(answers[1][name]) > 0
        for whole, sampled in zip(answers[0][name], answers[1][name], strict=True):
            estimated = sampled.pop("estimated", None)
            if estimated is not None:
                assert estimated == pytest.approx(whole.pop("estimated") / rate)
            assert sampled.keys() == whole.keys()
            for column, figure in sampled.items():
                wanted = (
                    pytest.approx(whole[column], rel=1e-9) if isinstance(figure, float) else whole[column]
                )
                assert figure == wanted, (name, column)


def test_every_answer_says_how_it_takes_samples() -> None:
    """A question that weighs says so in its explanation, and none that says so does not."""
    for query in shipped_queries().values():
        weighs = any(
            how in query.text for how in ("/ sampling_rate", "least(a.sampling_rate", "quality_as_of")
        )
        assert ("1 / " in query.explanation and "sampling_rate" in query.explanation) == weighs, query.name
