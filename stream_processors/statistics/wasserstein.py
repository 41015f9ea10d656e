"""Wasserstein-1 (earth mover's) distance of two histograms, in standard deviations of the reference.

``W1 = sum_k |F_k - G_k| (x_(k+1) - x_k)`` over the bins' midpoints ``x``; off by at most one bin width from that of the raw samples.
"""

from __future__ import annotations

import math

import numpy as np

from stream_processors.sketches.bins import Floats, Ints


def wasserstein(
    window: Ints, reference: Ints, midpoints: Floats, reference_std: float | None
) -> float | None:
    """Return the distance of two counts over the same bins with rising ``midpoints``; None where the reference does not vary.

    >>> wasserstein(np.array([0, 10]), np.array([5, 5]), np.array([0.0, 4.0]), 2.0)
    1.0
    """
    if not reference_std or not math.isfinite(reference_std):
        return None
    ours, theirs = window.cumsum(), reference.cumsum()
    difference = np.abs(ours / ours[-1] - theirs / theirs[-1])
    # Scaled first: the distance of two far columns would overflow.
    scaled = midpoints / reference_std
    return float(difference[:-1] @ (scaled[1:] - scaled[:-1]))
