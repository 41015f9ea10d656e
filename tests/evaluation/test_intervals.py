"""Intervals from resampled blocks."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import log_loss, roc_auc_score

from evaluation.intervals import BlockResampler, log_losses


def _rows(seed: int, days: int = 40, per_day: int = 50) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    day = np.repeat(np.arange(days), per_day)
    truth = random.random(len(day)) < 0.3
    score = np.round(random.normal(size=len(day)) + truth, 2)
    return day, score, truth


def test_area_equals_scikit_learn_with_ties() -> None:
    """The AUC agrees with scikit-learn on rounded scores, where ties count half."""
    day, score, truth = _rows(1)
    found = BlockResampler(day, random=np.random.default_rng(0)).roc_auc(score, truth)
    assert found.value == pytest.approx(roc_auc_score(truth, score), abs=1e-12)
    assert found.low < found.value < found.high


def test_losses_equal_scikit_learn() -> None:
    """Mean log loss agrees with scikit-learn, certain and wrong answers included."""
    truth = np.array([True, False, True, False])
    probability = np.array([0.9, 0.2, 0.0, 1.0])
    expected = log_loss(truth, np.clip(probability, 1e-15, 1 - 1e-15))
    assert log_losses(probability, truth).mean() == pytest.approx(expected, abs=1e-12)


def test_interval_covers_what_days_share() -> None:
    """With a common effect per day the interval of a mean holds the truth about as often as it promises."""
    held = 0
    for seed in range(200):
        random = np.random.default_rng(seed)
        day = np.repeat(np.arange(60), 30)
        values = np.repeat(random.normal(size=60), 30) + random.normal(size=len(day))
        found = BlockResampler(day, draws=200, random=random).mean(values)
        held += found.low <= 0 <= found.high
    assert 175 <= held <= 199


def test_difference_is_paired() -> None:
    """A model compared with itself differs by exactly nothing in every resample."""
    day, score, truth = _rows(2)
    found = BlockResampler(day, random=np.random.default_rng(0)).roc_auc_difference(score, score, truth)
    assert (found.value, found.low, found.high) == (0.0, 0.0, 0.0)


def test_one_block_has_no_interval() -> None:
    """One day alone gives a figure and no interval."""
    day, score, truth = _rows(3, days=1)
    found = BlockResampler(day, random=np.random.default_rng(0)).roc_auc(score, truth)
    assert np.isfinite(found.value)
    assert np.isnan(found.low)
    assert np.isnan(found.high)


def test_one_class_has_no_area() -> None:
    """Where every truth is the same there is no AUC, and none is made up."""
    found = BlockResampler(np.arange(5), random=np.random.default_rng(0)).roc_auc(
        np.arange(5.0), np.ones(5, bool)
    )
    assert np.isnan(found.value)
