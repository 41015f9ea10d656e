"""Point look-ups in ten million recorded predictions, warm, and what a drift and quality dashboard over 90 days asks of the sketches.

Look-ups go by the caller's id, by a UUIDv7 with the time that it holds, and by entity. The dashboard reads 50 features of a model whose base window is a day, straight from
`feature_windows`; of a model with shorter windows it reads as many rows more. QUICK=1: a tenth of the predictions.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from services import running_clickhouse  # noqa: E402 - the tests know how to find servers

from stream_processors.clickhouse import Store  # noqa: E402 - after the path
from stream_processors.migrations import migrate  # noqa: E402 - after the path
from stream_processors.settings import ClickHouseSettings  # noqa: E402 - after the path

QUICK = os.environ.get("QUICK") == "1"
PREDICTIONS = 1_000_000 if QUICK else 10_000_000
ASKED = 20
DAYS, FEATURES, BINS, SOURCES = 90, 50, 200, 4

_PREDICTIONS = """
INSERT INTO predictions (prediction_id, entity_id, model, model_version, environment, served, event_time, score, status, sampling_rate, known_at,
    retention_days, _topic_id, _partition, _offset, _rows, _appended_at, _recorded_at)
SELECT lower(hex(cityHash64(number))), concat('e', toString(cityHash64(number) % {entities:UInt64})), 'm', '1', 'production', true,
    toDateTime64(yesterday(), 6, 'UTC') - toIntervalDay(28) + toIntervalMicrosecond(number * {step:UInt64}) AS at, number % 100 / 100, 'ok', 1., at,
    90, 'p', 0, number, 1, at, at
FROM numbers({first:UInt64}, {rows:UInt64})
"""
_SKETCHES = """
INSERT INTO sketches (kind, model, model_version, environment, served, sampling_rate, shape, slice, window_start, window_end, topic_id, source_partition,
    first_offset, next_offset, part, parts, column, column_kind, events, precision, bins, counts, sum, sum_of_squares, min, max,
    _topic_id, _partition, _offset, _row, _rows, _appended_at, _recorded_at)
SELECT 'delta', 'm', '1', 'production', true, 1., 's', '', toDateTime64(yesterday(), 6, 'UTC') - toIntervalDay(intDiv(number, {per_day:UInt64}) + 1) AS start,
    start + toIntervalDay(1), 'p', intDiv(number, {features:UInt64}) % {sources:UInt64}, number, number + 1, 0, 1,
    concat('f', toString(number % {features:UInt64})), 'numeric', 0, 7,
    arrayMap(i -> 64. + i, range({bins:UInt64})), arrayMap(i -> toInt64(1 + cityHash64(number, i) % 1000), range({bins:UInt64})), 1., 1., 64., 264.,
    's', 0, number, 0, 1, start, start
FROM numbers({rows:UInt64})
"""
_DASHBOARD = """
SELECT window_start, column, sum(n) AS n, sum(nulls) AS nulls, avg(mean) AS mean, any(bins) AS bins, any(counts) AS counts
FROM feature_windows
WHERE model = 'm' AND environment = 'production' AND slice = '' AND served AND window_start >= yesterday() - 91
GROUP BY window_start, column
"""
_BY_ID = "SELECT * FROM predictions_v WHERE model = 'm' AND prediction_id = {asked:String}"
_BY_ENTITY = "SELECT * FROM predictions_v WHERE model = 'm' AND entity_id = {asked:String}"
_BY_ID_AND_TIME = (
    f"{_BY_ID} AND event_time >= {{at:DateTime64(6, 'UTC')}} AND event_time < {{at:DateTime64(6, 'UTC')}} + 1"
)


def say(measure: str, value: float, unit: str, **more: Any) -> None:
    """One JSON object a line."""
    print(json.dumps({"measure": measure, "value": round(value, 3), "unit": unit, **more}), flush=True)


def fill(store: Store) -> None:
    """Four weeks of predictions in the order of their time, and 90 days of sketches."""
    step, at_once = 28 * 86_400_000_000 // PREDICTIONS, 500_000
    for first in range(0, PREDICTIONS, at_once):
        store.command(
            _PREDICTIONS,
            {"entities": PREDICTIONS // 10, "step": step, "first": first, "rows": at_once},
            {"max_partitions_per_insert_block": 0},
        )
    store.command(
        _SKETCHES,
        {
            "per_day": FEATURES * SOURCES,
            "features": FEATURES,
            "sources": SOURCES,
            "bins": BINS,
            "rows": DAYS * FEATURES * SOURCES,
        },
        {"max_partitions_per_insert_block": 0},
    )
    # merged, as partitions are an hour after they have closed
    for table in ("predictions", "sketches"):
        store.command(f"OPTIMIZE TABLE {table} FINAL")


def timed(store: Store, sql: str, asked: list[dict[str, Any]]) -> float:
    """Median milliseconds of a question, asked once before it counts."""
    found = []
    for parameters in [asked[0], *asked]:
        began = time.perf_counter()
        rows = store.arrow(sql, parameters).num_rows
        found.append((time.perf_counter() - began) * 1000)
        if not rows:
            raise SystemExit(f"nothing found: {sql}")
    return statistics.median(found[1:])


def main() -> None:
    """Fill a store, ask, print."""
    with (
        tempfile.TemporaryDirectory() as directory,
        running_clickhouse(Path(directory)) as url,
    ):
        store = Store(ClickHouseSettings(url=url, database="bench"), timeout=900)
        migrate(store)
        fill(store)
        chosen = store.rows(
            "SELECT prediction_id, entity_id, event_time FROM predictions ORDER BY cityHash64(_offset) LIMIT {n:UInt8}",
            {"n": ASKED},
        )
        ids = [{"asked": row["prediction_id"]} for row in chosen]
        at = [{"asked": row["prediction_id"], "at": row["event_time"]} for row in chosen]
        entities = [{"asked": row["entity_id"]} for row in chosen]
        say("query.lookup_ms", timed(store, _BY_ID_AND_TIME, at), "ms", by="id and time", n=PREDICTIONS)
        say("query.lookup_ms", timed(store, _BY_ID, ids), "ms", by="id", n=PREDICTIONS)
        say("query.lookup_ms", timed(store, _BY_ENTITY, entities), "ms", by="entity", n=PREDICTIONS)
        seconds = timed(store, _DASHBOARD, [{}] * 5) / 1000
        say("query.dashboard_90d_s", seconds, "s", days=DAYS, features=FEATURES, base="1d")
        store.close()


if __name__ == "__main__":
    main()
