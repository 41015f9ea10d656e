"""How much more windows differ among themselves than independent rows would, and tests that allow for it.

Live rows are not independent: one day's weather, one campaign. With at least 20 reference windows the *dispersion* of a test is the mean over them of its
statistic (window against the rest of the reference) per degree of freedom, which is 1 for independent rows (McCullagh and Nelder 1989, *Generalized Linear
Models*, section 4.5). A statistic is divided by it, never by less than 1, and, the dispersion being an estimate from k windows, then has an F distribution
with k - 1 denominator degrees of freedom instead of chi-squared. The reference's windows are taken to be as long as the window judged.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from scipy.special import chdtrc, chdtri, fdtrc

from stream_processors.sketches.bins import Floats

LEAST_WINDOWS = 20
# A window with fewer rows than this says nothing about how windows differ.
LEAST_ROWS = 20


@dataclass(frozen=True, slots=True)
class Dispersion:
    """Dispersion per test, by its name, from ``windows`` reference windows; 0 windows: too few, rows are assumed independent."""

    windows: int = 0
    by_test: dict[str, float] = field(default_factory=dict)

    @property
    def assumes_independent_rows(self) -> bool:
        """Whether there were too few windows to know."""
        return self.windows == 0

    def p_value(self, test: str, statistic: float, degrees: int) -> float:
        """P-value of a chi-squared statistic (a squared z has one degree of freedom), allowing for the test's dispersion."""
        dispersion = self.by_test.get(test, 1.0)
        if dispersion <= 1.0:
            return float(chdtrc(degrees, statistic))
        return float(fdtrc(degrees, self.windows - 1, statistic / dispersion / degrees))

    def rescaled(self, test: str, p: float) -> float:
        """P-value of an exact test, allowing for dispersion by way of the squared z with the same p."""
        if self.by_test.get(test, 1.0) <= 1.0 or p >= 1.0:
            return p
        return self.p_value(test, float(chdtri(1, max(p, 1e-300))), 1)


def mean_dispersion(statistics: Floats, degrees: int = 1) -> float:
    """Mean statistic of the reference's windows per degree of freedom, at least 1; windows without a test (NaN) do not count.

    >>> mean_dispersion(np.array([1.0, 4.0, np.nan, 9.0]), 2)
    2.3333333333333335
    """
    finite = statistics[np.isfinite(statistics)]
    return max(1.0, float(finite.mean()) / degrees) if finite.size and degrees > 0 else 1.0


def share_statistics(hits: Floats, rows: Floats) -> Floats:
    """Pearson's chi-squared (one degree) of each window's share of hits against that of all other windows; NaN where no share varies.

    >>> share_statistics(np.array([10.0, 20.0]), np.array([100.0, 100.0])).round(4).tolist()
    [3.9216, 3.9216]
    """
    total_hits, total = hits.sum(), rows.sum()
    share = total_hits / total
    others = total - rows
    if not 0 < share < 1 or not others.all():
        return np.full(hits.shape, np.nan)
    difference = hits / rows - (total_hits - hits) / others
    result: Floats = np.square(difference) / (share * (1 - share) * (1 / rows + 1 / others))
    return result
