"""Champion against challenger: whatever a row says of either is said of the same predictions."""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from known_history import MODEL, START
from recorded_rows import Recorder, label, prediction
from sklearn import metrics

from evaluation.history import History

RATES = (1.0, 0.4, 0.1)


def duel(history: History) -> list[dict[str, Any]]:
    """Version A against version B."""
    found: list[dict[str, Any]] = history.query(
        "champion_against_challenger", model=MODEL, champion="A", challenger="B"
    ).to_pylist()
    return found


def said(version: str, number: int, score: float | None, **more: Any) -> dict[str, Any]:
    """What a version said about a subject; without a score it failed, unless more is said."""
    failed = score is None
    answer = {"status": "error", "error": "Timeout"} if failed else {"decision": str(score >= 0.5).lower()}
    common = {"model": MODEL, "model_version": version, "served": version == "A", "score": score}
    return prediction(f"p{number}", START + timedelta(hours=number), **{**common, **answer, **more})


def truths(numbers: Iterable[int], truth: Any) -> list[dict[str, Any]]:
    """A label of each subject."""
    told = START + timedelta(days=60)
    return [label(f"p{number}", told, str(bool(truth(number))).lower(), model=MODEL) for number in numbers]


def test_a_failing_champion_is_compared_where_it_answered(ask: History, record: Recorder) -> None:
    """Failed predictions of either version, or both, are told apart and change no figure: not the other version's either."""
    random = np.random.default_rng(4)
    truth = random.random(400) < 0.5
    # good where the champion answers, bad where it fails
    hard = np.arange(400) % 2 == 1
    right = random.random(400) < np.where(hard, 0.4, 0.9)
    challenger = np.where(truth == right, 0.9, 0.1) + np.round(random.random(400) / 20, 3)
    champion = np.where(truth == (random.random(400) < 0.8), 0.8, 0.2)
    both_failed = np.arange(400) % 40 == 1
    record.insert("predictions", [said("A", n, None if hard[n] else float(champion[n])) for n in range(400)])
    record.insert(
        "predictions", [said("B", n, None if both_failed[n] else float(challenger[n])) for n in range(400)]
    )
    record.insert("labels", truths(range(400), lambda n: truth[n]))
    [row] = duel(ask)
    here = ~hard
    assert (row["pairs"], row["not_compared"]) == (here.sum(), hard.sum())
    right_a, right_b = (champion >= 0.5) == truth, (challenger >= 0.5) == truth
    wanted = {
        "champion_accuracy": right_a[here].mean(),
        "challenger_accuracy": right_b[here].mean(),
        "champion_log_loss": metrics.log_loss(truth[here], champion[here]),
        "challenger_log_loss": metrics.log_loss(truth[here], challenger[here]),
        "champion_roc_auc": metrics.roc_auc_score(truth[here], champion[here]),
        "challenger_roc_auc": metrics.roc_auc_score(truth[here], challenger[here]),
        "only_champion_right": (right_a & ~right_b)[here].sum(),
        "only_challenger_right": (right_b & ~right_a)[here].sum(),
    }
    assert {name: row[name] for name in wanted} == pytest.approx(wanted)
    assert row["accuracy_difference"] == row["challenger_accuracy"] - row["champion_accuracy"]
    assert row["log_loss_difference"] == row["challenger_log_loss"] - row["champion_log_loss"]
    assert row["accuracy_low"] < row["accuracy_difference"] < row["accuracy_high"]


def test_pairs_of_several_rates(ask: History, record: Recorder) -> None:
    """A pair stands for as many as its lesser rate says, in every figure and in the interval."""
    random = np.random.default_rng(5)
    truth, scores = random.random(300) < 0.5, np.round(random.random((2, 300)), 2)
    rates = random.choice(RATES, (2, 300))
    for version, score, rate in zip("AB", scores, rates, strict=True):
        record.insert(
            "predictions",
            [said(version, n, float(score[n]), sampling_rate=float(rate[n])) for n in range(300)],
        )
    record.insert("labels", truths(range(300), lambda n: truth[n]))
    [row] = duel(ask)
    weights = 1 / rates.min(axis=0)
    right = (scores >= 0.5) == truth
    gain = right[1].astype(float) - right[0]
    mean = np.average(gain, weights=weights)
    of_day = np.bincount(np.arange(300) // 24, weights * (gain - mean))
    days = len(of_day)
    half = 1.959963984540054 * math.sqrt((of_day**2).sum() * days / (days - 1)) / weights.sum()
    clipped = scores.clip(1e-15, 1 - 1e-15)
    wanted = {"accuracy_difference": mean, "accuracy_low": mean - half, "accuracy_high": mean + half}
    for name, version in (("champion", 0), ("challenger", 1)):
        wanted |= {
            f"{name}_accuracy": np.average(right[version], weights=weights),
            f"{name}_log_loss": metrics.log_loss(truth, clipped[version], sample_weight=weights),
            f"{name}_roc_auc": metrics.roc_auc_score(truth, scores[version], sample_weight=weights),
        }
    assert {name: row[name] for name in wanted} == pytest.approx(wanted)
    assert (row["pairs"], row["not_compared"], row["days"]) == (300, 0, days)


def test_what_no_pair_has_is_not_needed(ask: History, record: Recorder) -> None:
    """A challenger that gives decisions alone is compared by them, and nothing is said of the scores of one side."""
    record.insert("predictions", [said("A", n, 0.9 if n % 2 else 0.2) for n in range(48)])
    record.insert("predictions", [said("B", n, None, status="ok", decision="true") for n in range(48)])
    record.insert("labels", truths(range(48), lambda n: n % 2))
    [row] = duel(ask)
    assert (row["pairs"], row["not_compared"]) == (48, 0)
    assert (row["champion_accuracy"], row["challenger_accuracy"], row["accuracy_difference"]) == (
        1,
        0.5,
        -0.5,
    )
    absent = ("champion_log_loss", "challenger_log_loss", "champion_roc_auc", "challenger_roc_auc")
    assert [row[name] for name in absent] == [None] * 4


def test_a_month_without_a_pair(ask: History, record: Recorder) -> None:
    """Where one of the two always failed the row says how many, and no figure."""
    record.insert("predictions", [said("A", n, None) for n in range(10)])
    record.insert("predictions", [said("B", n, 0.7) for n in range(10)])
    record.insert("labels", truths(range(10), lambda n: n % 2))
    [row] = duel(ask)
    assert (row.pop("pairs"), row.pop("not_compared"), row.pop("days")) == (0, 10, 0)
    assert (row.pop("only_champion_right"), row.pop("only_challenger_right")) == (0, 0)
    row.pop("month")
    assert set(row.values()) == {None}
