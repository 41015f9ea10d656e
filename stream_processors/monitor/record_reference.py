"""References: published sketches of training data, read from ClickHouse once and kept ready to judge many windows."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from stream_processors.clickhouse import Store
from stream_processors.monitor.reference_series import ReferenceSeries
from stream_processors.monitor.sketch_rows import RULE, SUMS, sketch_reader
from stream_processors.monitor.weighing import estimated
from stream_processors.statistics.effective_size import Weights, effective_size
from stream_processors.statistics.verdict import Sketch
from stream_processors.windows import Width, window_start

_EVENTS = "@events"


def training_reference(store: Store, model: str, digest: str, width: Width) -> ReferenceSeries | None:
    """The reference published under a digest; None if the record has none. Base windows are added up to the judged width."""
    table = store.arrow(
        f"""
        SELECT slice, column, toUnixTimestamp64Micro(window_start) AS start, sampling_rate, {RULE}, sum(events) AS events, {SUMS}
        FROM sketches FINAL
        WHERE kind = 'reference' AND model = {{model:String}} AND reference = {{digest:String}}
        GROUP BY slice, column, start, sampling_rate, {RULE}
        ORDER BY slice, column, start, {RULE}, sampling_rate
        """,
        {"model": model, "digest": digest},
    )
    if not table.num_rows:
        return None
    starts = window_start(np.asarray(table.column("start"), dtype=np.int64), width).tolist()
    rows = table.select(["slice", "column", "sampling_rate", "events"]).to_pylist()
    events = _events(rows, starts)
    of_slices = _of_slices(events)
    weights = {name: Weights.of(counted) for name, counted in of_slices.items()}
    parts: dict[tuple[str, str, int], list[tuple[float, Sketch]]] = {}
    sketch = sketch_reader(table)
    for number, (row, start) in enumerate(zip(rows, starts, strict=True)):
        if row["column"] != _EVENTS:
            key = row["slice"], row["column"], start
            parts.setdefault(key, []).append((row["sampling_rate"], sketch(number)))
    found = ReferenceSeries("training", digest)
    for (name, column, start), sketches in parts.items():
        whole = estimated(sketches, events.get((name, start), {}), weights.get(name))
        found.series.setdefault((name, column), []).append(whole)
    found.events = {name: effective_size(counted) for name, counted in of_slices.items()}
    return found


def _events(
    rows: Sequence[Mapping[str, Any]], starts: Sequence[int]
) -> dict[tuple[str, int], Counter[float]]:
    """Events of each slice and window, by sampling rate."""
    events: dict[tuple[str, int], Counter[float]] = defaultdict(Counter)
    for row, start in zip(rows, starts, strict=True):
        if row["column"] == _EVENTS:
            events[row["slice"], start][row["sampling_rate"]] += row["events"]
    return events


def _of_slices(events: Mapping[tuple[str, int], Counter[float]]) -> dict[str, Counter[float]]:
    """Events of each slice over all windows, by sampling rate."""
    found: dict[str, Counter[float]] = defaultdict(Counter)
    for (name, _), counted in events.items():
        found[name] += counted
    return found
