"""Samples as histograms, for the tests of statistics."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from stream_processors.sketches import CategoricalSketch, NumericSketch
from stream_processors.sketches.categorical import keep_smallest

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


def counted(one: npt.ArrayLike, other: npt.ArrayLike) -> tuple[Ints, Ints]:
    """Counts of two raw samples over the sorted distinct values of both."""
    values = np.unique(np.concatenate((np.asarray(one), np.asarray(other))))
    first, second = (
        np.bincount(np.searchsorted(values, np.asarray(side)), minlength=values.size) for side in (one, other)
    )
    return first.astype(np.int64), second.astype(np.int64)


def gaussian(rng: np.random.Generator, n: int, mean: float = 0.0, sd: float = 1.0) -> NumericSketch:
    """A gaussian column at the default precision."""
    return NumericSketch.of(rng.normal(mean, sd, n), 5)


def categories(rng: np.random.Generator, n: int, shares: Floats) -> CategoricalSketch:
    """A categorical column whose i-th value has the i-th share."""
    counts = rng.multinomial(n, shares)
    names = sorted((f"c{i}", int(count)) for i, count in enumerate(counts) if count)
    return keep_smallest([name for name, _ in names], np.array([count for _, count in names], dtype=np.int64))


def zipf(k: int) -> Floats:
    """Shares that fall as one over the rank."""
    weights = 1 / np.arange(1, k + 1)
    return np.asarray(weights / weights.sum(), dtype=np.float64)
