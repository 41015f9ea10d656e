"""The tests of a numeric column: location, scale and shape of its values, and the share of each special bin."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from stream_processors.sketches import NumericSketch
from stream_processors.sketches.bins import Floats, Ints, add_up
from stream_processors.statistics.chi_squared import LEAST_EXPECTED, chi_squared, merged_neighbours
from stream_processors.statistics.comparison_bins import ComparedBins
from stream_processors.statistics.dispersion import LEAST_ROWS, Dispersion
from stream_processors.statistics.fisher import fisher
from stream_processors.statistics.mann_whitney import mann_whitney
from stream_processors.statistics.mood import mood

# With fewer expected rows off the mode, normal approximations are not to be trusted.
LEAST_OFF_MODE = 10.0


def on_one_axis(window: NumericSketch, reference: NumericSketch) -> tuple[Floats, Ints, Ints]:
    """Bins of both sketches (of one precision), and each side's counts over them."""
    both = np.concatenate((reference.bins, window.bins))
    sides = np.zeros((both.size, 2), dtype=np.int64)
    sides[: reference.bins.size, 1] = reference.counts
    sides[reference.bins.size :, 0] = window.counts
    if both.size == 0:
        return both, sides[:, 0], sides[:, 1]
    bins, counts = add_up(both, sides)
    return bins, counts[:, 0], counts[:, 1]


def value_tests(
    window: Ints, reference: Ints, groups: tuple[Ints, Ints], dispersion: Dispersion
) -> Iterator[tuple[str, float]]:
    """Yield (name, p-value) of each test of the finite values that exists.

    Args:
        window: counts over all bins.
        reference: counts over the same bins.
        groups: counts of window and reference over the comparison bins of values, below and above included.
        dispersion: of the reference's windows.
    """
    n, m = int(np.add.reduce(window)), int(np.add.reduce(reference))
    if n < LEAST_ROWS or m < LEAST_ROWS:
        return
    pooled = window + reference
    mode = int(pooled.argmax())
    smaller = min(n, m) / (n + m)
    off_mode = (n + m - int(pooled[mode])) * smaller
    if off_mode == 0:
        return
    if off_mode < LEAST_OFF_MODE:
        yield "mode", dispersion.rescaled("mode", fisher(int(window[mode]), n, int(reference[mode]), m), n, m)
        return
    for name, z in (("mann_whitney", mann_whitney(window, pooled)), ("mood", mood(window, pooled))):
        if np.isfinite(z):
            yield name, dispersion.p_value(name, float(z * z), 1, n, m)
    binned = _binned_for_test(*groups, smaller)
    if binned is not None:
        statistic = float(chi_squared(*binned))
        yield "chi_squared", dispersion.p_value("chi_squared", statistic, binned[0].size - 1, n, m)


def _binned_for_test(window: Ints, reference: Ints, smaller: float) -> tuple[Ints, Ints] | None:
    """Merge neighbours until the smaller sample expects five rows in each bin; None where one bin is left."""
    expected = np.asarray((window + reference) * smaller, dtype=np.float64)
    if expected.size >= 2 and expected.min() >= LEAST_EXPECTED:
        return window, reference
    group = merged_neighbours(expected)
    starts = np.flatnonzero(np.concatenate(([True], group[1:] != group[:-1])))
    if starts.size < 2:
        return None
    return np.add.reduceat(window, starts), np.add.reduceat(reference, starts)


def special_tests(compared: ComparedBins, dispersion: Dispersion) -> Iterator[tuple[str, float]]:
    """Yield (name, p-value) of Fisher's test for each special bin that is occupied, but not the whole of both sides."""
    special = [i for i, label in enumerate(compared.labels) if label in _SPECIAL_LABELS]
    if not special:
        return
    n, m = int(compared.window.sum()), int(compared.reference.sum())
    for i in special:
        label, count, expected = compared.labels[i], int(compared.window[i]), int(compared.reference[i])
        if count + expected < n + m:
            yield label, dispersion.rescaled(label, fisher(count, n, expected, m), n, m)


_SPECIAL_LABELS = frozenset({"@below", "@above", "@null", "@nan_inf", "@absent"})
