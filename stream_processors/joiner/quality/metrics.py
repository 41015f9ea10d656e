"""Figures made of counts and sums, by the column. Pure.

Definitions are those of scikit-learn's metrics; a figure whose denominator is zero does not exist (scikit-learn says 0 and warns).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Floats = npt.NDArray[np.float64]
Confusion = list[dict[str, Any]]


def binary_metrics(tp: Floats, fp: Floats, fn: Floats, tn: Floats) -> dict[str, Floats]:
    """Figures of two classes from their confusion counts, one value per row; NaN where a figure does not exist.

    mcc: Matthews 1975, 0 where a margin is empty, as scikit-learn has it. baseline_accuracy: of always saying the more frequent class.
    """
    n = tp + fp + fn + tn
    positives, said, negatives, unsaid = tp + fn, tp + fp, tn + fp, tn + fn
    margins = np.sqrt(positives) * np.sqrt(said) * np.sqrt(negatives) * np.sqrt(unsaid)
    covariance = tp * tn - fp * fn
    return {
        "accuracy": _ratio(tp + tn, n),
        "precision": _ratio(tp, said),
        "recall": _ratio(tp, positives),
        "f1": _ratio(2 * tp, 2 * tp + fp + fn),
        "specificity": _ratio(tn, negatives),
        "mcc": np.where(margins > 0, _ratio(covariance, margins), _ratio(np.zeros_like(n), n)),
        "positive_rate": _ratio(positives, n),
        "baseline_accuracy": _ratio(np.maximum(positives, negatives), n),
    }


def multiclass_metrics(confusion: Confusion) -> dict[str, float]:
    """Figures of any number of classes from (truth, decision, count) cells; empty without any.

    f1_macro is the mean over all classes that are true or said, f1_weighted weighs them by how often they are true. mcc: Gorodkin 2004.
    """
    if not confusion:
        return {}
    classes = sorted({cell[side] for cell in confusion for side in ("truth", "decision")})
    place = {name: number for number, name in enumerate(classes)}
    table = np.zeros((len(classes), len(classes)))
    for cell in confusion:
        table[place[cell["truth"]], place[cell["decision"]]] += cell["count"]
    true, said, right, n = table.sum(axis=1), table.sum(axis=0), np.diag(table), table.sum()
    f1 = 2 * right / (true + said)
    spread = np.sqrt(n * n - (said * said).sum()) * np.sqrt(n * n - (true * true).sum())
    return {
        "accuracy": float(right.sum() / n),
        "f1_macro": float(f1.mean()),
        "f1_weighted": float((f1 * true).sum() / n),
        "mcc": float((right.sum() * n - (true * said).sum()) / spread) if spread > 0 else 0.0,
        "baseline_accuracy": float(true.max() / n),
    }


def regression_metrics(sums: Mapping[str, Floats]) -> dict[str, Floats]:
    """Figures of numbers from their sums, one value per row; NaN where a figure does not exist.

    bias is the mean of score - truth; mape is over truths that are not 0; r2 = 1 - squared errors / squared deviations of the truth.
    """
    n = sums["n_error"]
    return {
        "mae": _ratio(sums["absolute_error"], n),
        "rmse": np.sqrt(_ratio(sums["squared_error"], n)),
        "bias": _ratio(sums["error"], n),
        "mape": _ratio(sums["relative_error"], sums["n_relative_error"]),
        "r2": 1 - _ratio(sums["squared_error"], np.where(n > 1, sums["squared_deviation"], 0.0)),
    }


def coverage(
    labelled: Floats, predictions: Floats, void: Floats, provisional: npt.NDArray[np.bool_]
) -> Floats:
    """Share labelled of those that can be: of all predictions while the window is provisional, then of those not void; NaN of none."""
    return _ratio(labelled, np.where(provisional, predictions, predictions - void))


def as_maps(figures: Mapping[str, Floats]) -> pa.Array:
    """Columns of figures as one map per row, without those that do not exist (NaN)."""
    names = sorted(figures)
    values = np.stack([figures[name] for name in names], axis=1) if names else np.zeros((0, 0))
    there = ~np.isnan(values)
    offsets = np.concatenate(([0], np.cumsum(there.sum(axis=1)))).astype(np.int32)
    places = np.broadcast_to(np.arange(len(names)), values.shape)[there]
    return pa.MapArray.from_arrays(
        pa.array(offsets), pa.array(names, pa.string()).take(pa.array(places)), pa.array(values[there])
    )


def _ratio(above: Floats, below: Floats) -> Floats:
    """Quotients; NaN where the denominator is 0."""
    found = np.full(np.shape(below), np.nan)
    np.divide(above, below, out=found, where=np.asarray(below) != 0)
    return found
