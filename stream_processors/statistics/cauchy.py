"""The Cauchy combination of dependent p-values.

``T = mean_i tan((1/2 - p_i) pi)`` is nearly Cauchy in its tail whatever the dependence, so ``p = 1/2 - arctan(T) / pi`` (Liu and Xie 2020, JASA 115:529,
section 2).
"""

from __future__ import annotations

import math
from collections.abc import Iterable

# A p-value of 1, which tests on few counts really give, would contribute minus infinity and cancel all evidence.
_GREATEST = 0.99
_LEAST = 1e-300


def cauchy(p_values: Iterable[float]) -> float | None:
    """Combine the p-values of the tests that exist, with equal weight; None without any. Each is bounded to at most 0.99.

    >>> round(cauchy([0.01, 0.5, 0.9]), 4)
    0.0331
    """
    terms = [_cotangent(min(max(p, _LEAST), _GREATEST)) for p in p_values]
    if not terms:
        return None
    t = math.fsum(terms) / len(terms)
    # For a great t the arctangent has lost the digits that its series keeps.
    return 1 / (math.pi * t) if t > 1e8 else 0.5 - math.atan(t) / math.pi


def _cotangent(p: float) -> float:
    """tan((1/2 - p) pi), by its series for a p so small that the tangent overflows."""
    return 1 / (math.pi * p) if p < 1e-8 else math.tan((0.5 - p) * math.pi)
