"""Benjamini-Hochberg adjusted p-values: rejecting those at or below a level keeps the expected share of false rejections below it.

``q_(i) = min_(k >= i) p_(k) m / k`` over the m ordered p-values (Benjamini and Hochberg 1995), valid for independent and positively dependent tests.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from stream_processors.sketches.bins import Floats


def benjamini_hochberg(p_values: Sequence[float]) -> Floats:
    """Return the adjusted p-values, in the order given.

    >>> benjamini_hochberg([0.01, 0.04, 0.03, 0.5]).round(4).tolist()
    [0.04, 0.0533, 0.0533, 0.5]
    """
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p, kind="stable")
    scaled = p[order] * p.size / np.arange(1, p.size + 1)
    adjusted = np.empty(p.size)
    adjusted[order] = np.minimum(np.minimum.accumulate(scaled[::-1])[::-1], 1.0)
    return adjusted
