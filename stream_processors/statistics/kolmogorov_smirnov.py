"""Kolmogorov-Smirnov distance of two histograms: the greatest difference of their distribution functions at a bin's end.

At most the distance of the raw samples, and less by no more than the greatest share a single bin holds.
"""

from __future__ import annotations

import numpy as np

from stream_processors.sketches.bins import Ints


def kolmogorov_smirnov(window: Ints, reference: Ints) -> float:
    """Return the distance of two counts over the same ordered bins (each with a positive sum).

    >>> kolmogorov_smirnov(np.array([2, 0, 2]), np.array([1, 1, 2]))
    0.25
    """
    ours, theirs = window.cumsum(), reference.cumsum()
    return float(np.maximum.reduce(np.abs(ours / ours[-1] - theirs / theirs[-1])))
