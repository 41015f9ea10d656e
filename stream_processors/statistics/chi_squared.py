"""Two-sample chi-squared: are two histograms drawn from one distribution, neither of them exact.

``X2 = sum_b (sqrt(m/n) w_b - sqrt(n/m) r_b)^2 / (w_b + r_b)`` with ``B - 1`` degrees of freedom for window counts ``w`` (sum n) and reference counts ``r``
(sum m) (Porter 2008, *Testing Consistency of Two Histograms*, arXiv:0804.0380): Pearson's statistic of the 2 x B table. A test that takes the reference
as exact alarms too often.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from stream_processors.sketches.bins import Floats, Ints

# Cochran's rule: an expected count of five makes the approximation good.
LEAST_EXPECTED = 5.0


def chi_squared(window: Ints, reference: Ints) -> Floats:
    """Return the statistic of counts over the same bins, each occupied on one side at least; arrays (..., B) give (...) values.

    >>> round(float(chi_squared(np.array([10, 20]), np.array([30, 30]))), 6)
    2.25
    """
    n, m = (np.add.reduce(side, axis=-1, keepdims=True) for side in (window, reference))
    ratio = np.sqrt(m / n)
    difference: Floats = ratio * window - reference / ratio
    return np.asarray(np.add.reduce(difference * difference / (window + reference), axis=-1))


def merged_neighbours(expected: Floats, least: float = LEAST_EXPECTED) -> npt.NDArray[np.intp]:
    """Group neighbouring bins from the left until each group expects ``least``; returns the group of each bin, from 0.

    A remainder that expects less joins the last group.

    >>> merged_neighbours(np.array([6.0, 2.0, 2.0, 3.0, 1.0])).tolist()
    [0, 1, 1, 1, 1]
    """
    groups: list[int] = []
    group, gathered = 0, 0.0
    for value in expected.tolist():
        groups.append(group)
        gathered += value
        if gathered >= least:
            group, gathered = group + 1, 0.0
    if group > 0 and groups[-1] == group:
        groups = [min(number, group - 1) for number in groups]
    return np.array(groups, dtype=np.intp)
