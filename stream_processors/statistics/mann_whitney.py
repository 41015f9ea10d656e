"""Mann-Whitney (Wilcoxon rank-sum) test of location, from two histograms.

The rows' mean ranks in the pooled sample are the scores; the normal approximation without continuity correction (Mann and Whitney 1947; ties as in
Lehmann 1975, *Nonparametrics*, section 1.4).
"""

from __future__ import annotations

from stream_processors.sketches.bins import Floats, Ints
from stream_processors.statistics.linear_rank import midranks, standardised


def mann_whitney(window: Ints, pooled: Ints) -> Floats:
    """Return z of the window's counts (..., B) against the rest of ``pooled``, the counts (B) of both samples over the same rising bins.

    Positive where the window lies higher; NaN with a single occupied bin.

    >>> import numpy as np
    >>> window, reference = np.array([10, 20, 30]), np.array([30, 20, 10])
    >>> round(float(mann_whitney(window, window + reference)), 4)
    4.4535
    """
    return standardised(window, pooled, midranks(pooled))
