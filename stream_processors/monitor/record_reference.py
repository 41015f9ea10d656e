"""References: published sketches of training data, read from ClickHouse."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping

import pyarrow as pa

from stream_processors.clickhouse import Store
from stream_processors.monitor.record_windows import EVENTS, judged_start
from stream_processors.monitor.reference_series import ReferenceSeries
from stream_processors.monitor.sketch_rows import RULE, SUMS, sketch_reader
from stream_processors.monitor.weighing import estimated
from stream_processors.statistics.effective_size import Weights, effective_size
from stream_processors.statistics.verdict import Sketch
from stream_processors.windows import Width

_REFERENCE = "kind = 'reference' AND model = {model:String} AND reference = {digest:String}"
_COLUMNS = f"""
SELECT column, slice, sampling_rate, sum(events) AS events
FROM sketches FINAL
WHERE {_REFERENCE}
GROUP BY column, slice, sampling_rate
"""


def training_reference(store: Store, model: str, digest: str, width: Width) -> ReferenceSeries | None:
    """The reference published under a digest; None if the record has none. Base windows are added up to the judged width.

    A column's sketches are read when it is asked for; what is on record under a digest never changes.
    """
    of = {"model": model, "digest": digest}
    counted: dict[str, Counter[float]] = defaultdict(Counter)
    columns = set()
    for row in store.rows(_COLUMNS, of):
        if row["column"] == EVENTS:
            counted[row["slice"]][row["sampling_rate"]] += row["events"]
        else:
            columns.add(row["column"])
    if not columns and not counted:
        return None
    events = {name: effective_size(rates) for name, rates in counted.items()}
    weights = {name: Weights.of(rates) for name, rates in counted.items()}

    def read(column: str) -> Iterator[tuple[str, list[Sketch]]]:
        return _windows(store.arrow(_series(width), {**of, "column": column}), weights)

    return ReferenceSeries("training", digest, events, frozenset(columns), read)


def _series(width: Width) -> str:
    return f"""
    SELECT slice, column, {judged_start(width)} AS start, sampling_rate, {RULE}, sum(events) AS events, {SUMS}
    FROM sketches FINAL
    WHERE {_REFERENCE} AND column IN ('{EVENTS}', {{column:String}})
    GROUP BY slice, column, start, sampling_rate, {RULE}
    ORDER BY slice, column, start, {RULE}, sampling_rate
    """


def _windows(table: pa.Table, weights: Mapping[str, Weights]) -> Iterator[tuple[str, list[Sketch]]]:
    """The windows of each slice of one column, in order of their time."""
    rows = table.select(["slice", "column", "start", "sampling_rate", "events"]).to_pylist()
    events: dict[tuple[str, int], Counter[float]] = defaultdict(Counter)
    of_slices: dict[str, dict[int, list[tuple[float, int]]]] = defaultdict(lambda: defaultdict(list))
    for number, row in enumerate(rows):
        if row["column"] == EVENTS:
            events[row["slice"], row["start"]][row["sampling_rate"]] += row["events"]
        else:
            of_slices[row["slice"]][row["start"]].append((row["sampling_rate"], number))
    sketch = sketch_reader(table)
    for name, windows in of_slices.items():
        yield (
            name,
            [
                estimated(
                    [(rate, sketch(number)) for rate, number in parts],
                    events.get((name, start), {}),
                    weights.get(name),
                )
                for start, parts in windows.items()
            ],
        )
