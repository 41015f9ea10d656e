"""References: published sketches of training data, read from ClickHouse once and kept ready to judge many windows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from stream_processors.clickhouse import Store
from stream_processors.monitor.reference_series import ReferenceSeries
from stream_processors.monitor.sketch_rows import RULE, SUMS, merged, sketch_reader
from stream_processors.statistics.verdict import Sketch
from stream_processors.windows import Width, window_start

_EVENTS = "@events"


def training_reference(store: Store, model: str, digest: str, width: Width) -> ReferenceSeries | None:
    """The reference published under a digest; None if the record has none. Base windows are added up to the judged width."""
    table = store.arrow(
        f"""
        SELECT slice, column, toUnixTimestamp64Micro(window_start) AS start, {RULE}, sum(events) AS events, {SUMS}
        FROM sketches FINAL
        WHERE kind = 'reference' AND model = {{model:String}} AND reference = {{digest:String}}
        GROUP BY slice, column, start, {RULE}
        ORDER BY slice, column, start, {RULE}
        """,
        {"model": model, "digest": digest},
    )
    if not table.num_rows:
        return None
    starts = window_start(np.asarray(table.column("start"), dtype=np.int64), width).tolist()
    slices, columns = table.column("slice").to_pylist(), table.column("column").to_pylist()
    events = _events(slices, columns, starts, table.column("events").to_pylist())
    parts: dict[tuple[str, str, int], list[Sketch]] = {}
    sketch = sketch_reader(table)
    for row, key in enumerate(zip(slices, columns, starts, strict=True)):
        if key[1] != _EVENTS:
            parts.setdefault(key, []).append(sketch(row))
    found = ReferenceSeries("training", digest)
    for (slice_name, column, start), sketches in parts.items():
        whole = merged(sketches, events.get((slice_name, start), 0))
        found.series.setdefault((slice_name, column), []).append(whole)
    for (slice_name, _), count in events.items():
        found.events[slice_name] = found.events.get(slice_name, 0) + count
    return found


def _events(
    slices: Sequence[str], columns: Sequence[str], starts: Sequence[int], counts: Sequence[int]
) -> dict[tuple[str, int], int]:
    events: dict[tuple[str, int], int] = {}
    for slice_name, column, start, count in zip(slices, columns, starts, counts, strict=True):
        if column == _EVENTS:
            events[slice_name, start] = events.get((slice_name, start), 0) + count
    return events
