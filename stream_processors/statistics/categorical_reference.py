"""A categorical column's reference, made ready once to judge many windows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from stream_processors.sketches import BUCKETS, CategoricalSketch, bucket, hashes
from stream_processors.sketches.bins import Floats, Ints
from stream_processors.statistics.between_windows import (
    BetweenWindows,
    between_histograms,
    between_shares,
    between_windows,
)
from stream_processors.statistics.category_bins import bins_of_cells, is_rare
from stream_processors.statistics.dispersion import LEAST_ROWS, LEAST_WINDOWS, Dispersion

# What is rare in windows of fewer rows than the reference's is learned from these as well: the rows a window has by default to be judged at all.
_FEWEST_JUDGED = 200


@dataclass(frozen=True)
class CategoricalReference:
    """A series of window sketches, their sum, and how much the windows differ among themselves.

    Attributes:
        series: each window's sketch; empty where it was given up.
        sketch: the sum of the series.
    """

    series: tuple[CategoricalSketch, ...]
    sketch: CategoricalSketch
    _settled: Dispersion | None = None

    @classmethod
    def of(cls, series: Sequence[CategoricalSketch]) -> CategoricalReference:
        """Take the series as the reference; at least one sketch."""
        return cls(tuple(series), CategoricalSketch.merged(series))

    def settled(self) -> CategoricalReference:
        """The same without the series."""
        return replace(self, series=(), _settled=self.dispersion)

    def finer_than(self, precision: int) -> bool:
        """Never: categories have no precision."""
        return False

    @cached_property
    def n(self) -> int:
        """Events of the reference."""
        return self.sketch.n

    @cached_property
    def dispersion(self) -> Dispersion:
        """Dispersion of each test among the reference's windows."""
        if self._settled is not None:
            return self._settled
        windows = [sketch for sketch in self.series if sketch.n >= LEAST_ROWS]
        if len(windows) < LEAST_WINDOWS:
            return Dispersion()
        rows = np.array([sketch.n for sketch in windows], dtype=np.float64)
        by_test: dict[str, BetweenWindows | None] = {
            "@null": between_shares(_floats(sketch.nulls for sketch in windows), rows),
            "@absent": between_shares(_floats(sketch.absent for sketch in windows), rows),
        }
        cells = self._cells(windows)
        cells = cells[cells.sum(axis=1) >= LEAST_ROWS]
        if len(cells) >= LEAST_WINDOWS:
            by_test |= self._between_values(cells)
        return Dispersion.of(len(windows), by_test)

    def _cells(self, windows: Sequence[CategoricalSketch]) -> Ints:
        """Counts (windows, names of the sum + 64 buckets)."""
        names = self.sketch.values
        place = {value: i for i, value in enumerate(names)}
        cells = np.zeros((len(windows), len(names) + BUCKETS), dtype=np.int64)
        for row, sketch in zip(cells, windows, strict=True):
            row[len(names) :] += sketch.buckets
            unnamed = [i for i, value in enumerate(sketch.values) if value not in place]
            named = [i for i, value in enumerate(sketch.values) if value in place]
            row[[place[sketch.values[i]] for i in named]] += sketch.counts[named]
            lost = bucket(hashes(sketch.values[i] for i in unnamed))
            np.add.at(row, len(names) + lost, sketch.counts[unnamed])
        return cells

    def _between_values(self, cells: Ints) -> dict[str, BetweenWindows | None]:
        """How the values of windows (windows, cells) differ, for each of their tests."""
        total, rows = cells.sum(axis=0), cells.sum(axis=1).astype(np.float64)
        buckets = np.concatenate((bucket(hashes(self.sketch.values)), np.arange(BUCKETS)))
        usual = int(rows.mean())
        place = bins_of_cells(total, usual, buckets)
        rare = is_rare(total, min(usual, _FEWEST_JUDGED))
        groups = np.zeros((int(place.max()) + 1, len(cells)), dtype=np.int64)
        np.add.at(groups, place, cells.T)
        return {
            "chi_squared": between_histograms(groups.T),
            "rare": between_shares(cells[:, rare].sum(axis=1).astype(np.float64), rows),
            "mode": between_shares(cells[:, int(total.argmax())].astype(np.float64), rows),
            "@unseen": between_windows(_unseen_statistics(cells, rows), 1, rows, sparse=True),
        }


def _unseen_statistics(cells: Ints, rows: Floats) -> Floats:
    """Pearson's chi-squared of each window's cells that no other has against those that all others together have once; 0 without any."""
    rest = cells.sum(axis=0) - cells
    unseen, once = ((cells > 0) & (rest == 0)).sum(axis=1), (rest == 1).sum(axis=1)
    others = rows.sum() - rows
    share = np.maximum(unseen + once, 1) / rows.sum()
    result: Floats = np.square(unseen / rows - once / others) / (share * (1 / rows + 1 / others))
    return result


def _floats(values: Iterable[int]) -> Floats:
    return np.fromiter(values, dtype=np.float64)
