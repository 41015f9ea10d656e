"""Named questions about the truth and who said it: calibration, segments, late, changed and lost labels, contracts, dead letters."""

from __future__ import annotations

import json
from datetime import timedelta

import numpy as np
import pandas as pd
import pytest
from answered import rows
from known_history import END, HORIZON, MARCH, MODEL, NEGATIVE, POSITIVE, START, KnownHistory
from known_stream import DRIFTED
from recorded_rows import Recorder, label, prediction
from scipy.stats import binomtest

from evaluation.history import History
from stream_processors.contracts.model import Contract

DAY = timedelta(days=1)


def labelled(known: KnownHistory) -> pd.DataFrame:
    """Outcomes with a truth."""
    outcomes = known.outcomes()
    return outcomes[outcomes.state == "labelled"]


@pytest.mark.parametrize("buckets", [1, 5, 10])
def test_calibration(history: History, known: KnownHistory, buckets: int) -> None:
    """Counts, means and shares per bucket equal pandas', the interval scipy's."""
    judged = labelled(known)
    judged = judged[judged.served & judged.score.notna()]
    score = judged.score.astype(float)
    bucket = np.minimum(np.floor(score * buckets), buckets - 1)
    groups = dict(iter(judged.assign(score=score).groupby(["model_version", bucket])))
    found = rows(history, "calibration", model=MODEL, buckets=buckets)
    assert [(row["model_version"], row["score_from"]) for row in found] == [
        (version, place / buckets) for version, place in groups
    ]
    for row, group in zip(found, groups.values(), strict=True):
        positives = (group.truth == POSITIVE).sum()
        assert (row["labelled"], row["served"]) == (len(group), True)
        assert row["mean_score"] == pytest.approx(group.score.mean())
        assert row["positive_share"] == pytest.approx(positives / len(group))
        interval = binomtest(int(positives), len(group)).proportion_ci(method="wilson")
        assert (row["positive_low"], row["positive_high"]) == pytest.approx(
            (interval.low, interval.high), abs=1e-9
        )
        assert row["gap"] == pytest.approx(row["positive_share"] - row["mean_score"])


def test_calibration_of_one_version_and_period(history: History) -> None:
    """Version and period limit what is looked at."""
    assert {row["model_version"] for row in rows(history, "calibration", model=MODEL, model_version="2")} == {
        "2"
    }
    assert rows(history, "calibration", model=MODEL, since=END) == []
    assert {row["served"] for row in rows(history, "calibration", model=MODEL, traffic="shadow")} == {False}


@pytest.mark.parametrize(("segment", "value"), [("carrier", "B6"), ("region", "west")])
def test_segment_quality(history: History, known: KnownHistory, segment: str, value: str) -> None:
    """A segment's figures beside those of everybody else, by month and version, of features and attributes alike."""
    outcomes = known.outcomes()
    source = outcomes.segments if segment == "region" else outcomes.categorical_features
    outcomes = outcomes.assign(inside=source.map(lambda pairs: pairs[segment]) == value)
    outcomes = outcomes[outcomes.served]
    found = rows(history, "segment_quality", model=MODEL, segment=segment, value=value)
    groups = dict(iter(outcomes.groupby(["month", "model_version"])))
    assert [(str(row["window"])[:10], row["model_version"]) for row in found] == list(groups)
    for row, group in zip(found, groups.values(), strict=True):
        decided = group[(group.state == "labelled") & group.decision.notna()]
        right = decided.decision == decided.truth
        ours, positive = decided.inside, decided.truth == POSITIVE
        chosen = decided.decision == POSITIVE
        assert row["predictions"] == group.inside.sum()
        assert row["labelled"] == (group.inside & (group.state == "labelled")).sum()
        assert row["accuracy"] == pytest.approx(right[ours].mean())
        assert row["rest_accuracy"] == pytest.approx(right[~ours].mean())
        assert row["precision"] == pytest.approx((ours & chosen & positive).sum() / (ours & chosen).sum())
        assert row["recall"] == pytest.approx((ours & chosen & positive).sum() / (ours & positive).sum())
        score = decided.score.astype(float)
        loss = -np.log(np.where(positive, score, 1 - score).clip(1e-15, 1))
        assert row["log_loss"] == pytest.approx(loss[ours].mean())
        assert row["rest_log_loss"] == pytest.approx(loss[~ours].mean())
    assert rows(history, "segment_quality", model=MODEL, segment=segment, value="nobody") == []


def test_worst_segments_of_a_regression(ask: History, record: Recorder) -> None:
    """By mean absolute error; nothing was decided, so nothing was decided wrongly, even where truths are whole numbers."""
    contract = Contract.model_validate({"model": "m", "prediction": {"kind": "regression"}})
    record.insert("contracts", [{"model": "m", "digest": contract.digest(), "body": contract.canonical()}])
    error_of = {"UA": 3.0, "DL": -10.0, "B6": 0.5}
    carriers = [(f"{carrier}{n}", carrier) for n in range(4) for carrier in error_of]
    record.insert(
        "predictions",
        [
            prediction(
                name,
                START,
                score=100.0 + error_of[carrier],
                categorical_features={"carrier": carrier},
                contract=contract.digest(),
            )
            for name, carrier in carriers
        ],
    )
    record.insert("labels", [label(name, START + DAY, "100", truth_value=100.0) for name, _ in carriers])
    found = rows(ask, "worst_segments", model="m", minimum=1)
    assert [(row["value"], row["labelled"], row["mae"]) for row in found] == [
        ("DL", 4, 10.0),
        ("UA", 4, 3.0),
        ("B6", 4, 0.5),
    ]
    empty = ("errors", "error_share", "overall_error_share", "share_of_errors", "log_loss")
    assert {row[name] for row in found for name in empty} == {None}


def test_late_labels(ask: History, record: Recorder, known: KnownHistory) -> None:
    """In time, late, overdue and waiting are told apart by the horizon of the prediction's own contract."""
    record.insert("contracts", known.rows["contracts"])
    lags = {"early": HORIZON - DAY, "just": HORIZON, "late": HORIZON + DAY, "later": HORIZON + 3 * DAY}
    made = {"model": MODEL, "contract": "c1"}
    record.insert("predictions", [prediction(name, START, **made) for name in (*lags, "never", "void")])
    record.insert("predictions", [prediction("young", START + timedelta(days=20_000), **made)])
    record.insert("labels", [label(name, START + lag, POSITIVE, model=MODEL) for name, lag in lags.items()])
    record.insert("labels", [label("void", START + DAY, None, model=MODEL, kind="void")])
    first, last = rows(ask, "late_labels", model=MODEL)
    assert {name: first[name] for name in list(first)[2:]} == {
        "predictions": 6,
        "in_time": 2,
        "late": 2,
        "late_share": 0.5,
        "late_p50_s": DAY.total_seconds(),
        "latest_s": 3 * DAY.total_seconds(),
        "overdue": 1,
        "waiting": 0,
    }
    assert (last["overdue"], last["waiting"], last["late_share"]) == (0, 1, None)
    assert len(rows(ask, "late_labels", model=MODEL, until=START + DAY)) == 1


def test_label_corrections(history: History, known: KnownHistory) -> None:
    """Every id about which more was said than one truth, with all words in their order."""
    several = (
        known.facts.groupby("prediction_id").filter(lambda facts: len(facts) > 1).sort_values("reported_at")
    )
    expected = {
        name: (list(facts.kind), [truth if isinstance(truth, str) else None for truth in facts.truth])
        for name, facts in several.groupby("prediction_id")
    }
    found = rows(history, "label_corrections", model=MODEL)
    assert {row["prediction_id"]: (row["kinds"], row["truths"]) for row in found} == expected
    assert not any(row["disagreement"] for row in found)
    for kind in ("correction", "retraction", "void"):
        some = rows(history, "label_corrections", model=MODEL, only=kind)
        assert {row["prediction_id"] for row in some} == set(several[several.kind == kind].prediction_id)
    assert rows(history, "label_corrections", model=MODEL, since=END + 300 * DAY) == []


def test_sources_that_disagree(ask: History, record: Recorder) -> None:
    """Two sources with two truths disagree; two with one truth do not, nor one that corrects itself."""
    said = {"model": MODEL}
    record.insert(
        "labels",
        [
            label("a", START, POSITIVE, source="till", **said),
            label("a", START + DAY, NEGATIVE, source="audit", **said),
            label("b", START, POSITIVE, source="till", **said),
            label("b", START + DAY, POSITIVE, source="audit", **said),
            label("c", START, POSITIVE, source="till", **said),
            label("c", START + DAY, NEGATIVE, source="till", kind="correction", **said),
        ],
    )
    found = rows(ask, "label_corrections", **said)
    assert [(row["prediction_id"], row["disagreement"]) for row in found] == [("a", True), ("c", False)]
    assert (found[0]["sources"], found[0]["truths"]) == (["till", "audit"], [POSITIVE, NEGATIVE])
    assert [row["prediction_id"] for row in rows(ask, "label_corrections", only="disagreement", **said)] == [
        "a"
    ]


def test_labels_without_prediction(history: History, ask: History, record: Recorder) -> None:
    """Facts that found nothing: orphans of long ago, and those that may still find their prediction."""
    assert [row["prediction_id"] for row in rows(history, "labels_without_prediction", model=MODEL)] == [
        "lost"
    ]
    far = START + timedelta(days=20_000)
    record.insert("labels", [label("old", START, model=MODEL), label("new", far, model=MODEL)])
    found = rows(ask, "labels_without_prediction", model=MODEL)
    assert [(row["prediction_id"], row["state"]) for row in found] == [("new", "pending"), ("old", "orphan")]
    for given, wanted in (
        ({"state": "orphan"}, ["old"]),
        ({"since": far}, ["new"]),
        ({"until": far}, ["old"]),
        ({"most": 1}, ["new"]),
    ):
        found = rows(ask, "labels_without_prediction", model=MODEL, **given)
        assert [row["prediction_id"] for row in found] == wanted


def test_contracts_published(ask: History, record: Recorder) -> None:
    """Each publication, until when it held, and whether it changed anything or the shape of sketches."""
    said = [("c1", "s1", "ann"), ("c1", "s1", "bob"), ("c2", "s1", None), ("c3", "s2", "ann")]
    record.insert(
        "contracts",
        [
            {
                "model": MODEL,
                "body": json.dumps({"owner": f"of {digest}", "label": {"horizon": 60}}),
                "digest": digest,
                "shape": shape,
                "actor": actor,
                "in_effect_from": START + day * DAY + timedelta(minutes=1),
                "_appended_at": START + day * DAY,
            }
            for day, (digest, shape, actor) in enumerate(said)
        ],
    )
    record.insert("contracts", [{"model": "other", "body": "{}", "digest": "o", "_appended_at": START}])
    found = rows(ask, "contracts_published", model=MODEL)
    assert [(row["digest"], row["actor"], row["changed"], row["shape_changed"]) for row in found] == [
        ("c1", "ann", True, False),
        ("c1", "bob", False, False),
        ("c2", None, True, False),
        ("c3", "ann", True, True),
    ]
    assert [row["in_effect_to"] for row in found] == [*(row["in_effect_from"] for row in found[1:]), None]
    assert (found[0]["owner"], found[0]["horizon_s"]) == ("of c1", 60)
    later = rows(ask, "contracts_published", model=MODEL, since=START + 2 * DAY, until=START + 3 * DAY)
    assert [(row["digest"], row["changed"]) for row in later] == [("c2", True)]
    assert len(rows(ask, "contracts_published")) == 5


def test_a_contract_of_everywhere_ends_those_of_environments(ask: History, record: Recorder) -> None:
    """The next contract for everywhere ends those of production and staging; one for staging does not end that for everywhere."""
    said = ["production", None, "staging", None]
    record.insert(
        "contracts",
        [
            {
                "model": MODEL,
                "environment": environment,
                "body": "{}",
                "digest": str(day),
                "in_effect_from": START + day * DAY,
                "_appended_at": START + day * DAY,
            }
            for day, environment in enumerate(said)
        ],
    )
    found = rows(ask, "contracts_published", model=MODEL)
    assert [row["in_effect_to"] for row in found] == [START + DAY, *[START + 3 * DAY] * 2, None]


def test_dead_letter_examples(history: History) -> None:
    """The newest of each reason in a time span, and how many are alike; never what a message holds."""
    found = rows(history, "dead_letter_examples", since=MARCH)
    assert [(row["reason"], row["offset"], row["detail"], row["bytes"], row["alike"]) for row in found] == [
        ("contract", 5002, "distance is no number", 3, 2),
        ("contract", 5001, "lacks distance", 3, 2),
        ("undecodable", 5000, "ends within a field", 3, 1),
    ]
    for given, offsets in (
        ({"most": 1}, [5002, 5000]),
        ({"model": MODEL}, [5002, 5001]),
        ({"reason": "undecodable"}, [5000]),
        ({"until": DRIFTED + timedelta(minutes=90)}, [5001, 5000]),
        ({"topic": "other"}, []),
    ):
        assert [row["offset"] for row in rows(history, "dead_letter_examples", **given)] == offsets
    assert not {"key", "value", "headers"} & set(found[0])
