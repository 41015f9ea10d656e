"""Mann-Whitney (Wilcoxon rank-sum) test of location, from two histograms.

The rows' mean ranks in the pooled sample are the scores; the normal approximation without continuity correction (Mann and Whitney 1947; ties as in
Lehmann 1975, *Nonparametrics*, section 1.4).
"""

from __future__ import annotations

import numpy as np

from stream_processors.sketches.bins import Floats, Ints
from stream_processors.statistics.linear_rank import midranks, standardised


def mann_whitney(window: Ints, reference: Ints) -> Floats:
    """Return z of counts (..., B) over the same rising bins: positive where the window lies higher; NaN with a single occupied bin.

    >>> round(float(mann_whitney(np.array([10, 20, 30]), np.array([30, 20, 10]))), 4)
    4.4535
    """
    pooled = window + reference
    return standardised(window, pooled, np.broadcast_to(midranks(pooled), pooled.shape))
