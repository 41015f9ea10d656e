"""Categories of two sketches as bins: by name where they are frequent, the rare ones pooled by hash alike on both sides.

*Cells* are what two sketches can be compared on at best: the values both keep by name, then the 64 hash buckets of all others.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stream_processors.sketches import BUCKETS, CategoricalSketch, align, bucket
from stream_processors.sketches.bins import Floats, Ints
from stream_processors.statistics.chi_squared import LEAST_EXPECTED, merged_neighbours
from stream_processors.statistics.comparison_bins import MAX_BINS, UNSEEN, ComparedBins

Positions = npt.NDArray[np.intp]

# Of the 20 bins, those that stand by name where not all values can.
_NAMED_BINS = 15


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """Counts of window and reference in the same cells; ``buckets`` is the hash bucket of each cell."""

    names: tuple[str, ...]
    window: Ints
    reference: Ints
    buckets: Ints

    @classmethod
    def of(cls, window: CategoricalSketch, reference: CategoricalSketch) -> Cells:
        """Align the sketches; a value that either does not keep by name counts in its bucket."""
        aligned = align(window, reference)
        both = np.concatenate((aligned.counts, aligned.buckets), axis=1)
        buckets = np.concatenate((bucket(aligned.value_hashes), np.arange(BUCKETS)))
        return cls(aligned.values, both[0], both[1], buckets)


def category_bins(cells: Cells, window: CategoricalSketch, reference: CategoricalSketch) -> ComparedBins:
    """Bins fixed by the reference and the window's size: at most 20 of values the reference has seen, then null, absent and unseen.

    Values of which the window would expect 5 stand by name, all of them or the 15 most frequent; the rest is pooled by hash.
    """
    expected: Floats = np.asarray(cells.reference * (window.n / reference.n), dtype=np.float64)
    named, rest = _named_and_rest(cells, expected)
    groups = (
        min(max(1, int(expected[rest].sum() / LEAST_EXPECTED)), MAX_BINS - _NAMED_BINS) if rest.size else 0
    )
    place = cells.buckets[rest] % max(groups, 1)
    unseen = int(cells.window[cells.reference == 0].sum())

    def binned(counts: Ints, *missing: int) -> Ints:
        return np.concatenate((counts[named], _pooled(counts[rest], place, groups), missing))

    return ComparedBins.occupied(
        [
            *(_label(cells.names[i]) for i in named.tolist()),
            *(f"@hash {i}/{groups}" for i in range(groups)),
            "@null",
            "@absent",
            UNSEEN,
        ],
        binned(cells.window, window.nulls, window.absent, unseen),
        binned(cells.reference, reference.nulls, reference.absent, 0),
    )


def _named_and_rest(cells: Cells, expected: Floats) -> tuple[Positions, Positions]:
    """Cells the reference has seen: those that stand by name, most frequent first, and the others."""
    known = np.flatnonzero(cells.reference)
    by_size = known[np.argsort(-cells.reference[known], kind="stable")]
    named = by_size[(by_size < len(cells.names)) & (expected[by_size] >= LEAST_EXPECTED)]
    if named.size < known.size or named.size > MAX_BINS:
        named = named[:_NAMED_BINS]
    return named, np.setdiff1d(known, named)


def _label(value: str) -> str:
    """A value as a label; what begins with ``@`` is ours, so a value that does is percent-encoded as in a slice's name."""
    return f"%{ord(value[0]):02X}{value[1:]}" if value[:1] in ("@", "%") else value


def _pooled(counts: Ints, groups: Ints, n_groups: int) -> Ints:
    return np.bincount(groups, weights=counts, minlength=n_groups).astype(np.int64)


def bins_for_test(cells: Cells) -> tuple[Ints, Ints] | None:
    """Counts of window and reference in the bins of the chi-squared test; None where fewer than two bins are occupied."""
    n, m = int(cells.window.sum()), int(cells.reference.sum())
    if min(n, m) == 0:
        return None
    pooled = cells.window + cells.reference
    place = bins_of_cells(pooled, min(n, m), cells.buckets)
    bins = int(place.max()) + 1
    window, reference = (_pooled(side, place, bins) for side in (cells.window, cells.reference))
    occupied = (window + reference) > 0
    return (window[occupied], reference[occupied]) if occupied.sum() >= 2 else None


def bins_of_cells(pooled: Ints, smaller: int, buckets: Ints) -> Positions:
    """Return the bin of each cell, from both samples together and the number of rows of the smaller one.

    What is rare, and where it goes, depends on both samples together and on the hash alone, so that under the hypothesis of no difference the test keeps
    its level: rare is a cell of which the smaller sample expects fewer than 5; they are pooled into at most sqrt(n) groups that expect about 10 each, or into
    the least of the others where they are too few for a group.
    """
    expected = _expected(pooled, smaller)
    frequent = expected >= LEAST_EXPECTED
    place = np.empty(pooled.size, dtype=np.intp)
    place[frequent] = np.arange(frequent.sum())
    rare = expected[~frequent]
    if _are_lost(expected):
        place[~frequent] = pooled[frequent].argmin()
        return place
    groups = max(1, int(min(math.sqrt(smaller), rare.sum() / (2 * LEAST_EXPECTED), BUCKETS)))
    group = buckets[~frequent] % groups
    masses = np.bincount(group, weights=rare, minlength=groups)
    place[~frequent] = frequent.sum() + merged_neighbours(np.asarray(masses, dtype=np.float64))[group]
    return place


def is_rare(pooled: Ints, smaller: int) -> npt.NDArray[np.bool_]:
    """Of which cells the smaller sample expects fewer than 5 rows."""
    return _expected(pooled, smaller) < LEAST_EXPECTED


def rare_counts(cells: Cells) -> tuple[int, int] | None:
    """Rows of window and reference in all rare cells together, where these are too few for a group of their own; None where they are not, or there are none.

    Beside a large reference the rows of a small window's new value are few of all rows, whatever its share of the window: in the bin that takes them in,
    chi-squared does not see them.
    """
    pooled, smaller = cells.window + cells.reference, int(min(cells.window.sum(), cells.reference.sum()))
    rare = is_rare(pooled, smaller)
    if not pooled[rare].any() or not _are_lost(_expected(pooled, smaller)):
        return None
    return int(cells.window[rare].sum()), int(cells.reference[rare].sum())


def _expected(pooled: Ints, smaller: int) -> Floats:
    return np.asarray(pooled * (smaller / pooled.sum()), dtype=np.float64)


def _are_lost(expected: Floats) -> bool:
    """Whether the rare cells are too few for a group and go into the least of the others."""
    rare = expected < LEAST_EXPECTED
    return not rare.all() and float(expected[rare].sum()) < LEAST_EXPECTED


def unseen_counts(cells: Cells) -> tuple[int, int]:
    """How many distinct cells only the window has, and how many the reference has exactly once.

    A sample's rows that occur once estimate the mass it has not seen (Good 1953, *Biometrika* 40:237), so under the hypothesis of no difference the two are
    alike as shares of their samples.
    """
    return int((cells.window[cells.reference == 0] > 0).sum()), int((cells.reference == 1).sum())
