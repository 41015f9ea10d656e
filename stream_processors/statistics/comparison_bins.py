"""The bins two sketches are compared on: fixed by the reference, so that values of different windows are comparable.

A number's reference histogram is coarsened to at most 20 bins of nearly equal mass, and neighbours are merged until the window would expect 5 rows in each. Below,
above, null, NaN/inf, absent and unseen are bins of their own and never merged: an expectation near zero is exactly when they matter. For the same reason nothing
is merged into a value that holds more than half of the reference.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stream_processors.sketches import NumericSketch
from stream_processors.sketches.bins import Floats, Ints
from stream_processors.statistics.chi_squared import LEAST_EXPECTED, merged_neighbours

MAX_BINS = 20

# Rows without a finite value, in the order of their bins.
NUMERIC_SPECIALS = ("@null", "@nan_inf", "@absent")
UNSEEN = "@unseen"


@dataclass(frozen=True, slots=True, eq=False)
class ComparedBins:
    """Counts of window and reference in the same bins (int64), each occupied on one side at least, with a label each.

    Labels: ``[a, b)`` the bins from a (included) to b (excluded), by their names; ``@below``, ``@above``, ``@null``, ``@nan_inf``, ``@absent``, ``@unseen``; a
    category's own value; ``@hash i/g`` the rare categories whose hash bucket modulo g is i.
    """

    labels: tuple[str, ...]
    window: Ints
    reference: Ints

    @classmethod
    def occupied(cls, labels: Sequence[str], window: Ints, reference: Ints) -> ComparedBins:
        """Keep the bins in which either side has rows."""
        kept = np.flatnonzero(window + reference)
        return cls(tuple([labels[i] for i in kept.tolist()]), window[kept], reference[kept])

    def of_values(self) -> tuple[Ints, Ints]:
        """Counts of window and reference in the bins of values: all but null, NaN/inf and absent."""
        kept = [i for i, label in enumerate(self.labels) if label not in NUMERIC_SPECIALS]
        return self.window[kept], self.reference[kept]


def equal_mass_starts(counts: Ints, max_bins: int = MAX_BINS) -> npt.NDArray[np.intp]:
    """Where each of at most 20 groups of neighbouring bins starts, so that their masses are nearly equal; counts must be positive.

    A bin belongs to the group its middle rank falls into; one with more than half of the mass is a group of its own.

    >>> equal_mass_starts(np.array([1, 1, 1, 1]), 2).tolist()
    [0, 2]
    """
    cumulated = np.cumsum(counts)
    total = cumulated[-1]
    group = ((cumulated - counts / 2) * (max_bins / total)).astype(np.int64)
    change = np.empty(counts.size, dtype=np.bool_)
    change[0] = True
    np.not_equal(group[1:], group[:-1], out=change[1:])
    mode = int(counts.argmax())
    if 2 * counts[mode] > total:
        change[mode] = True
        change[mode + 1 : mode + 2] = True
    return np.flatnonzero(change)


def merged_starts(
    starts: npt.NDArray[np.intp], counts: Ints, expected_per_count: float
) -> npt.NDArray[np.intp]:
    """Merge groups until each expects 5 rows; a group with more than half of the mass keeps to itself."""
    masses = np.add.reduceat(counts, starts)
    expected = masses * expected_per_count
    if expected.min() >= LEAST_EXPECTED:
        return starts
    mode = int(masses.argmax())
    if 2 * masses[mode] <= masses.sum():
        groups = merged_neighbours(expected)
    else:
        left, right = merged_neighbours(expected[:mode]), merged_neighbours(expected[mode + 1 :])
        offset = left[-1] + 1 if left.size else 0
        groups = np.concatenate((left, [offset], right + offset + 1))
    first = np.concatenate(([True], groups[1:] != groups[:-1]))
    return starts[first]


def specials(sketch: NumericSketch) -> tuple[int, int, int]:
    """Counts of null, NaN or infinite, and absent rows."""
    return sketch.nulls, sketch.nans + sketch.plus_inf + sketch.minus_inf, sketch.absent


@dataclass(frozen=True, slots=True, eq=False)
class NumericBinning:
    """Bins of a numeric reference: where each starts, the last of its bins, and label and count of each, below and above included."""

    firsts: Floats
    last: float
    labels: tuple[str, ...]
    masses: Ints
    specials: Ints

    @classmethod
    def of(cls, reference: NumericSketch, starts: npt.NDArray[np.intp]) -> NumericBinning:
        """Bin the reference by groups that start at ``starts``; one without any value has all values above it."""
        missing = np.array(specials(reference))
        if reference.bins.size == 0:
            return cls(reference.bins, -np.inf, ("@below", "@above"), np.zeros(2, dtype=np.int64), missing)
        firsts, last = reference.bins[starts], float(reference.bins[-1])
        masses = np.concatenate(([0], np.add.reduceat(reference.counts, starts), [0]))
        return cls(firsts, last, ("@below", *_interval_labels(firsts, last), "@above"), masses, missing)

    def compare(self, window: NumericSketch) -> ComparedBins:
        """Bin the window (of the reference's precision) alike."""
        place = np.searchsorted(self.firsts, window.bins, side="right")
        place[window.bins > self.last] = self.firsts.size + 1
        counts = np.bincount(place, weights=window.counts, minlength=self.masses.size).astype(np.int64)
        return ComparedBins.occupied(
            (*self.labels, *NUMERIC_SPECIALS),
            np.concatenate((counts, specials(window))),
            np.concatenate((self.masses, self.specials)),
        )


def _interval_labels(firsts: Floats, last: float) -> list[str]:
    edges = [repr(first) for first in firsts.tolist()]
    ends = [f"{edge})" for edge in edges[1:]] + [f"{last!r}]"]
    return [f"[{edge}, {end}" for edge, end in zip(edges, ends, strict=True)]
