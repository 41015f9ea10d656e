"""Numbers made coarse: each becomes the lower edge of its bucket. Pure."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable
from itertools import pairwise

# a width, or rising edges
Bucket = float | tuple[float, ...]
# whole numbers up to here have a double each; multiples of a width beyond so many of them have not
EXACT_STEPS = float(2**53)


def bucket_problem(bucket: Bucket) -> str | None:
    """Why this is no width and no list of edges; None where it is one."""
    if isinstance(bucket, tuple):
        rising = all(low < high for low, high in pairwise(bucket))
        fine = bool(bucket) and rising and all(math.isfinite(edge) for edge in bucket)
        return None if fine else "edges are finite numbers, at least one, each above the one before"
    return None if math.isfinite(bucket) and bucket > 0 else "a width is a finite number above 0"


def bucketing(bucket: Bucket) -> Callable[[float], float]:
    """The function from a number to the lower edge of its bucket.

    With a width ``w`` the edges are its multiples ``k * w``, as doubles, and a number's is the last that is not above it. With a list
    of edges, a number below the first gets the first. What has been bucketed stays as it is. NaN stays NaN; with a width infinities, and
    numbers so large that doubles are further apart than the width, stay what they are.
    """
    return _by_edges(bucket) if isinstance(bucket, tuple) else _by_width(bucket)


def _by_width(width: float) -> Callable[[float], float]:
    limit = EXACT_STEPS * width

    def lower_edge(value: float) -> float:
        if not -limit < value < limit:
            return value
        step = math.floor(value / width)
        # the quotient is rounded, so its floor may be one off
        if step * width > value:
            step -= 1
        elif (step + 1) * width <= value:
            step += 1
        return step * width

    return lower_edge


def _by_edges(edges: tuple[float, ...]) -> Callable[[float], float]:
    def lower_edge(value: float) -> float:
        if math.isnan(value):
            return value
        return edges[max(bisect_right(edges, value) - 1, 0)]

    return lower_edge
