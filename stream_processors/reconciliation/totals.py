"""Totals: the sketches of whole windows, counted from the rows, as records of sketch.v1 that replace every delta before ``up_to``."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from stream_processors.clickhouse import Store
from stream_processors.reconciliation.comparing import bound
from stream_processors.reconciliation.counting_rules import CountingRules
from stream_processors.reconciliation.frontier import Frontier
from stream_processors.reconciliation.row_sketches import KEY, ROW_SKETCHES
from stream_processors.sketches import (
    CategoricalSketch,
    NumericSketch,
    categorical_record,
    numeric_record,
)
from stream_processors.sketches.categorical import no_buckets

Record = dict[str, Any]

# Far below the broker's 1 MB and above the largest single column (4,096 bins, or 1,000 names of 64 characters)
_PART_BYTES = 400_000
_KEY = tuple(KEY.split(", "))

# Every sketch and column that the windows have had: one that no row carries any more needs a total of nothing.
_STREAMED = f"""
    SELECT model_version, served, sampling_rate, slice, toUnixTimestamp64Micro(window_start) AS start,
        column, toString(column_kind) AS column_kind, max(precision) AS precision
    FROM sketches
    WHERE kind != 'reference' AND model = {{model:String}} AND environment = {{environment:String}} AND shape = {{shape:String}}
      AND window_start >= fromUnixTimestamp64Micro({{first:Int64}}, 'UTC') AND window_start < fromUnixTimestamp64Micro({{last:Int64}}, 'UTC')
      AND start IN {{starts:Array(Int64)}}
    GROUP BY {KEY}, column, column_kind
"""


def totals(
    store: Store,
    model: str,
    environment: str,
    rules: CountingRules,
    frontier: Frontier,
    starts: Sequence[int],
) -> Iterator[Record]:
    """The totals of every sketch of the windows of one shape that begin at ``starts`` (microseconds)."""
    parameters = bound(
        model, environment, rules, frontier, min(starts), max(starts) + rules.base, sorted(starts)
    )
    columns: dict[tuple[Any, ...], dict[tuple[str, str], Record]] = defaultdict(dict)
    for row in store.rows(_STREAMED, parameters):
        columns[_key(row)][row["column"], row["column_kind"]] = {**_NOTHING, "precision": row["precision"]}
    for row in _rows(store.arrow(ROW_SKETCHES, parameters)):
        columns[_key(row)][row["column"], row["column_kind"]] = row
    lists = rules.lists
    for key, found in columns.items():
        yield from _parts(
            {
                **dict(zip(_KEY[:-1], key, strict=False)),
                "kind": "total",
                "model": model,
                "environment": environment,
                "shape": rules.shape,
                "window_start": key[-1],
                "window_end": key[-1] + rules.base,
                "topic_id": "",
                "source_partition": -1,
                "first_offset": 0,
                "next_offset": 0,
                "up_to": dict(frontier.next),
                "reference": None,
            },
            found,
            lists,
        )


_NOTHING: Record = {
    "events": 0, "errors": 0, "warnings": 0, "earliest": None, "latest": None, "bins": [], "counts": [], "names": [], "buckets": [],
    "nulls": 0, "nans": 0, "plus_inf": 0, "minus_inf": 0, "sum": 0.0, "sum_of_squares": 0.0, "min": None, "max": None,
}  # fmt: skip


def _key(row: Record) -> tuple[Any, ...]:
    return tuple(row[name] for name in _KEY)


def _rows(table: pa.Table) -> Iterator[Record]:
    for batch in table.to_batches(max_chunksize=1_000):
        yield from batch.to_pylist()


def _parts(
    identity: Record, columns: dict[tuple[str, str], Record], lists: dict[str, tuple[str, ...]]
) -> Iterator[Record]:
    """One sketch as records of less than `_PART_BYTES`, or of one column each; events stand in the first."""
    counted = columns.get(("@events", "events"), _NOTHING)
    parts: list[tuple[list[Record], list[Record]]] = [([], [])]
    size = 0
    for (column, kind), row in sorted(columns.items()):
        if kind == "events":
            continue
        size += (
            20 * (len(row["counts"]) + len(row["buckets"])) + sum(len(n.encode()) for n in row["names"]) + 200
        )
        if size > _PART_BYTES and any(parts[-1]):
            parts.append(([], []))
            size = 0
        if kind == "numeric":
            parts[-1][0].append(numeric_record(column, _numeric(row).of_events(counted["events"]).fitted()))
        else:
            sketch = _categorical(row, lists.get(column)).of_events(counted["events"])
            parts[-1][1].append(categorical_record(column, sketch))
    for number, (numeric, categorical) in enumerate(parts):
        figures = counted if number == 0 else _NOTHING
        yield {
            **identity,
            "part": number,
            "parts": len(parts),
            **{name: figures[name] for name in ("events", "errors", "warnings")},
            "min_event_time": figures["earliest"],
            "max_event_time": figures["latest"],
            "numeric": numeric,
            "categorical": categorical,
        }


def _numeric(row: Record) -> NumericSketch:
    return NumericSketch(
        row["precision"],
        np.array(row["bins"], dtype=np.float64),
        np.array(row["counts"], dtype=np.int64),
        nulls=row["nulls"],
        nans=row["nans"],
        plus_inf=row["plus_inf"],
        minus_inf=row["minus_inf"],
        sum=row["sum"],
        sum_of_squares=row["sum_of_squares"],
        minimum=row["min"],
        maximum=row["max"],
    )


def _categorical(row: Record, listed: tuple[str, ...] | None) -> CategoricalSketch:
    found = dict(zip(row["names"], row["counts"], strict=True))
    names = tuple(sorted(found)) if listed is None else listed
    return CategoricalSketch(
        names,
        np.array([found.get(name, 0) for name in names], dtype=np.int64),
        np.array(row["buckets"], dtype=np.int64) if row["buckets"] else no_buckets(),
        nulls=row["nulls"],
        listed=listed is not None,
    )
