"""Raises an operational alert where stream and record do not rest on the same messages: metric ``integrity``, once for each fault.

Two things must hold whatever comes, late or twice: profilers and recorder have read the same messages, stretch by stretch; and a window whose messages
are all recorded has a row for each prediction, and sketches that count them. What does not hold was lost or made up, so the alert stays.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

from stream_processors.clickhouse import Store
from stream_processors.monitor.outbox import Outbox
from stream_processors.reconciliation import Cause, Finding
from stream_processors.reconciliation.frontier import Frontier

METRIC = "integrity"

# Stretches of the last hour at the first look; then those from where the last look ended
_STRETCHES = """
    SELECT concat(topic_id, '/', toString(source_partition)) AS source, first_offset AS first, any(next_offset) AS next,
        toInt64(any(events)) AS profiled, toInt64(any(dead_letters)) AS profiled_dead_letters, toUnixTimestamp64Micro(min(_appended_at)) AS at
    FROM stretches
    WHERE next_offset > first_offset AND next_offset <= {nexts:Array(Int64)}[indexOf({sources:Array(String)}, source)]
      AND if(has({seen:Array(String)}, source), first_offset >= {marks:Array(Int64)}[indexOf({seen:Array(String)}, source)],
             _appended_at > (SELECT max(_appended_at) - toIntervalHour(1) FROM stretches))
    GROUP BY source, first
"""

# A message lies in the last stretch that begins at or before it
_INTAKE = """
    SELECT source, first, toInt64(countIf(NOT dead_letter)) AS recorded, toInt64(countIf(dead_letter)) AS recorded_dead_letters
    FROM (
        SELECT concat(_topic_id, '/', toString(_partition)) AS source, toInt64(_offset) AS at, dead_letter
        FROM intake FINAL
        WHERE has({sources:Array(String)}, source) AND at >= {firsts:Array(Array(Int64))}[indexOf({sources:Array(String)}, source)][1]
          AND at < {nexts:Array(Int64)}[indexOf({sources:Array(String)}, source)]) AS message
    ASOF JOIN (
        SELECT {sources:Array(String)}[place] AS source, arrayJoin({firsts:Array(Array(Int64))}[place]) AS first
        FROM (SELECT arrayJoin(range(1, 1 + length({sources:Array(String)}))) AS place)) AS stretch
    ON message.source = stretch.source AND message.at >= stretch.first
    GROUP BY source, first
"""

_SAID = "SELECT DISTINCT alert_id FROM alerts WHERE metric = {metric:String}"


class Integrity:
    """Looks at what has come since it last looked; what a crash kept it from saying is found again at the next start."""

    def __init__(self, store: Store, outbox: Outbox) -> None:
        self._store, self._outbox = store, outbox
        self._marks: dict[str, int] = {}

    def stretches(self, reached: Frontier) -> None:
        """Compare the stretches up to there with intake."""
        asked = {**reached.parameters(), "seen": list(self._marks), "marks": list(self._marks.values())}
        rows = sorted(self._store.rows(_STRETCHES, asked), key=lambda row: (row["source"], row["first"]))
        if not rows:
            return
        firsts: dict[str, list[int]] = defaultdict(list)
        for row in rows:
            firsts[row["source"]].append(row["first"])
        ends = {row["source"]: row["next"] for row in rows}
        places = {"sources": list(firsts), "firsts": list(firsts.values()), "nexts": list(ends.values())}
        taken = {(row["source"], row["first"]): row for row in self._store.rows(_INTAKE, places)}
        pairs = [(row, taken.get((row["source"], row["first"]), {})) for row in rows]
        self._say(_of_stretch(*pair) for pair in pairs if _unequal(*pair))
        self._marks |= ends

    def windows(self, findings: Iterable[Finding]) -> None:
        """Say which of these windows are wrong by something else than resends and retention."""
        self._say(_of_window(one) for one in findings if one.cause in (Cause.MISSING_ROWS, Cause.MISCOUNTED))

    def _say(self, alerts: Iterator[dict[str, Any]]) -> None:
        records = list(alerts)
        if records:
            said = {row["alert_id"] for row in self._store.rows(_SAID, {"metric": METRIC})}
            self._outbox.send("alerts", "alert", [one for one in records if one["alert_id"] not in said])


_FIGURES = ("recorded", "recorded_dead_letters")


def _unequal(row: dict[str, Any], taken: dict[str, Any]) -> bool:
    return any(row[name.replace("recorded", "profiled")] != taken.get(name, 0) for name in _FIGURES)


def _of_stretch(row: dict[str, Any], taken: dict[str, Any]) -> dict[str, Any]:
    recorded, dead = (taken.get(name, 0) for name in _FIGURES)
    evidence = {name: row[name] for name in ("first", "next", "profiled", "profiled_dead_letters")}
    summary = (
        f"profilers counted {row['profiled']} events and {row['profiled_dead_letters']} dead letters of predictions/{row['source']} from offset"
        f" {row['first']} to {row['next']}, the recorder has {recorded} and {dead}: `hindcast query integrity` shows where."
    )
    evidence |= {"recorded": recorded, "recorded_dead_letters": dead}
    return _alert("", "", row["source"], row["at"], row["at"], summary, evidence)


def _of_window(one: Finding) -> dict[str, Any]:
    facts, about = one.facts, one.about
    what = (
        f"{facts.predictions - facts.rows} of {facts.predictions} predictions have no row"
        if one.cause is Cause.MISSING_ROWS
        else f"sketches do not count what the {facts.rows} rows hold"
    )
    summary = f"{what} in the window of {one.model} ({one.environment}) from {about['window_start']}: `hindcast reconcile` shows what differs."
    evidence = {"messages": facts.messages, "predictions": facts.predictions, "rows": facts.rows}
    return _alert(one.model, one.environment, one.shape, one.start, one.end, summary, evidence)


def _alert(
    model: str, environment: str, about: str, start: int, end: int, summary: str, evidence: dict[str, int]
) -> dict[str, Any]:
    identity = json.dumps([METRIC, model, environment, about, start, sorted(evidence.items())])
    return {
        "alert_id": hashlib.sha256(identity.encode()).hexdigest()[:32],
        "model": model,
        "model_version": "",
        "environment": environment,
        "served": True,
        "kind": "operational",
        "metric": METRIC,
        "reference": "",
        "column": "@events",
        "slice": "",
        "state": "firing",
        "severity": "severe",
        "started_at": start,
        "window_start": start,
        "window_end": end,
        "revision": 0,
        "owner": None,
        "summary": summary,
        "evidence": {name: float(figure) for name, figure in evidence.items()},
        "link": None,
    }
