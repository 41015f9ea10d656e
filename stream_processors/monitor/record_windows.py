"""Asks ClickHouse for the sketches of windows that are due, as of an offset of their partition of ``sketches``."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from stream_processors.clickhouse import Store
from stream_processors.monitor.headings import ModelVersion, Source
from stream_processors.monitor.progress import JudgedWindow
from stream_processors.monitor.sketch_rows import RULE, SUMS, sketch_reader
from stream_processors.monitor.weighing import estimated
from stream_processors.monitor.window_facts import SliceSketches, WindowFacts
from stream_processors.sketches import WHOLE
from stream_processors.statistics.effective_size import effective_size
from stream_processors.windows import DAY, WEEK, Width, Window

EVENTS = "@events"


@dataclass(frozen=True, slots=True)
class AsOf:
    """Up to where the record is asked: deltas of one partition of ``sketches`` below ``up_to`` whose flush has ended by then.

    Attributes:
        topic_id: of ``sketches``.
        frontier: next offset of each source's last stretch at or before ``up_to``.
    """

    topic_id: str
    partition: int
    up_to: int
    frontier: dict[Source, int]

    def parameters(self) -> dict[str, Any]:
        """As the queries bind them."""
        return {
            "topic_id": self.topic_id,
            "partition": self.partition,
            "up_to": self.up_to,
            "sources": [_source_text(source) for source in self.frontier],
            "nexts": list(self.frontier.values()),
        }


_DELTAS = """
    kind = 'delta' AND model = {model:String} AND environment = {environment:String}
    AND window_start >= fromUnixTimestamp64Micro({first:Int64}, 'UTC') AND window_start < fromUnixTimestamp64Micro({last:Int64}, 'UTC')
    AND window_end <= window_start + toIntervalMicrosecond({width:Int64})
    AND _topic_id = {topic_id:String} AND _partition = {partition:UInt32} AND _offset < {up_to:UInt64}
    AND next_offset <= arrayElement({nexts:Array(Int64)}, indexOf({sources:Array(String)}, concat(topic_id, '/', toString(source_partition))))
    AND (model_version, served, judged_start) IN {windows:Array(Tuple(String, Bool, Int64))}
"""

# identity holds window_start, so that rows of one identity never lie in two partitions of the table
_FINAL = {"do_not_merge_across_partitions_select_final": 1}


def judged_start(width: Width) -> str:
    """SQL for the start, in microseconds, of the window of this width that ``window_start`` falls into (as ``windows.window_start``)."""
    moment = "toUnixTimestamp64Micro(window_start)"
    if width.is_month:
        return "toUnixTimestamp64Micro(toDateTime64(toStartOfMonth(window_start), 6, 'UTC'))"
    origin = -3 * DAY if width.micros == WEEK else 0
    return f"{moment} - positiveModulo({moment} - ({origin}), {width.micros})"


def window_facts(
    store: Store,
    as_of: AsOf,
    width: Width,
    windows: Sequence[JudgedWindow],
    columns: Sequence[str],
    *,
    least: int = 0,
) -> list[WindowFacts]:
    """Facts on windows of one model, environment and width; a window without a delta up to there is left out.

    Args:
        store: where the record is.
        as_of: up to where.
        width: of all the windows.
        windows: at least one.
        columns: the columns wanted beside ``@events``; without any, only the whole is asked for, with its ``@latency_ms``.
        least: slices of fewer events get no sketches, except the whole.
    """
    parameters = {**as_of.parameters(), **_bounds(windows), "columns": [EVENTS, *columns]}
    facts = _revised(store, width, windows, parameters)
    if facts:
        table = _columns(store, width, parameters, whole_only=not columns)
        counted = pa.compute.equal(table.column("column"), EVENTS)
        _take_events(facts, windows[0].of, table.filter(counted))
        _take_sketches(facts, windows[0].of, table.filter(pa.compute.invert(counted)), least)
    return list(facts.values())


_Facts = dict[tuple[ModelVersion, int], WindowFacts]


def _take_events(facts: _Facts, model: ModelVersion, table: pa.Table) -> None:
    for row in table.select([*_KEYS, "shape", "sampling_rate", "events", "errors", "warnings"]).to_pylist():
        place = facts.get((_version(model, row), row["judged_start"]))
        if place:
            one = place.slices.setdefault(row["slice"], SliceSketches())
            one.events[row["sampling_rate"]] += row["events"]
            one.errors[row["sampling_rate"]] += row["errors"]
            one.warnings += row["warnings"]
            one.shapes.setdefault(row["shape"], Counter())[row["sampling_rate"]] += row["events"]


def _take_sketches(facts: _Facts, model: ModelVersion, table: pa.Table, least: int) -> None:
    """Add a sketch of each column, which accounts for the events of deltas that have the column.

    A delta has every feature of its contract (``profiler.counting``): one without had an earlier contract that did not know the column, whose events lack nothing.
    """
    parts: dict[tuple[ModelVersion, int, str, str], list[tuple[float, str, int]]] = {}
    for number, row in enumerate(table.select([*_KEYS, "sampling_rate", "shape"]).to_pylist()):
        key = _version(model, row), row["judged_start"], row["slice"], row["column"]
        parts.setdefault(key, []).append((row["sampling_rate"], row["shape"], number))
    sketch = sketch_reader(table)
    for (version, start, name, column), numbers in parts.items():
        place = facts.get((version, start))
        counted = place.slices.get(name) if place else None
        if counted and (name == WHOLE or counted.n >= least):
            sketches = [(rate, sketch(number)) for rate, _, number in numbers]
            events = counted.events_of({shape for _, shape, _ in numbers})
            counted.columns[column] = estimated(sketches, events)


_KEYS = ["model_version", "served", "judged_start", "slice", "column"]


def _columns(store: Store, width: Width, parameters: dict[str, Any], *, whole_only: bool) -> pa.Table:
    whole = "AND slice = '' AND column IN ('@events', '@latency_ms')"
    wanted = whole if whole_only else "AND column IN {columns:Array(String)}"
    return store.arrow(
        f"""
        SELECT model_version, served, {judged_start(width)} AS judged_start, slice, column, sampling_rate, {RULE},
               sum(events) AS events, sum(errors) AS errors, sum(warnings) AS warnings, {SUMS}
        FROM sketches FINAL
        WHERE {_DELTAS} {wanted}
        GROUP BY model_version, served, judged_start, slice, column, sampling_rate, {RULE}
        ORDER BY min(min(_offset)) OVER (PARTITION BY model_version, served, judged_start, slice, column, {RULE}), {RULE}, sampling_rate
        """,
        parameters,
        _FINAL,
    )


def _revised(
    store: Store, width: Width, windows: Sequence[JudgedWindow], parameters: dict[str, Any]
) -> _Facts:
    """The windows that have deltas, each with its revision: the first stretch that reached a delta's ``next_offset`` closed its flush."""
    rows = store.rows(
        f"""
        WITH flushes AS (
            SELECT DISTINCT model_version, served, {judged_start(width)} AS judged_start, topic_id, source_partition, next_offset
            FROM sketches
            WHERE {_DELTAS} AND column = '{EVENTS}' AND slice = ''
        ), closings AS (
            SELECT topic_id, source_partition, next_offset, min((_offset, toUnixTimestamp64Micro(_appended_at))) AS closing
            FROM stretches
            WHERE _topic_id = {{topic_id:String}} AND _partition = {{partition:UInt32}} AND _offset <= {{up_to:UInt64}}
              AND (topic_id, source_partition, next_offset) IN (SELECT topic_id, source_partition, next_offset FROM flushes)
            GROUP BY topic_id, source_partition, next_offset
        )
        SELECT model_version, served, judged_start, toInt64(max(closing).1) AS revision, max(closing).2 AS revised_at
        FROM flushes INNER JOIN closings USING (topic_id, source_partition, next_offset)
        GROUP BY model_version, served, judged_start
        """,
        parameters,
    )
    known = {(one.of, one.window.start): one for one in windows}
    facts = {}
    for row in rows:
        key = _version(windows[0].of, row), row["judged_start"]
        facts[key] = WindowFacts(known[key], row["revision"], row["revised_at"])
    return facts


def least_parts(
    store: Store, as_of: AsOf, window: JudgedWindow, parts: Iterable[Window], smaller: Width
) -> dict[str, int]:
    """Per slice, the effective size of the emptiest of a window's non-empty parts of the next smaller judged width."""
    windows = [JudgedWindow(window.of, part) for part in parts]
    parameters = {**as_of.parameters(), **_bounds(windows)}
    rows = store.rows(
        f"""
        SELECT slice, {judged_start(smaller)} AS judged_start, sampling_rate, sum(events) AS events
        FROM sketches FINAL
        WHERE {_DELTAS} AND column = '{EVENTS}'
        GROUP BY slice, judged_start, sampling_rate
        """,
        parameters,
        _FINAL,
    )
    events: dict[str, dict[int, Counter[float]]] = defaultdict(lambda: defaultdict(Counter))
    for row in rows:
        events[row["slice"]][row["judged_start"]][row["sampling_rate"]] += row["events"]
    return {name: min(map(effective_size, parts.values())) for name, parts in events.items()}


def _bounds(windows: Sequence[JudgedWindow]) -> dict[str, Any]:
    return {
        "model": windows[0].of.model,
        "environment": windows[0].of.environment,
        "first": min(one.window.start for one in windows),
        "last": max(one.window.end for one in windows),
        "width": max(one.window.end - one.window.start for one in windows),
        "windows": [(one.of.model_version, one.of.served, one.window.start) for one in windows],
    }


def _version(model: ModelVersion, row: dict[str, Any]) -> ModelVersion:
    return ModelVersion(model.model, model.environment, row["model_version"], row["served"])


def _source_text(source: Source) -> str:
    return f"{source.topic_id}/{source.partition}"
