"""Intervals that respect dependence: whole blocks (days, requests, entities) are resampled, not rows.

Rows of one day share weather and traffic, so a binomial interval is several times too narrow (design/labels.md,
"Quality"). Method: the cluster bootstrap with percentile limits (Cameron, Gelbach and Miller 2008, section 3; Efron and
Tibshirani 1993, chapter 13).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

LEVEL = 0.95
CLIP = 1e-15


@dataclass(frozen=True)
class Estimate:
    """A figure with its interval; nan where it does not exist (one class only, no rows)."""

    value: float
    low: float
    high: float
    blocks: int


class BlockResampler:
    """Draws blocks with replacement and turns each draw into a weight per block.

    Args:
        blocks: block of each row, any hashable numpy dtype, shape (n,).
        draws: how many resamples.
        random: source of randomness; equal seeds give equal intervals.
    """

    def __init__(self, blocks: NDArray[Any], *, draws: int = 400, random: np.random.Generator) -> None:
        names, self.codes = np.unique(blocks, return_inverse=True)
        self.count = len(names)
        # how often each block is in each draw: multinomial with equal chances, shape (draws, blocks)
        self.weights: Floats = (
            random.multinomial(self.count, np.full(self.count, 1 / self.count), size=draws).astype(np.float64)
            if self.count
            else np.empty((draws, 0))
        )

    def mean(self, values: Floats) -> Estimate:
        """The mean of a value per row, such as a loss or a hit, shape (n,)."""
        sums = np.bincount(self.codes, values, self.count)
        sizes = np.bincount(self.codes, minlength=self.count).astype(np.float64)
        with np.errstate(invalid="ignore", divide="ignore"):
            draws = (self.weights @ sums) / (self.weights @ sizes)
        return self._limits(float(np.mean(values)) if len(values) else float("nan"), draws)

    def roc_auc(self, scores: Floats, truths: NDArray[np.bool_]) -> Estimate:
        """Area under the ROC curve, ties counting half, of scores and truths of shape (n,)."""
        curve = _Ranked(scores, truths, self.codes)
        return self._limits(
            curve.area(np.ones(self.count)), np.array([curve.area(row) for row in self.weights])
        )

    def roc_auc_difference(self, first: Floats, second: Floats, truths: NDArray[np.bool_]) -> Estimate:
        """AUC of ``second`` less that of ``first`` on the same rows: a paired difference."""
        one, two = _Ranked(first, truths, self.codes), _Ranked(second, truths, self.codes)
        unit = np.ones(self.count)
        draws = np.array([two.area(row) - one.area(row) for row in self.weights])
        return self._limits(two.area(unit) - one.area(unit), draws)

    def _limits(self, value: float, draws: Floats) -> Estimate:
        known = draws[np.isfinite(draws)]
        if self.count < 2 or not len(known):
            return Estimate(value, float("nan"), float("nan"), self.count)
        low, high = np.quantile(known, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
        return Estimate(value, float(low), float(high), self.count)


class _Ranked:
    """Scores sorted once, so that each resample costs one pass."""

    def __init__(self, scores: Floats, truths: NDArray[np.bool_], codes: Ints) -> None:
        order = np.argsort(scores, kind="stable")
        ordered = scores[order]
        self._codes = codes[order]
        self._positive = truths[order].astype(np.float64)
        self._starts = (
            np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
            if len(ordered)
            else np.empty(0, np.int64)
        )

    def area(self, block_weights: Floats) -> float:
        """Mann-Whitney form of the area under weights per block (Hanley and McNeil 1982)."""
        if not len(self._starts):
            return float("nan")
        weights = block_weights[self._codes]
        positive = np.add.reduceat(weights * self._positive, self._starts)
        negative = np.add.reduceat(weights * (1 - self._positive), self._starts)
        pairs = positive.sum() * negative.sum()
        if not pairs:
            return float("nan")
        below = np.cumsum(negative) - negative
        return float(positive @ (below + negative / 2) / pairs)


def log_losses(probabilities: Floats, truths: NDArray[np.bool_]) -> Floats:
    """Logarithmic loss per row; probabilities are clipped at 1e-15 from 0 and 1."""
    clipped = np.clip(probabilities, CLIP, 1 - CLIP)
    losses: Floats = -np.log(np.where(truths, clipped, 1 - clipped))
    return losses
