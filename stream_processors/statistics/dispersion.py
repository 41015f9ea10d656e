"""Tests that allow for windows that differ among themselves more than independent rows would.

Live rows are not independent: one day's weather, one campaign. With at least 20 reference windows the p-value of each test counts, beside the chance of rows, how
much the reference's own windows differ (``between_windows``), at the sizes that window and reference have.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from scipy.special import chdtrc, chdtri

from stream_processors.statistics.between_windows import BetweenWindows

LEAST_WINDOWS = 20
# A window with fewer rows than this says nothing about how windows differ.
LEAST_ROWS = 20


@dataclass(frozen=True, slots=True)
class Dispersion:
    """What differs between the reference's windows, per test by its name, for windows as long as ``spans`` of them.

    0 windows: too few, rows are assumed independent.
    """

    windows: int = 0
    by_test: dict[str, BetweenWindows] = field(default_factory=dict)
    spans: float = 1.0

    @classmethod
    def of(cls, windows: int, by_test: dict[str, BetweenWindows | None]) -> Dispersion:
        """Keep the tests that the windows say something about."""
        return cls(windows, {name: between for name, between in by_test.items() if between is not None})

    def over(self, spans: float) -> Dispersion:
        """For windows as long as so many of the reference's, which differ independently of each other."""
        return self if spans == self.spans else replace(self, spans=spans)

    @property
    def assumes_independent_rows(self) -> bool:
        """Whether there were too few windows to know."""
        return self.windows == 0

    def factor(self, test: str, n: int, m: int) -> float:
        """How many times its mean by chance a test's statistic is among windows of ``n`` rows against ``m``; at least 1."""
        between = self.by_test.get(test)
        return 1.0 if between is None else between.factor(n, m, self.spans)

    def p_value(self, test: str, statistic: float, degrees: int, n: int, m: int) -> float:
        """P-value of a chi-squared statistic (a squared z has one degree of freedom) of ``n`` rows against ``m``.

        >>> round(Dispersion().p_value("mood", 3.8415, 1, 500, 15_000), 4)
        0.05
        """
        between = self.by_test.get(test)
        if between is None:
            return float(chdtrc(degrees, statistic))
        return between.p_value(statistic, degrees, n, m, self.spans)

    def rescaled(self, test: str, p: float, n: int, m: int) -> float:
        """P-value of an exact test, allowing for what differs between windows by way of the squared z with the same p."""
        between = self.by_test.get(test)
        if between is None or p >= 1.0:
            return p
        return max(p, between.p_value(float(chdtri(1, max(p, 1e-300))), 1, n, m, self.spans))
