"""Named questions about quality and labels, against pandas and scikit-learn on the same history."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd
import pytest
from known_history import APRIL, END, HORIZON, MARCH, MODEL, NEGATIVE, POSITIVE, KnownHistory
from recorded_rows import utc
from sklearn import metrics

from evaluation.history import History

EXACT = 1e-9


def by_group(rows: pd.DataFrame) -> dict[tuple[str, str], pd.DataFrame]:
    """Outcomes per (month, version)."""
    return {
        (str(month), str(version)): group
        for (month, version), group in rows.groupby(["month", "model_version"])
    }


def answers(history: History, query: str, **parameters: Any) -> dict[tuple[str, str], dict[str, Any]]:
    """Rows of an answer per (month, version)."""
    rows = history.query(query, model=MODEL, **parameters).to_pylist()
    found = {(str(row["month"])[:10], row["model_version"]): row for row in rows}
    assert len(found) == len(rows)
    return found


def figures(group: pd.DataFrame) -> dict[str, float]:
    """Quality of labelled rows by scikit-learn."""
    rows = group[(group.state == "labelled") & group.score.notna()]
    truth, decided, score = rows.truth == POSITIVE, rows.decision == POSITIVE, rows.score.astype(float)
    true_negatives, false_positives, false_negatives, true_positives = metrics.confusion_matrix(
        truth, decided
    ).ravel()
    clipped = score.clip(1e-15, 1 - 1e-15)
    return {
        "true_positives": true_positives,
        "false_positives": false_positives,
        "false_negatives": false_negatives,
        "true_negatives": true_negatives,
        "accuracy": metrics.accuracy_score(truth, decided),
        "precision": metrics.precision_score(truth, decided),
        "recall": metrics.recall_score(truth, decided),
        "f1": metrics.f1_score(truth, decided),
        "log_loss": float(-np.mean(np.where(truth, np.log(clipped), np.log(1 - clipped)))),
        "brier": metrics.brier_score_loss(truth, score),
        "roc_auc": metrics.roc_auc_score(truth, score),
    }


def check(rows: dict[tuple[str, str], dict[str, Any]], expected: pd.DataFrame, t: datetime) -> None:
    """Counts, coverage and figures of every month and version."""
    groups = by_group(expected)
    assert set(rows) == set(groups)
    for key, group in groups.items():
        row = rows[key]
        due = (group.event_time + HORIZON <= t).sum()
        void = (group.state == "void").sum()
        labelled = (group.state == "labelled").sum()
        assert (row["predictions"], row["labelled"], row["void"]) == (len(group), labelled, void)
        assert row["provisional"] == (due < len(group))
        assert row["coverage"] == pytest.approx(
            labelled / (len(group) if row["provisional"] else due - void), abs=EXACT
        )
        for name, value in figures(group).items():
            if name in row:
                assert row[name] == pytest.approx(value, abs=EXACT), (key, name)


def test_quality_by_version_and_month(history: History, known: KnownHistory) -> None:
    """Counts, confusion and every figure equal scikit-learn's to 1e-9; the served are served, and all are all."""
    everything = known.outcomes()
    now = utc("2026-01-01")
    check(answers(history, "quality_by_version_and_month", traffic="all"), everything, now)
    check(answers(history, "quality_by_version_and_month"), everything[everything.served], now)
    check(
        answers(history, "quality_by_version_and_month", traffic="shadow"),
        everything[~everything.served],
        now,
    )
    row = answers(history, "quality_by_version_and_month")["2013-02-01", "1"]
    assert (row["mae"], row["rmse"], row["bias"]) == (None, None, None)


def test_period_limits_months(history: History) -> None:
    """Months outside of the period are not there."""
    rows = answers(history, "quality_by_version_and_month", since="2013-03-15", until="2013-04-01")
    assert set(rows) == {("2013-03-01", "1")}


@pytest.mark.parametrize("t", [MARCH, utc("2013-03-16T12:00:00"), APRIL, END, utc("2013-06-10")])
def test_quality_as_known(history: History, known: KnownHistory, t: datetime) -> None:
    """At any moment only what was known then is in: late labels, corrections, retractions and voids come when they came."""
    check(answers(history, "quality_as_known", t=t, traffic="all"), known.outcomes(t), t)


def test_known_figures_change_with_what_is_known(history: History) -> None:
    """The same month looks different at different moments: the guard against a view that ignores its parameter."""
    seen = [
        answers(history, "quality_as_known", t=t)["2013-02-01", "1"]["labelled"]
        for t in (utc("2013-02-10"), utc("2013-02-20"), END)
    ]
    assert seen == sorted(set(seen))


def test_roc_auc_by_month(history: History, known: KnownHistory) -> None:
    """The rank sum equals scikit-learn's area, with many tied scores."""
    rows = answers(history, "roc_auc_by_month", traffic="all")
    for key, group in by_group(known.outcomes()).items():
        scored = group[(group.state == "labelled") & group.score.notna()]
        assert scored.score.duplicated().sum() > 20
        assert rows[key]["roc_auc"] == pytest.approx(figures(group)["roc_auc"], abs=EXACT)
        assert rows[key]["positives"] == (scored.truth == POSITIVE).sum()
        assert rows[key]["negatives"] == (scored.truth == NEGATIVE).sum()


def test_label_lag(history: History, known: KnownHistory) -> None:
    """A quantile is the lag that so many of all predictions did not exceed, and NULL where so many are not labelled."""
    rows = answers(history, "label_lag", traffic="all")
    for key, group in by_group(known.outcomes()).items():
        lags = (group.first_known - group.event_time).dt.total_seconds()
        assert rows[key]["ever_labelled"] == lags.notna().sum()
        for percent in (50, 90, 95, 99):
            ordered = np.sort(lags.fillna(np.inf))
            wanted = ordered[int(np.ceil(percent * len(ordered) / 100)) - 1]
            got = rows[key][f"known_p{percent}_s"]
            assert got is None if np.isinf(wanted) else got == pytest.approx(wanted, abs=1e-6)
    assert rows["2013-02-01", "1"]["known_p99_s"] is None
    assert rows["2013-02-01", "1"]["true_p50_s"] == 7200


def test_unlabelled_share(history: History, known: KnownHistory) -> None:
    """Pending, overdue, retracted and void are told apart, as known at t."""
    t = utc("2013-04-01T06:00:00")
    rows = answers(history, "unlabelled_share", t=t, traffic="all")
    for key, group in by_group(known.outcomes(t)).items():
        row, states = rows[key], group.state.value_counts()
        due = group.event_time + HORIZON <= t
        assert row["pending"] == ((group.state == "unlabelled") & ~due).sum()
        assert row["overdue"] == ((group.state == "unlabelled") & due).sum()
        assert [row[state] for state in ("labelled", "retracted", "void")] == [
            states.get(state, 0) for state in ("labelled", "retracted", "void")
        ]
        open_ones = len(group) - states.get("labelled", 0) - states.get("void", 0)
        assert row["unlabelled_share"] == pytest.approx(
            open_ones / (len(group) - states.get("void", 0)), abs=EXACT
        )
    assert rows["2013-02-01", "1"]["overdue"] > 0
    assert rows["2013-03-01", "1"]["pending"] > 0


def test_worst_segments(history: History, known: KnownHistory) -> None:
    """Every value of a feature or attribute is a segment; the worst comes first."""
    rows = history.query("worst_segments", model=MODEL, minimum=20).to_pylist()
    judged = known.outcomes()
    judged = judged[judged.served & (judged.state == "labelled") & judged.decision.notna()]
    wrong = judged.decision != judged.truth
    assert [row["error_share"] for row in rows] == sorted((row["error_share"] for row in rows), reverse=True)
    assert {(row["segment"], row["value"]) for row in rows} >= {
        ("origin", "JFK"),
        ("carrier", "AA"),
        ("region", "west"),
    }
    for row in rows:
        source = judged.segments if row["segment"] == "region" else judged.categorical_features
        values = source.map(lambda pairs, name=row["segment"]: pairs[name])
        here = values.isna() if row["value"] is None else values == row["value"]
        assert (row["labelled"], row["errors"]) == (here.sum(), (wrong & here).sum())
        assert row["error_share"] == pytest.approx((wrong & here).sum() / here.sum(), abs=EXACT)
        assert row["overall_error_share"] == pytest.approx(wrong.mean(), abs=EXACT)
        assert row["share_of_errors"] == pytest.approx((wrong & here).sum() / wrong.sum(), abs=EXACT)


def test_worst_segments_by_one_name(history: History) -> None:
    """One feature can be asked for, and small segments are left out."""
    rows = history.query(
        "worst_segments", model=MODEL, by="carrier", minimum=20, model_version="1"
    ).to_pylist()
    assert {row["value"] for row in rows} == {"AA", "B6"}


def test_champion_against_challenger(history: History, known: KnownHistory) -> None:
    """Pairs are the shared labelled ids; differences, areas and day-clustered intervals equal those of pandas."""
    rows = history.query("champion_against_challenger", model=MODEL, champion="1", challenger="2").to_pylist()
    outcomes = known.outcomes()
    labelled = outcomes[(outcomes.state == "labelled") & outcomes.score.notna()]
    both = labelled[labelled.model_version == "1"].merge(
        labelled[labelled.model_version == "2"], on="prediction_id", suffixes=("_a", "_b")
    )
    assert [str(row["month"])[:10] for row in rows] == ["2013-03-01"]
    row = rows[0]
    right_a, right_b = both.decision_a == both.truth_a, both.decision_b == both.truth_b
    gain = right_b.astype(int) - right_a.astype(int)
    day = both.event_time_a.dt.floor("D")
    of_day = (gain - gain.mean()).groupby(day).sum()
    half = 1.959963984540054 * np.sqrt((of_day**2).sum() * len(of_day) / (len(of_day) - 1)) / len(gain)
    both_labelled = outcomes[(outcomes.state == "labelled") & (outcomes.model_version == "2")]
    in_march = both_labelled[both_labelled.month == "2013-03-01"].prediction_id.nunique()
    assert (row["pairs"], row["not_compared"]) == (len(both), in_march - len(both))
    assert row["days"] == labelled[labelled.month == "2013-03-01"].event_time.dt.floor("D").nunique()
    assert row["accuracy_difference"] == pytest.approx(gain.mean(), abs=EXACT)
    assert row["accuracy_low"] == pytest.approx(gain.mean() - half, abs=EXACT)
    assert row["accuracy_high"] == pytest.approx(gain.mean() + half, abs=EXACT)
    truth = both.truth_a == POSITIVE
    assert row["champion_roc_auc"] == pytest.approx(metrics.roc_auc_score(truth, both.score_a), abs=EXACT)
    assert row["challenger_roc_auc"] == pytest.approx(metrics.roc_auc_score(truth, both.score_b), abs=EXACT)
    assert row["only_challenger_right"] == (right_b & ~right_a).sum()
    loss = {
        side: -np.log(np.where(truth, both[side], 1 - both[side]).clip(1e-15, 1))
        for side in ("score_a", "score_b")
    }
    assert row["log_loss_difference"] == pytest.approx((loss["score_b"] - loss["score_a"]).mean(), abs=EXACT)
    assert row["log_loss_low"] < row["log_loss_difference"] < row["log_loss_high"]
