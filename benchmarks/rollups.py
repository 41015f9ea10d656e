"""A question about many days of one-minute windows, answered from the base windows and from hours and days, and what rolling these up costs.

50 features whose minutes hold 20 to 60 bins each; both answers are compared. QUICK=1: one day.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from services import running_clickhouse  # noqa: E402 - the tests know how to find servers

from stream_processors.clickhouse import Store  # noqa: E402 - after the path
from stream_processors.migrations import migrate  # noqa: E402 - after the path
from stream_processors.monitor.rolling_up import roll_up  # noqa: E402 - after the path
from stream_processors.settings import ClickHouseSettings  # noqa: E402 - after the path
from stream_processors.windows import DAY, HOUR  # noqa: E402 - after the path

DAYS = 1 if os.environ.get("QUICK") == "1" else 7
FEATURES = 50
START = datetime(2024, 3, 1, tzinfo=UTC)
ROWS_A_DAY = 1_440 * (FEATURES + 1)

_MINUTES = """
INSERT INTO sketches (kind, model, model_version, environment, served, sampling_rate, shape, slice, window_start, window_end, topic_id, source_partition,
    first_offset, next_offset, part, parts, column, column_kind, events, precision, bins, counts, sum, sum_of_squares, min, max,
    _topic_id, _partition, _offset, _row, _rows, _appended_at, _recorded_at)
WITH intDiv(number, {columns:UInt64}) AS minute, number % {columns:UInt64} AS place, 20 + cityHash64(number) % 40 AS bins_of_it
SELECT 'delta', 'm', '1', 'production', true, 1., 's', '', {start:DateTime64(6, 'UTC')} + toIntervalMinute(minute) AS at, at + toIntervalMinute(1),
    'p', 0, minute, minute + 1, 0, 1, if(place = 0, '@events', concat('f', toString(place))), if(place = 0, 'events', 'numeric'),
    if(place = 0, 100, 0), 7, if(place = 0, [], arrayMap(i -> 64. + i, range(bins_of_it))),
    if(place = 0, [], arrayMap(i -> toInt64(1 + cityHash64(number, i) % 5), range(bins_of_it))), 1., 1., 64., 124.,
    's', 0, minute, place, {columns:UInt64}, at, at
FROM numbers({first:UInt64}, {rows:UInt64})
"""
_QUESTION = """
SELECT column, sum(n) AS n, sum(sum) AS total, sumMap(bins, counts) AS histogram
FROM feature_windows_between(model = 'm', environment = 'production', since = {since:DateTime64(6, 'UTC')}, until = {until:DateTime64(6, 'UTC')},
    widest = {widest:UInt32})
WHERE slice = '' AND column_kind = 'numeric'
GROUP BY column ORDER BY column
"""


def say(measure: str, value: float, unit: str, **more: Any) -> None:
    """One JSON object a line."""
    print(json.dumps({"measure": measure, "value": round(value, 3), "unit": unit, **more}), flush=True)


def asked(store: Store, widest: int) -> tuple[float, list[dict[str, Any]]]:
    """Seconds of the question, the better of two, and its answer."""
    found, best = [], float("inf")
    for _ in range(2):
        began = time.perf_counter()
        found = store.rows(
            _QUESTION, {"since": START, "until": START + timedelta(days=DAYS), "widest": widest}
        )
        best = min(best, time.perf_counter() - began)
    return best, found


def rolled(store: Store, width: int) -> float:
    """Seconds that rolling up all windows of a width takes."""
    first, count = round(START.timestamp()) * 1_000_000, DAYS * DAY // width
    began = time.perf_counter()
    for begin in range(0, count, 24):
        starts = [first + number * width for number in range(begin, min(begin + 24, count))]
        roll_up(store, ("m", "production"), width, starts, {"s/0": DAYS * ROWS_A_DAY})
    return time.perf_counter() - began


def main() -> None:
    """Fill, ask, roll up, ask again."""
    with tempfile.TemporaryDirectory() as directory, running_clickhouse(Path(directory)) as url:
        store = Store(ClickHouseSettings(url=url, database="bench"), timeout=900)
        migrate(store)
        for day in range(DAYS):
            store.command(
                _MINUTES,
                {"start": START, "columns": FEATURES + 1, "first": day * ROWS_A_DAY, "rows": ROWS_A_DAY},
            )
        shape = {"days": DAYS, "features": FEATURES, "base": "1m"}
        base, answer = asked(store, 0)
        say("rollups.hour_ms", 1000 * rolled(store, HOUR) / (DAYS * 24), "ms", per="hour", **shape)
        say("rollups.day_ms", 1000 * rolled(store, DAY) / DAYS, "ms", per="day", **shape)
        short, same = asked(store, 86400)
        if same != answer:
            raise SystemExit("roll-ups answer otherwise than base windows")
        say("rollups.question_s", short, "s", base_s=round(base, 3), **shape)
        say("rollups.times_faster", base / short, "ratio", **shape)
        store.close()


if __name__ == "__main__":
    main()
