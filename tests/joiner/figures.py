"""Quality recomputed from what was sent, by pandas and scikit-learn: the independent side of the comparison."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
import pandas as pd
from sklearn import metrics

_KIND = {"truth": 0, "correction": 1, "retraction": 2, "void": 3}
Row = dict[str, Any]


def current(predictions: list[Row], facts: list[Row]) -> pd.DataFrame:
    """Every prediction once, beside the fact that counts: columns of both, and `state`."""
    said = pd.DataFrame(predictions).drop_duplicates("prediction_id")
    told = pd.DataFrame(facts).drop_duplicates("label_id")
    told = told.assign(order=told["kind"].map(_KIND)).sort_values(["reported_at", "order", "label_id"])
    first = told[told["kind"].isin(["truth", "correction"])].groupby("prediction_id")["known_at"].min()
    last = told.groupby("prediction_id").tail(1).set_index("prediction_id")
    rows = said.set_index("prediction_id").join(last[["kind", "truth", "truth_value", "true_at"]])
    rows["first_known_at"] = first
    rows["state"] = rows["kind"].map(
        {"truth": "labelled", "correction": "labelled", "retraction": "no", "void": "void"}
    )
    return rows


def counts(rows: pd.DataFrame) -> Row:
    """Predictions, labelled and void."""
    return {
        "predictions": len(rows),
        "labelled": int((rows["state"] == "labelled").sum()),
        "void": int((rows["state"] == "void").sum()),
    }


def lags(rows: pd.DataFrame) -> Row:
    """Seconds after which a share of all predictions was labelled: the least lag that so many do not exceed."""
    there = rows[rows["state"] == "labelled"]
    found = {}
    for name, at in (("truth", "true_at"), ("known", "first_known_at")):
        lag = sorted(((there[at] - there["event_time"]) / 1e6).dropna())
        for share in (50, 90, 99):
            rank = math.ceil(len(rows) * share / 100)
            if rank <= len(lag):
                found[f"{name}_p{share}"] = lag[rank - 1]
    return found


def binary(rows: pd.DataFrame, positive: str, negative: str, threshold: float) -> tuple[Row, Row]:
    """Confusion and figures of two classes."""
    there = rows[rows["state"] == "labelled"]
    judged = np.where(there["score"] >= threshold, positive, negative)
    decision = there["decision"].where(there["decision"].notna(), judged)
    decided = there["decision"].notna() | there["score"].notna()
    truth, said = there["truth"][decided] == positive, decision[decided] == positive
    y, score = there["truth"][there["score"].notna()] == positive, there["score"].dropna()
    tn, fp, fn, tp = metrics.confusion_matrix(truth, said, labels=[False, True]).ravel()
    found = {
        "accuracy": metrics.accuracy_score(truth, said),
        "mcc": metrics.matthews_corrcoef(truth, said),
        "f1": metrics.f1_score(truth, said),
        "log_loss": metrics.log_loss(y, score.clip(1e-15, 1 - 1e-15), labels=[False, True]),
        "brier": metrics.brier_score_loss(y, score),
        "positive_rate": truth.mean(),
        "baseline_accuracy": max(truth.mean(), 1 - truth.mean()),
        "ece": calibration_error(y.to_numpy(), score.to_numpy()),
    }
    for name, above, below in (
        ("precision", tp, tp + fp),
        ("recall", tp, tp + fn),
        ("specificity", tn, tn + fp),
    ):
        if below:
            found[name] = above / below
    if y.nunique() == 2:
        found["roc_auc"] = metrics.roc_auc_score(y, score)
        found["pr_auc"] = metrics.average_precision_score(y, score)
    cells = pd.crosstab(there["truth"][decided], decision[decided]).stack()
    return {key: int(n) for key, n in cells.items() if n}, found


def calibration_error(y: np.ndarray, score: np.ndarray, bins: int = 15) -> float:
    """Expected calibration error over bins of equal mass; each of equal scores counts as their mean truth."""
    rows = pd.DataFrame({"score": score, "y": y.astype(float)}).sort_values("score")
    excess = (rows["score"] - rows.groupby("score")["y"].transform("mean")).to_numpy()
    parts = np.split(excess, [len(y) * k // bins for k in range(1, bins)])
    return float(sum(abs(part.sum()) for part in parts) / len(y))


def multiclass(rows: pd.DataFrame) -> Row:
    """Figures of many classes."""
    there = rows[(rows["state"] == "labelled") & rows["decision"].notna()]
    truth, said = there["truth"], there["decision"]
    classes = sorted(there["probabilities"].iloc[0])
    p = np.array([[row[name] for name in classes] for row in there["probabilities"]])
    y = np.array([[name == one for name in classes] for one in truth], dtype=float)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return {
            "accuracy": metrics.accuracy_score(truth, said),
            "f1_macro": metrics.f1_score(truth, said, average="macro"),
            "f1_weighted": metrics.f1_score(truth, said, average="weighted"),
            "mcc": metrics.matthews_corrcoef(truth, said),
            "log_loss": metrics.log_loss(truth, p, labels=classes),
            "brier": float(((p - y) ** 2).sum(axis=1).mean()),
            "baseline_accuracy": truth.value_counts().max() / len(truth),
        }


def regression(rows: pd.DataFrame) -> Row:
    """Figures of numbers."""
    there = rows[(rows["state"] == "labelled") & rows["score"].notna()]
    truth, said = there["truth_value"].astype(float), there["score"]
    there = truth != 0
    return {
        "mae": metrics.mean_absolute_error(truth, said),
        "rmse": math.sqrt(metrics.mean_squared_error(truth, said)),
        "bias": (said - truth).mean(),
        "mape": metrics.mean_absolute_percentage_error(truth[there], said[there]),
        "r2": metrics.r2_score(truth, said),
    }
