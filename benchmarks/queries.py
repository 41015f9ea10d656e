"""Point look-ups in ten million recorded predictions, warm, and what a drift and quality dashboard over 90 days asks of the sketches.

Look-ups go by the caller's id, by a UUIDv7 with the time that it holds, by entity and by trace, in `predictions_v` and as the named questions ask.
Predictions are of one model and of 90 days, a merged part each, as partitions are an hour after they have closed; an entity's ten are anywhere in
them. `engine_cpu_ms` is what a local engine used for one, which other work on the machine disturbs less. The dashboard reads 50 features of a model whose base window is a day, straight from
`feature_windows`; of a model with shorter windows it reads as many rows more. QUICK=1: a tenth of the predictions; ROWS=100000000: so many.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from services import running_clickhouse  # noqa: E402 - the tests know how to find servers

from evaluation.queries import find_query  # noqa: E402 - after the path
from stream_processors.clickhouse import Store  # noqa: E402 - after the path
from stream_processors.migrations import migrate  # noqa: E402 - after the path
from stream_processors.settings import ClickHouseSettings  # noqa: E402 - after the path

QUICK = os.environ.get("QUICK") == "1"
PREDICTIONS = int(os.environ.get("ROWS") or (1_000_000 if QUICK else 10_000_000))
ASKED = 20
DAYS, FEATURES, BINS, SOURCES = 90, 50, 200, 4

_PREDICTIONS = """
INSERT INTO predictions (prediction_id, entity_id, trace_id, model, model_version, environment, served, event_time, score, status, sampling_rate, known_at,
    retention_days, _topic_id, _partition, _offset, _rows, _appended_at, _recorded_at)
SELECT lower(hex(cityHash64(number))), concat('e', toString(cityHash64(number, 1) % {entities:UInt64})), lower(hex(sipHash128(intDiv(number, 2)))),
    'm', '1', 'production', true,
    toDateTime64(yesterday(), 6, 'UTC') - toIntervalDay({days_ago:UInt32}) + toIntervalMicrosecond((number - {first:UInt64}) * {step:UInt64}) AS at,
    number % 100 / 100, 'ok', 1., at, 0, 'p', 0, number, 1, at, at
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
_FEW_BY_ENTITY = "SELECT event_time, prediction_id, model_version, score, decision FROM predictions_v WHERE model = 'm' AND entity_id = {asked:String}"
_BY_TRACE = "SELECT * FROM predictions_v WHERE model = 'm' AND trace_id = {asked:String}"
_BY_ID_AND_TIME = (
    f"{_BY_ID} AND event_time >= {{at:DateTime64(6, 'UTC')}} AND event_time < {{at:DateTime64(6, 'UTC')}} + 1"
)


def say(measure: str, value: float, unit: str, **more: Any) -> None:
    """One JSON object a line."""
    print(json.dumps({"measure": measure, "value": round(value, 3), "unit": unit, **more}), flush=True)


def fill(store: Store) -> None:
    """90 days of predictions, a day at once and so in one part, and 90 days of sketches."""
    rows = PREDICTIONS // DAYS
    in_one_part = {"max_block_size": rows, "min_insert_block_size_rows": rows}
    for day in range(DAYS):
        store.command(
            _PREDICTIONS,
            {
                "entities": PREDICTIONS // 10,
                "days_ago": DAYS - day,
                "step": 86_400_000_000 // rows,
                "first": day * rows,
                "rows": rows,
            },
            in_one_part,
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
    store.command("OPTIMIZE TABLE sketches FINAL")


def timed(store: Store, sql: str, asked: list[dict[str, Any]]) -> tuple[float, dict[str, Any]]:
    """Median milliseconds of a question, asked once before it counts, and the CPU of a local engine for one."""
    found = []
    used = 0.0
    for number, parameters in enumerate([asked[0], *asked]):
        if number == 1:
            used = engine_cpu()
        began = time.perf_counter()
        rows = store.arrow(sql, parameters).num_rows
        found.append((time.perf_counter() - began) * 1000)
        if not rows:
            raise SystemExit(f"nothing found: {sql}")
    cpu = (engine_cpu() - used) * 1000 / len(asked)
    return statistics.median(found[1:]), {"engine_cpu_ms": round(cpu, 1)} if cpu else {}


def engine_cpu() -> float:
    """CPU seconds of this process's children; a server that was there before is none of them."""
    times = [child.cpu_times() for child in psutil.Process().children(recursive=True)]
    return float(sum(one.user + one.system for one in times))


def look_up(store: Store, by: str, sql: str, asked: list[dict[str, Any]]) -> None:
    """Time one kind of look-up and print it."""
    value, more = timed(store, sql, asked)
    say("query.lookup_ms", value, "ms", by=by, n=PREDICTIONS, **more)


def named(store: Store, name: str, parameter: str, asked: list[Any]) -> None:
    """The same of a named question about model m."""
    query, now = find_query(name), datetime.now(UTC)
    look_up(store, name, query.text, [query.bind({"model": "m", parameter: one}, now) for one in asked])


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
            "SELECT prediction_id, entity_id, trace_id, event_time FROM predictions ORDER BY cityHash64(_offset) LIMIT {n:UInt8}",
            {"n": ASKED},
        )
        of = {name: [row[name] for row in chosen] for name in chosen[0]}
        at = [{"asked": row["prediction_id"], "at": row["event_time"]} for row in chosen]
        look_up(store, "id and time", _BY_ID_AND_TIME, at)
        look_up(store, "id", _BY_ID, [{"asked": one} for one in of["prediction_id"]])
        look_up(store, "entity", _BY_ENTITY, [{"asked": one} for one in of["entity_id"]])
        look_up(store, "entity, five columns", _FEW_BY_ENTITY, [{"asked": one} for one in of["entity_id"]])
        look_up(store, "trace", _BY_TRACE, [{"asked": one} for one in of["trace_id"]])
        named(store, "prediction_record", "prediction_id", of["prediction_id"])
        named(store, "entity_history", "entity", of["entity_id"])
        named(store, "answers_to_request", "trace", of["trace_id"])
        value, more = timed(store, _DASHBOARD, [{}] * 5)
        say("query.dashboard_90d_s", value / 1000, "s", days=DAYS, features=FEATURES, base="1d", **more)
        store.close()


if __name__ == "__main__":
    main()
