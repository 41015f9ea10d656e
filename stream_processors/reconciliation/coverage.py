"""Whether a window can be judged at all: is anything of it still on its way, and does the record hold every row it should."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from stream_processors.clickhouse import Store
from stream_processors.reconciliation.findings import WindowFacts
from stream_processors.reconciliation.frontier import Frontier
from stream_processors.windows import DAY

_NEXT = "{nexts:Array(Int64)}[indexOf({sources:Array(String)}, concat(%s, '/', toString(%s)))]"
_START = (
    "toUnixTimestamp64Micro(event_time) - positiveModulo(toUnixTimestamp64Micro(event_time), {base:Int64})"
)
_TIMES = """model = {model:String} AND environment = {environment:String}
    AND event_time >= fromUnixTimestamp64Micro({first:Int64}, 'UTC') AND event_time < fromUnixTimestamp64Micro({last:Int64}, 'UTC')"""

# events at or beyond the frontier, and deltas that reach beyond it
_ON_THEIR_WAY = f"""
    SELECT toUnixTimestamp64Micro(min(event_time)) AS first, toUnixTimestamp64Micro(max(event_time)) + 1 AS last
    FROM intake
    WHERE {_TIMES} AND _offset >= {_NEXT % ("_topic_id", "_partition")}
    GROUP BY {_START}
    UNION DISTINCT
    SELECT toUnixTimestamp64Micro(window_start) AS first, toUnixTimestamp64Micro(window_end) AS last
    FROM sketches
    WHERE kind = 'delta' AND model = {{model:String}} AND environment = {{environment:String}} AND column = '@events' AND slice = ''
      AND window_end > fromUnixTimestamp64Micro({{first:Int64}}, 'UTC') AND window_start < fromUnixTimestamp64Micro({{last:Int64}}, 'UTC')
      AND next_offset > {_NEXT % ("topic_id", "source_partition")}
"""

# what no retention has let go yet
_KEPT = f"retention_days = 0 OR {_START} + retention_days * {DAY} >= {{now:Int64}}"

# predictions are told apart as the table of predictions does it
_FACTS = f"""
    SELECT start, sum(messages) AS messages, sum(predictions) AS predictions, sum(kept) AS kept, sum(rows) AS rows
    FROM (
        SELECT {_START} AS start, count() AS messages, uniqExact(prediction_id_hash, model_version, event_time) AS predictions,
            uniqExactIf(prediction_id_hash, model_version, event_time, {_KEPT}) AS kept, 0 AS rows
        FROM intake FINAL
        WHERE {_TIMES} AND NOT dead_letter AND _offset < {_NEXT % ("_topic_id", "_partition")} AND start IN {{starts:Array(Int64)}}
        GROUP BY start
        UNION ALL
        SELECT {_START} AS start, 0 AS messages, 0 AS predictions, 0 AS kept, count() AS rows
        FROM predictions FINAL
        WHERE {_TIMES} AND _offset < {_NEXT % ("_topic_id", "_partition")} AND start IN {{starts:Array(Int64)}}
        GROUP BY start)
    GROUP BY start
"""


_COUNTED = ("messages", "predictions", "kept", "rows")


def waiting(
    store: Store, parameters: dict[str, Any], frontier: Frontier, windows: Iterable[tuple[int, int]]
) -> set[tuple[int, int]]:
    """Those of the windows (start, end in microseconds) of which something is recorded that stands at or beyond the frontier.

    Ask after comparing: what has come since is among it, so that no window that changed meanwhile passes for one that differs.
    """
    wanted = set(windows)
    if not wanted:
        return set()
    spans = [
        (row["first"], row["last"])
        for row in store.rows(
            _ON_THEIR_WAY,
            {
                **parameters,
                **frontier.parameters(),
                "first": min(start for start, _ in wanted),
                "last": max(end for _, end in wanted),
            },
        )
    ]
    return {one for one in wanted if any(first < one[1] and last > one[0] for first, last in spans)}


def window_facts(
    store: Store, parameters: dict[str, Any], frontier: Frontier, starts: Sequence[int], base: int
) -> dict[int, WindowFacts]:
    """What intake and rows hold of the windows that begin at ``starts`` and last ``base`` microseconds.

    ``parameters`` are the model and environment, and ``now`` in microseconds.
    """
    if not starts:
        return {}
    more = {"starts": list(starts), "first": min(starts), "last": max(starts) + base}
    rows = store.rows(_FACTS, {**parameters, **frontier.parameters(), **more})
    found = {row["start"]: WindowFacts(**{name: row[name] for name in _COUNTED}) for row in rows}
    return {start: found.get(start, WindowFacts()) for start in starts}
