"""Rows of ClickHouse's table ``sketches``, as Arrow, to sketches: arrays are sliced, never copied value by value."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa

from stream_processors.sketches import CategoricalSketch, NumericSketch
from stream_processors.sketches.categorical import keep_smallest, no_buckets
from stream_processors.statistics.verdict import Sketch

# What a query must select for `sketches_of`, each row the sum over the deltas (or parts) of one key that were counted by the same rule.
# A key of `sumMap` whose sums are all 0 is left out; the ones beside the counts keep listed values that did not occur.
SUMS = """
    column_kind = 'numeric' AS is_numeric,
    sumMap(bins, if(is_numeric, counts, [])) AS by_bin,
    sumMap(`values`, if(is_numeric, [], counts), arrayMap(one -> toUInt8(1), `values`)) AS by_value,
    sumForEach(buckets) AS buckets,
    sum(nulls) AS nulls, sum(nans) AS nans, sum(plus_inf) AS plus_inf, sum(minus_inf) AS minus_inf, sum(absent) AS absent,
    sum(sum) AS total, sum(sum_of_squares) AS total_of_squares, min(min) AS least, max(max) AS greatest, max(degraded) AS degraded
"""
# Rows of one key are added up only where these agree; the rest is merged by the sketches themselves.
RULE = "column_kind, shape, precision, listed"

_PLAIN = (
    "is_numeric", "precision", "listed", "nulls", "nans", "plus_inf", "minus_inf", "absent",
    "total", "total_of_squares", "least", "greatest", "degraded",
)  # fmt: skip


def sketch_reader(table: pa.Table) -> Callable[[int], Sketch]:
    """A function from a row's number to its sketch: only those asked for are built."""
    table = table.combine_chunks()
    plain = {name: table.column(name).to_pylist() for name in _PLAIN}
    bins, bin_counts = _pairs(table.column("by_bin"))
    values, value_counts = _pairs(table.column("by_value"))
    buckets = _slices(table.column("buckets"))

    def read(row: int) -> Sketch:
        fields = {name: column[row] for name, column in plain.items()}
        if fields["is_numeric"]:
            return _numeric(fields, bins(row), bin_counts(row))
        return _categorical(fields, values(row), value_counts(row), buckets(row))

    return read


def merged(sketches: list[Sketch], events: int) -> Sketch:
    """Sketches of one key under different rules as one that accounts for ``events`` events.

    A column that changed its kind is its last kind, and what was counted as the other is left out: those events did not lack it. Nulls
    alone are of no kind: a sender that does not know the feature's says them as numbers, and they are nulls of what the others hold.
    """
    last = next((sketch for sketch in reversed(sketches) if _has_values(sketch)), sketches[-1])
    if isinstance(last, NumericSketch):
        numeric = [sketch for sketch in sketches if isinstance(sketch, NumericSketch)]
        whole: Sketch = numeric[0] if len(numeric) == 1 else NumericSketch.merged(numeric)
    else:
        categorical = [sketch for sketch in sketches if isinstance(sketch, CategoricalSketch)]
        whole = categorical[0] if len(categorical) == 1 else CategoricalSketch.merged(categorical)
    others = [sketch for sketch in sketches if not isinstance(sketch, type(whole))]
    nulls = sum(sketch.nulls for sketch in others if not _has_values(sketch))
    left_out = sum(sketch.n for sketch in others if _has_values(sketch))
    return _whole(replace(whole, nulls=whole.nulls + nulls), events - left_out)


def _has_values(sketch: Sketch) -> bool:
    return sketch.n > sketch.nulls + sketch.absent


def _whole(sketch: Sketch, events: int) -> Sketch:
    # never fewer than were seen: a delta's events and columns come in separate parts
    return sketch.of_events(max(events, sketch.n - sketch.absent))


def _numeric(fields: dict[str, Any], bins: pa.Array, counts: pa.Array) -> NumericSketch:
    return NumericSketch(
        precision=fields["precision"],
        bins=np.asarray(bins, dtype=np.float64),
        counts=np.asarray(counts, dtype=np.int64),
        nulls=fields["nulls"],
        nans=fields["nans"],
        plus_inf=fields["plus_inf"],
        minus_inf=fields["minus_inf"],
        absent=fields["absent"],
        sum=fields["total"],
        sum_of_squares=fields["total_of_squares"],
        minimum=fields["least"],
        maximum=fields["greatest"],
        degraded=bool(fields["degraded"]),
    )


def _categorical(
    fields: dict[str, Any], values: pa.Array, counts: pa.Array, buckets: pa.Array
) -> CategoricalSketch:
    names, numbers = values.to_pylist(), np.asarray(counts, dtype=np.int64)
    held = np.asarray(buckets, dtype=np.int64)
    held = held if held.size else no_buckets()
    if fields["listed"]:
        sketch = CategoricalSketch(tuple(names), numbers, held, listed=True)
    else:
        sketch = keep_smallest(names, numbers, held)
    return CategoricalSketch(
        sketch.values, sketch.counts, sketch.buckets, fields["nulls"], fields["absent"], sketch.listed
    )


_Slice = Callable[[int], pa.Array]


def _slices(column: pa.ChunkedArray) -> _Slice:
    lists = column.chunk(0) if column.num_chunks else pa.array([], type=column.type)
    offsets, values = lists.offsets.to_pylist(), lists.values
    return lambda row: values[offsets[row] : offsets[row + 1]]


def _pairs(column: pa.ChunkedArray) -> tuple[_Slice, _Slice]:
    """The first two arrays of a ``sumMap``: keys, rising, and their sums."""
    tuples = column.chunk(0) if column.num_chunks else pa.array([], type=column.type)
    keys, sums = tuples.flatten()[:2]
    return _slices(pa.chunked_array([keys])), _slices(pa.chunked_array([sums]))
