"""Linear rank tests from two histograms, ties included: what Mann-Whitney's and Mood's tests have in common.

With a score ``c_j`` for bin j, the window's sum ``T = sum_j w_j c_j`` has, over all ways to draw the window's n rows from the N pooled ones, the mean
``n c`` and the variance ``n m / (N (N - 1)) sum_j t_j (c_j - c)^2``, where ``t`` is pooled and ``c`` the mean score (Hajek and Sidak 1967, *Theory of Rank
Tests*, II.3.1). So ties need no correction of their own: rows of one bin share one score.
"""

from __future__ import annotations

import numpy as np

from stream_processors.sketches.bins import Floats, Ints


def midranks(pooled: Ints) -> Floats:
    """Mean rank, from 1, of the rows of each bin."""
    return np.asarray(np.cumsum(pooled) - (pooled - 1) / 2, dtype=np.float64)


def standardised(window: Ints, pooled: Ints, scores: Floats) -> Floats:
    """Return z = (T - mean) / sd of each window (..., B) drawn from one pool (B); NaN where all scores are equal, for then there is no test."""
    weights = pooled.astype(np.float64)
    n, total = np.add.reduce(window, axis=-1), float(np.add.reduce(weights))
    centred = scores - float(weights @ scores) / total
    spread = float(weights @ (centred * centred))
    # Rounding leaves a trace of variance where all scores are one.
    if spread <= 1e-9 * total:
        return np.full(np.shape(n), np.nan)
    variance = n * ((total - n) * (spread / (total * (total - 1))))
    return np.asarray(window.astype(np.float64) @ centred / np.sqrt(variance))
