"""Mood's test of scale, from two histograms.

The score of rank i is its squared distance from the middle rank, ``(i - (N + 1)/2)^2``; rows of one bin share the mean of their scores (Mood 1954; ties as in
Mielke 1967). Normal approximation.
"""

from __future__ import annotations

import numpy as np

from stream_processors.sketches.bins import Floats, Ints
from stream_processors.statistics.linear_rank import midranks, standardised


def mood(window: Ints, pooled: Ints) -> Floats:
    """Return z of the window's counts (..., B) against the rest of ``pooled``, the counts (B) of both samples over the same rising bins.

    Positive where the window is wider; NaN where all scores are equal.

    >>> window, reference = np.array([20, 5, 20]), np.array([5, 35, 5])
    >>> round(float(mood(window, window + reference)), 4)
    6.3285
    """
    middle = (np.add.reduce(pooled) + 1) / 2
    # The mean of (i - middle)^2 over t neighbouring ranks is that of their mean rank plus their own variance.
    scores = np.square(midranks(pooled) - middle) + (np.square(pooled.astype(np.float64)) - 1) / 12
    return standardised(window, pooled, scores)
