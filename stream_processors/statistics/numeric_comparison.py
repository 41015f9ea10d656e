"""A numeric window against its reference."""

from __future__ import annotations

from stream_processors.sketches import NumericSketch, midpoint
from stream_processors.statistics.chi_squared import chi_squared
from stream_processors.statistics.comparison import Comparison
from stream_processors.statistics.comparison_bins import specials
from stream_processors.statistics.kolmogorov_smirnov import kolmogorov_smirnov
from stream_processors.statistics.numeric_reference import NumericReference
from stream_processors.statistics.numeric_tests import on_one_axis, special_tests, value_tests
from stream_processors.statistics.wasserstein import wasserstein


def compare_numeric(reference: NumericReference, window: NumericSketch, spans: float = 1.0) -> Comparison:
    """Compare on bins no finer than either side's; both sides must have events."""
    reference = reference.at_precision(window.precision)
    whole, window = reference.sketch, window.coarsen(reference.sketch.precision)
    finite, dispersion = window.finite, reference.dispersion.over(spans)
    n = finite + sum(specials(window))
    compared = reference.binning(n).compare(window)
    tests = dict(special_tests(compared, dispersion))
    bins, counts, reference_counts = on_one_axis(window, whole)
    distances: dict[str, float | None] = {}
    if finite and whole.bins.size:
        groups = compared.of_values()
        tests |= value_tests(counts, reference_counts, groups, dispersion)
        distances = {
            "kolmogorov_smirnov": kolmogorov_smirnov(counts, reference_counts),
            "wasserstein": wasserstein(
                counts, reference_counts, midpoint(bins, whole.precision), reference.std
            ),
            "chi_squared": float(chi_squared(*groups)),
        }
    return Comparison(
        n=n,
        reference_n=reference.n,
        excluded=n - finite,
        bins=compared,
        null_rate_change=window.nulls / n - whole.nulls / reference.n,
        absent_rate_change=window.absent / n - whole.absent / reference.n,
        tests=tests,
        dispersion=dispersion,
        once=0,
        **distances,
    )
