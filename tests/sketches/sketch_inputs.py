"""What the sketch tests feed in, and how they compare what comes out."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

from stream_processors.sketches import CategoricalSketch, ColumnSketch, NumericSketch, TableSketch

BIT_PATTERNS = st.integers(0, 2**64 - 1).map(
    lambda bits: float(np.array(bits, dtype=np.uint64).view(np.float64))
)
EDGES = st.sampled_from(
    [0.0, -0.0, 5e-324, -5e-324, 2.2250738585072014e-308, 1.7976931348623157e308, 1.0, -1.0]
)
DOUBLES = st.one_of(BIT_PATTERNS, EDGES, st.floats(), st.floats(-1e3, 1e3), st.integers(-50, 50).map(float))
FINITE = DOUBLES.filter(np.isfinite)
PRECISIONS = st.integers(0, 20)

# Few distinct values, many distinct ones, and values too long to be named.
WORDS = st.one_of(
    st.sampled_from(["JFK", "LGA", "EWR", ""]),
    st.integers(0, 3000).map("v{}".format),
    st.text(max_size=4),
    st.integers(0, 3).map(lambda i: f"{i}" + "x" * 64),
)


def numeric_counts(sketch: NumericSketch) -> tuple[Any, ...]:
    """Everything of a sketch that must be equal to the bit: all but its sums."""
    assert sketch.bins.dtype == np.float64
    assert sketch.counts.dtype == np.int64
    return (
        sketch.precision,
        sketch.bins.tolist(),
        np.signbit(sketch.bins).tolist(),
        sketch.counts.tolist(),
        (sketch.nulls, sketch.nans, sketch.plus_inf, sketch.minus_inf, sketch.absent),
        (sketch.minimum, sketch.maximum, sketch.degraded),
    )


def categorical_counts(sketch: CategoricalSketch) -> tuple[Any, ...]:
    """Everything of a sketch."""
    return (
        sketch.values,
        sketch.counts.tolist(),
        sketch.buckets.tolist(),
        (sketch.nulls, sketch.absent, sketch.listed, sketch.near_unique),
    )


def counts(sketch: ColumnSketch) -> tuple[Any, ...]:
    """Everything of a sketch that must be equal to the bit."""
    return numeric_counts(sketch) if isinstance(sketch, NumericSketch) else categorical_counts(sketch)


def all_counts(sketch: TableSketch) -> dict[str, Any]:
    """The same of every column."""
    return {name: counts(sketch[name]) for name in sorted(sketch)}
