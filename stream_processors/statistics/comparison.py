"""The numbers of one comparison of a window with a reference, before anything is decided."""

from __future__ import annotations

from dataclasses import dataclass

from stream_processors.statistics.cauchy import cauchy
from stream_processors.statistics.comparison_bins import NUMERIC_SPECIALS, UNSEEN, ComparedBins
from stream_processors.statistics.dispersion import Dispersion
from stream_processors.statistics.jensen_shannon import jensen_shannon
from stream_processors.statistics.psi import psi, psi_expected, psi_expected_of_unseen

# Tests on small counts give p-values of 1 as a rule; bounded here they say nothing, instead of contradicting the others.
_GREATEST_EXACT_P = 0.5
_CONTINUOUS = frozenset({"mann_whitney", "mood", "chi_squared"})
# Tests of a share of all rows; the others are of those with a value.
_OF_ALL_ROWS = frozenset({*NUMERIC_SPECIALS, "@below", "@above"})


@dataclass(frozen=True, slots=True)
class Comparison:
    """Distances, rate changes and the p-value of each test that exists; None where a number does not exist for the column.

    ``once`` is how many of the reference's categories occur in one row; 0 of numbers.
    """

    n: int
    reference_n: int
    excluded: int
    bins: ComparedBins
    null_rate_change: float
    absent_rate_change: float
    tests: dict[str, float]
    dispersion: Dispersion
    once: int
    chi_squared: float | None = None
    kolmogorov_smirnov: float | None = None
    wasserstein: float | None = None

    @property
    def psi(self) -> float:
        """Population stability index on the bins."""
        return psi(self.bins.window, self.bins.reference)

    @property
    def psi_expected(self) -> float:
        """Index expected from chance alone."""
        bins = len(self.bins.labels)
        expected = psi_expected(self.n, self.reference_n, bins)
        if UNSEEN in self.bins.labels:
            expected += psi_expected_of_unseen(self.n, self.reference_n, bins, self.once)
        return expected

    @property
    def jensen_shannon(self) -> float:
        """Jensen-Shannon distance on the bins."""
        return jensen_shannon(self.bins.window, self.bins.reference)

    @property
    def p_value(self) -> float | None:
        """Cauchy combination of the tests; None without any."""
        return cauchy(
            p if name in _CONTINUOUS else min(p, _GREATEST_EXACT_P) for name, p in self.tests.items()
        )

    @property
    def greatest_dispersion(self) -> float | None:
        """Greatest factor among the tests that were made by which their statistic exceeds chance in usual windows of this size.

        None where rows were taken as independent.
        """
        if self.dispersion.assumes_independent_rows:
            return None
        values = [int(side.sum()) for side in self.bins.of_values()]
        factors = [
            self.dispersion.factor(name, *((self.n, self.reference_n) if name in _OF_ALL_ROWS else values))
            for name in self.tests
        ]
        return max(factors, default=1.0)
