"""Sketches to and from the column records of ``schemas/sketch.v1.avsc`` (``NumericColumn`` and ``CategoricalColumn``)."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np

from stream_processors.sketches.categorical import CategoricalSketch, no_buckets
from stream_processors.sketches.numeric import NumericSketch

Record = dict[str, Any]


def numeric_record(column: str, sketch: NumericSketch) -> Record:
    """Return the sketch as a plain ``NumericColumn`` record of Python values."""
    return {
        "column": column,
        "precision": sketch.precision,
        "bins": sketch.bins.tolist(),
        "counts": sketch.counts.tolist(),
        "nulls": sketch.nulls,
        "nans": sketch.nans,
        "plus_inf": sketch.plus_inf,
        "minus_inf": sketch.minus_inf,
        "absent": sketch.absent,
        "sum": sketch.sum,
        "sum_of_squares": sketch.sum_of_squares,
        "min": sketch.minimum,
        "max": sketch.maximum,
        "degraded": sketch.degraded,
    }


def numeric_sketch(record: Mapping[str, Any]) -> NumericSketch:
    """Read a ``NumericColumn`` record; ``bins`` and ``counts`` may be lists or arrays."""
    return NumericSketch(
        precision=int(record["precision"]),
        bins=np.asarray(record["bins"], dtype=np.float64),
        counts=np.asarray(record["counts"], dtype=np.int64),
        nulls=int(record["nulls"]),
        nans=int(record["nans"]),
        plus_inf=int(record["plus_inf"]),
        minus_inf=int(record["minus_inf"]),
        absent=int(record["absent"]),
        sum=float(record["sum"]),
        sum_of_squares=float(record["sum_of_squares"]),
        minimum=record["min"],
        maximum=record["max"],
        degraded=bool(record["degraded"]),
    )


def categorical_record(column: str, sketch: CategoricalSketch) -> Record:
    """Return the sketch as a plain ``CategoricalColumn`` record; 64 empty buckets are an empty list."""
    return {
        "column": column,
        "values": list(sketch.values),
        "counts": sketch.counts.tolist(),
        "buckets": sketch.buckets.tolist() if sketch.buckets.any() else [],
        "nulls": sketch.nulls,
        "absent": sketch.absent,
        "listed": sketch.listed,
        "near_unique": sketch.near_unique,
    }


def categorical_sketch(record: Mapping[str, Any]) -> CategoricalSketch:
    """Read a ``CategoricalColumn`` record; values may stand in any order."""
    values, counts = list(record["values"]), np.asarray(record["counts"], dtype=np.int64)
    if any(one >= other for one, other in pairwise(values)):
        order = sorted(range(len(values)), key=values.__getitem__)
        values, counts = [values[i] for i in order], counts[order]
    buckets = np.asarray(record["buckets"], dtype=np.int64)
    return CategoricalSketch(
        values=tuple(values),
        counts=counts,
        buckets=buckets if buckets.size else no_buckets(),
        nulls=int(record["nulls"]),
        absent=int(record["absent"]),
        listed=bool(record["listed"]),
    )
