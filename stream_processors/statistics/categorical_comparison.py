"""A categorical window against its reference."""

from __future__ import annotations

from collections.abc import Iterator

from stream_processors.sketches import CategoricalSketch
from stream_processors.statistics.categorical_reference import CategoricalReference
from stream_processors.statistics.category_bins import (
    Cells,
    bins_for_test,
    category_bins,
    rare_counts,
    unseen_counts,
)
from stream_processors.statistics.chi_squared import chi_squared
from stream_processors.statistics.comparison import Comparison
from stream_processors.statistics.dispersion import Dispersion
from stream_processors.statistics.fisher import fisher, fisher_greater
from stream_processors.statistics.numeric_tests import LEAST_OFF_MODE, special_tests


def compare_categorical(
    reference: CategoricalReference, window: CategoricalSketch, spans: float = 1.0
) -> Comparison:
    """Compare by name what both sides keep by name, by hash the rest; both sides must have events."""
    whole, dispersion, n = reference.sketch, reference.dispersion.over(spans), window.n
    cells = Cells.of(window, whole)
    compared = category_bins(cells, window, whole)
    tests = dict(special_tests(compared, dispersion)) | dict(_value_tests(cells, dispersion))
    values = compared.of_values()
    return Comparison(
        n=n,
        reference_n=reference.n,
        excluded=window.nulls + window.absent,
        bins=compared,
        null_rate_change=window.nulls / n - whole.nulls / reference.n,
        absent_rate_change=window.absent / n - whole.absent / reference.n,
        tests=tests,
        dispersion=dispersion,
        once=unseen_counts(cells)[1],
        chi_squared=float(chi_squared(*values)) if values[0].any() and values[1].any() else None,
    )


def _value_tests(cells: Cells, dispersion: Dispersion) -> Iterator[tuple[str, float]]:
    """Yield (name, p-value) of the tests of the values that exist."""
    n, m = int(cells.window.sum()), int(cells.reference.sum())
    if min(n, m) == 0:
        return
    unseen, once = unseen_counts(cells)
    if unseen:
        yield "@unseen", dispersion.rescaled("@unseen", fisher_greater(unseen, n, once, m), n, m)
    pooled = cells.window + cells.reference
    mode = int(pooled.argmax())
    off_mode = (n + m - int(pooled[mode])) * min(n, m) / (n + m)
    if off_mode == 0:
        return
    if off_mode < LEAST_OFF_MODE:
        yield (
            "mode",
            dispersion.rescaled(
                "mode", fisher(int(cells.window[mode]), n, int(cells.reference[mode]), m), n, m
            ),
        )
        return
    if rare := rare_counts(cells):
        yield "rare", dispersion.rescaled("rare", fisher(rare[0], n, rare[1], m), n, m)
    binned = bins_for_test(cells)
    if binned is not None:
        statistic = float(chi_squared(*binned))
        yield "chi_squared", dispersion.p_value("chi_squared", statistic, binned[0].size - 1, n, m)
