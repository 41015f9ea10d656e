"""Windows of twenty minutes, written as flushes write them, their roll-ups, and what adds up over a period."""

from __future__ import annotations

import itertools
from collections import Counter
from datetime import datetime, timedelta
from typing import Any

from recorded_rows import EVENTS, Recorder, utc

from stream_processors.monitor.rolling_up import roll_up
from stream_processors.windows import DAY, HOUR

START = utc("2024-03-01")
END = START + timedelta(hours=49)
MINUTES = timedelta(minutes=20)
TOPIC = "sketches-id"
SUMS = """
    SELECT column, model_version, slice, sum(n) AS n, sum(events) AS events, sum(errors) AS errors, sum(nulls) AS nulls, sum(absent) AS absent,
        sum(nans) AS nans, sum(finite) AS finite, sum(sum) AS sum, sum(sum_of_squares) AS squares, min(min) AS least, max(max) AS greatest,
        min(min_event_time) AS earliest, max(max_event_time) AS latest,
        sumMap(bins, if(column_kind = 'numeric', counts, [])) AS histogram,
        sumMap(values, if(column_kind = 'categorical', counts, [])) AS categories, sumForEach(buckets) AS buckets
    FROM {windows}
    GROUP BY column, model_version, slice
    ORDER BY column, model_version, slice
"""
BETWEEN = (
    "feature_windows_between(model = 'm', environment = 'production', since = {since:DateTime64(6, 'UTC')},"
    " until = {until:DateTime64(6, 'UTC')}, widest = {widest:UInt32})"
)
BASE = (
    "feature_windows WHERE model = 'm' AND environment = 'production' AND window_start >= {since:DateTime64(6, 'UTC')}"
    " AND window_end <= {until:DateTime64(6, 'UTC')}"
)


def delta(start: datetime, number: int, **more: Any) -> list[dict[str, Any]]:
    """Three columns of one window as one flush makes them, whose figures depend on its number alone."""
    identity = {
        "kind": "delta",
        "model": "m",
        "model_version": str(1 + number % 2),
        "environment": "production",
        "served": True,
        "sampling_rate": 1.0,
        "slice": "",
        "window_start": start,
        "window_end": start + MINUTES,
        "topic_id": "topic",
        "first_offset": number,
        "next_offset": number + 1,
        "parts": 1,
        "_topic_id": TOPIC,
        "_offset": number,
        "_appended_at": start + timedelta(days=3),
        **more,
    }
    seen = {"min_event_time": start, "max_event_time": start + timedelta(seconds=number % 60)}
    numeric = {
        "column": "x",
        "column_kind": "numeric",
        "precision": 7,
        "bins": [64.0, 64.0 + number % 5 + 1],
        "counts": [number % 7, 3],
        "nulls": number % 3,
        "nans": number % 2,
        "absent": 1,
        "sum": float(number),
        "sum_of_squares": float(number**2),
        "min": float(number),
        "max": float(number + 1),
    }
    categorical = {
        "column": "c",
        "column_kind": "categorical",
        "values": ["a", f"v{number % 4}"],
        "counts": [2, number % 9],
        "buckets": [number] * 64,
    }
    events = {**EVENTS, **seen, "events": 10 + number, "errors": number % 2}
    return [{**identity, **one, "_row": row} for row, one in enumerate([events, numeric, categorical])]


def rolled(record: Recorder, up_to: int = 10_000) -> None:
    """Roll up all whole hours and days."""
    first = round(START.timestamp()) * 1_000_000
    places = {f"{TOPIC}/0": up_to}
    for width, count in ((HOUR, 49), (DAY, 2)):
        for begin in range(0, count, 24):
            starts = [first + n * width for n in range(begin, min(begin + 24, count))]
            roll_up(record.store, ("m", "production"), width, starts, places)


def sums(record: Recorder, since: datetime, until: datetime, widest: int | None) -> list[dict[str, Any]]:
    """What adds up over a period; over its base windows without ``widest``."""
    windows = BASE if widest is None else BETWEEN
    return record.store.rows(
        SUMS.replace("{windows}", windows), {"since": since, "until": until, "widest": widest or 0}
    )


def widths(record: Recorder, since: datetime, until: datetime, widest: int = 86400) -> Counter[int]:
    """How many windows of each length, in minutes, the view has of the events."""
    rows = record.store.rows(
        f"SELECT DISTINCT window_start, window_end FROM {BETWEEN} WHERE column = '@events'",
        {"since": since, "until": until, "widest": widest},
    )
    return Counter(int((row["window_end"] - row["window_start"]).total_seconds()) // 60 for row in rows)


def write_windows(record: Recorder) -> None:
    """Two days and an hour of windows of 20 minutes."""
    record.insert(
        "sketches", itertools.chain.from_iterable(delta(START + n * MINUTES, n) for n in range(49 * 3))
    )
