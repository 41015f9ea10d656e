"""Sketches of all partitions and stretches merged per window and column."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from recorded_rows import Recorder, utc

from stream_processors.sketches import NumericSketch
from stream_processors.sketches.bins import coarsen

DAY = timedelta(days=1)
START = utc("2024-03-01")

SKETCH = {
    "kind": "delta",
    "model": "m",
    "model_version": "1",
    "environment": "production",
    "served": True,
    "sampling_rate": 1.0,
    "shape": "s",
    "window_start": START,
    "window_end": START + DAY,
    "topic_id": "topic",
    "parts": 1,
}


def numeric(values: list[float], precision: int = 5, **more: Any) -> dict[str, Any]:
    """A sketch row of a numeric column."""
    bins, counts = np.unique(np.array(values), return_counts=True)
    coarse = coarsen(bins, counts, precision)
    return {
        **SKETCH,
        "column": "x",
        "column_kind": "numeric",
        "precision": precision,
        "bins": coarse[0].tolist(),
        "counts": coarse[1].tolist(),
        "sum": sum(values),
        "sum_of_squares": sum(v * v for v in values),
        "min": min(values),
        "max": max(values),
        **more,
    }


@pytest.mark.parametrize(
    ("offset", "spread"),
    [(101_325.0, 1.0), (1.7e9, 1000.0), (1.7e15, 1000.0), (0.1, 0.0), (0.0, 1e200), (0.0, 1e-200)],
)
def test_deviation_is_that_of_the_sketch(record: Recorder, offset: float, spread: float) -> None:
    """The view's deviation is NumericSketch's, also where sums cancel or squares are no doubles."""
    values = np.random.default_rng(1).normal(offset, spread, 1000)
    with np.errstate(over="ignore"):
        squares = float(np.square(values).sum())
    record.insert("sketches", [numeric(values.tolist(), sum=float(values.sum()), sum_of_squares=squares)])
    (row,) = record.store.rows("SELECT deviation FROM feature_windows")
    assert row["deviation"] == pytest.approx(NumericSketch.of(values, 5).std, rel=1e-9, abs=0)


def test_deltas_add_up(record: Recorder) -> None:
    """Deltas of all partitions and stretches of a window are one row: bins, counts, specials and moments of all values."""
    first, second = [1.0, 2.0, 2.0, 40.0], [2.0, -7.0]
    record.insert(
        "sketches",
        [
            numeric(first, nulls=1, absent=2, source_partition=0),
            numeric(second, nans=3, plus_inf=1, source_partition=1, first_offset=9),
            # sent twice by a zombie recorder: the same place in the log
            numeric(second, nans=3, plus_inf=1, source_partition=1, first_offset=9, _offset=777),
            numeric(second, nans=3, plus_inf=1, source_partition=1, first_offset=9, _offset=777),
            numeric([5.0], kind="reference", reference="digest"),
        ],
    )
    row = record.store.rows("SELECT * FROM feature_windows")[0]
    values = np.array(first + second + second)
    assert dict(zip(row["bins"], row["counts"], strict=True)) == {-7.0: 2, 1.0: 1, 2.0: 4, 40.0: 1}
    assert (row["nulls"], row["absent"], row["nans"], row["plus_inf"], row["n"], row["finite"]) == (
        1,
        2,
        6,
        2,
        16,
        8,
    )
    assert row["mean"] == pytest.approx(values.mean())
    assert row["deviation"] == pytest.approx(values.std())
    assert (row["min"], row["max"]) == (-7.0, 40.0)


def test_the_newest_total_replaces_what_it_counted(record: Recorder) -> None:
    """A total stands for every delta before its up_to and for older totals; deltas at or beyond it are added."""
    record.insert(
        "sketches",
        [
            numeric([1.0], source_partition=0, first_offset=0, next_offset=10),
            numeric([2.0], source_partition=0, first_offset=10, next_offset=20),
            numeric([4.0], source_partition=1, first_offset=0, next_offset=5),
            numeric([64.0], kind="total", up_to={"topic/0": 10}, _appended_at=START),
            numeric([128.0], kind="total", up_to={"topic/0": 10, "topic/1": 5}, _appended_at=START + DAY),
        ],
    )
    row = record.store.rows("SELECT bins, counts FROM feature_windows")[0]
    assert row == {"bins": [2.0, 128.0], "counts": [1, 1]}


def test_coarsened_sketches_merge_at_the_least_precision(record: Recorder) -> None:
    """A degraded delta and a fine one become one histogram of the coarser bins."""
    fine = [100.0, 101.0, 102.0, 103.0]
    record.insert(
        "sketches", [numeric(fine, precision=7), numeric(fine, precision=4, degraded=True, first_offset=4)]
    )
    row = record.store.rows("SELECT bins, counts, precision, degraded FROM feature_windows")[0]
    wanted = coarsen(np.array(fine), np.full(4, 2), 4)
    assert row == {"bins": wanted[0].tolist(), "counts": wanted[1].tolist(), "precision": 4, "degraded": True}


def test_categories_and_events_add_up(record: Recorder) -> None:
    """Named values, hash buckets and the pseudo-column @events are sums as well; served and shadow stay apart."""
    buckets = [0] * 64
    category = {
        **SKETCH,
        "column": "c",
        "column_kind": "categorical",
        "values": ["a", "b"],
        "counts": [1, 2],
        "buckets": [*buckets[1:], 5],
    }
    events = {
        **SKETCH,
        "column": "@events",
        "column_kind": "events",
        "events": 8,
        "errors": 1,
        "min_event_time": START,
    }
    later = {"first_offset": 9, "min_event_time": START + timedelta(hours=1)}
    record.insert(
        "sketches",
        [category, {**category, "values": ["b", "z"], "first_offset": 9}, events, {**events, **later}],
    )
    record.insert("sketches", [{**events, "served": False}])
    rows = record.store.rows("SELECT * FROM feature_windows ORDER BY column, served DESC")
    assert [(row["column"], row["served"], row["events"], row["errors"]) for row in rows[:2]] == [
        ("@events", True, 16, 2),
        ("@events", False, 8, 1),
    ]
    assert rows[0]["min_event_time"] == START
    assert dict(zip(rows[2]["values"], rows[2]["counts"], strict=True)) == {"a": 1, "b": 3, "z": 2}
    assert (rows[2]["buckets"][63], rows[2]["n"]) == (10, 16)
