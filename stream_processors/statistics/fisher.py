"""Fisher's exact test: is a share the same in two samples, however rare it is.

Given the margins, the window's count is hypergeometric. Two-sided, the probability of all counts that are no likelier than the one seen (Fisher 1934; the
definition of R and scipy).
"""

from __future__ import annotations

import math

import numpy as np
from scipy.special import chdtrc

from stream_processors.sketches.bins import Floats

# Above this many possible counts the normal approximation differs by less than a percent, and the exact sum costs more than it tells.
_EXACT_UP_TO = 20_000


def fisher(window: int, n: int, reference: int, reference_n: int) -> float:
    """Two-sided p-value for ``window`` of ``n`` against ``reference`` of ``reference_n``; 1 where both are none or all.

    >>> round(fisher(8, 10, 1, 6), 6)
    0.034965
    """
    probabilities, lowest = _hypergeometric(window + reference, n, reference_n)
    if probabilities is None:
        return _normal(window, n, reference, reference_n)
    seen = probabilities[window - lowest]
    return min(1.0, float(probabilities[probabilities <= seen * (1 + 1e-7)].sum()))


def fisher_greater(window: int, n: int, reference: int, reference_n: int) -> float:
    """One-sided p-value: the probability that the window's count is at least this great.

    >>> round(fisher_greater(8, 10, 1, 6), 6)
    0.024476
    """
    probabilities, lowest = _hypergeometric(window + reference, n, reference_n)
    if probabilities is None:
        two_sided = _normal(window, n, reference, reference_n)
        return two_sided / 2 if window * reference_n > reference * n else 1 - two_sided / 2
    return min(1.0, float(probabilities[window - lowest :].sum()))


def _hypergeometric(hits: int, n: int, reference_n: int) -> tuple[Floats | None, int]:
    """Probability of each possible count of the window, and the least possible; None where there are too many."""
    lowest, highest = max(0, hits - reference_n), min(hits, n)
    if highest - lowest > _EXACT_UP_TO:
        return None, lowest
    x = np.arange(lowest, highest, dtype=np.float64)
    steps = np.log((hits - x) * (n - x)) - np.log((x + 1) * (reference_n - hits + x + 1))
    logarithms = np.concatenate(([0.0], np.cumsum(steps)))
    relative = np.exp(logarithms - logarithms.max())
    return relative / relative.sum(), lowest


def _normal(window: int, n: int, reference: int, reference_n: int) -> float:
    """Pearson's chi-squared of the same 2 x 2 table."""
    share = (window + reference) / (n + reference_n)
    z = (window / n - reference / reference_n) / math.sqrt(share * (1 - share) * (1 / n + 1 / reference_n))
    return float(chdtrc(1, z * z))
