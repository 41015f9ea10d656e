"""A numeric column's reference, made ready once to judge many windows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from stream_processors.sketches import NumericSketch
from stream_processors.sketches.bins import Floats, Ints
from stream_processors.statistics.between_windows import (
    BetweenWindows,
    between_histograms,
    between_shares,
    between_windows,
)
from stream_processors.statistics.comparison_bins import (
    NUMERIC_SPECIALS,
    NumericBinning,
    equal_mass_starts,
    merged_starts,
    specials,
)
from stream_processors.statistics.dispersion import LEAST_ROWS, LEAST_WINDOWS, Dispersion
from stream_processors.statistics.mann_whitney import mann_whitney
from stream_processors.statistics.mood import mood


@dataclass(frozen=True)
class NumericReference:
    """A series of window sketches, their sum, its comparison bins, and how much the windows differ among themselves.

    Equal arguments give equal verdicts; what is derived is computed at first use and kept.

    Attributes:
        series: each window's sketch; empty where it was given up.
        sketch: the sum of the series.
    """

    series: tuple[NumericSketch, ...]
    sketch: NumericSketch
    _settled: Dispersion | None = None

    @classmethod
    def of(cls, series: Sequence[NumericSketch]) -> NumericReference:
        """Take the series as the reference; at least one sketch."""
        return cls(tuple(series), NumericSketch.merged(series))

    def settled(self) -> NumericReference:
        """The same without the series: it judges windows of its own precision or a finer one only."""
        return replace(self, series=(), _settled=self.dispersion)

    @cached_property
    def n(self) -> int:
        """Events of the reference."""
        return self.sketch.n

    @cached_property
    def std(self) -> float | None:
        """Standard deviation of the reference."""
        return self.sketch.std

    def finer_than(self, precision: int) -> bool:
        """Whether windows of this precision need it coarser."""
        return precision < self.sketch.precision

    def at_precision(self, precision: int) -> NumericReference:
        """Return the same reference with bins no finer than ``precision``.

        Raises:
            ValueError: its series were given up.
        """
        if not self.finer_than(precision):
            return self
        if not self.series:
            raise ValueError(
                f"a reference of precision {self.sketch.precision} without its windows cannot be made coarser"
            )
        return NumericReference.of([sketch.coarsen(precision) for sketch in self.series])

    @cached_property
    def _equal_mass_starts(self) -> npt.NDArray[np.intp]:
        return equal_mass_starts(self.sketch.counts)

    def binning(self, n: int) -> NumericBinning:
        """The bins that a window of ``n`` events is compared on."""
        if self.sketch.bins.size == 0:
            return NumericBinning.of(self.sketch, np.empty(0, dtype=np.intp))
        starts = merged_starts(self._equal_mass_starts, self.sketch.counts, n / self.n)
        known = self._binnings.get(starts.tobytes())
        if known is None:
            known = self._binnings[starts.tobytes()] = NumericBinning.of(self.sketch, starts)
        return known

    @cached_property
    def _binnings(self) -> dict[bytes, NumericBinning]:
        return {}

    @cached_property
    def dispersion(self) -> Dispersion:
        """Dispersion of each test among the reference's windows."""
        if self._settled is not None:
            return self._settled
        windows = [sketch for sketch in self.series if sketch.n >= LEAST_ROWS]
        if len(windows) < LEAST_WINDOWS:
            return Dispersion()
        rows = np.array([sketch.n for sketch in windows], dtype=np.float64)
        by_test: dict[str, BetweenWindows | None] = {}
        special_rows = np.array([specials(sketch) for sketch in windows], dtype=np.float64)
        for name, hits in zip(NUMERIC_SPECIALS, special_rows.T, strict=True):
            by_test[name] = between_shares(hits, rows)
        counts = self._counts(windows)
        by_test["@below"] = between_shares(_beyond_all_others(counts), rows)
        by_test["@above"] = between_shares(_beyond_all_others(counts[:, ::-1]), rows)
        by_test |= _between_values(counts[counts.sum(axis=1) >= LEAST_ROWS])
        return Dispersion.of(len(windows), by_test)

    def _counts(self, windows: Sequence[NumericSketch]) -> Ints:
        """Counts (windows, bins) on the bins of the sum."""
        counts = np.zeros((len(windows), self.sketch.bins.size), dtype=np.int64)
        for row, sketch in zip(counts, windows, strict=True):
            coarse = sketch.coarsen(self.sketch.precision)
            row[np.searchsorted(self.sketch.bins, coarse.bins)] = coarse.counts
        return counts


def _between_values(counts: Ints) -> dict[str, BetweenWindows | None]:
    """How the finite values of windows (windows, bins) differ, for each of their tests."""
    if len(counts) < LEAST_WINDOWS:
        return {}
    counts = counts[:, counts.any(axis=0)]
    total, rows = counts.sum(axis=0), counts.sum(axis=1).astype(np.float64)
    starts = merged_starts(equal_mass_starts(total), total, 1 / len(counts))
    mode = counts[:, int(total.argmax())].astype(np.float64)
    return {
        "mann_whitney": between_windows(np.square(mann_whitney(counts, total)), 1, rows),
        "mood": between_windows(np.square(mood(counts, total)), 1, rows),
        "chi_squared": between_histograms(np.add.reduceat(counts, starts, axis=1)),
        "mode": between_shares(mode, rows),
    }


def _beyond_all_others(counts: Ints) -> Floats:
    """Rows of each window that lie below every row of all other windows; only the one that reaches lowest can have any."""
    beyond = np.zeros(len(counts))
    filled = np.flatnonzero(counts.any(axis=1))
    if filled.size < 2:
        return beyond
    lowest = (counts[filled] > 0).argmax(axis=1)
    order = np.argsort(lowest, kind="stable")
    least, second = order[0], order[1]
    beyond[filled[least]] = counts[filled[least], : lowest[second]].sum()
    return beyond
