"""Label facts a second that become encoded outcomes: looked up among ten million recorded predictions, matched and encoded.

Everything between the record and the producer's queue, on one ClickHouse. Facts come weeks after their predictions, in random order;
ids are UUIDv7, or the caller's own without a time in them, which costs a search of all predictions; and UUIDv7 again where
each of two versions scored half of the ids, so that all are searched for one of the other. QUICK=1: a tenth of both.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
import uuid
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from services import running_clickhouse  # noqa: E402 - the tests know how to find servers

from producers.schema_files import newest  # noqa: E402 - after the path
from stream_processors.clickhouse import Store  # noqa: E402 - after the path
from stream_processors.contracts.effect import ContractHistory  # noqa: E402 - after the path
from stream_processors.joiner.looking_up import outcomes_of  # noqa: E402 - after the path
from stream_processors.joiner.publishing import encoded  # noqa: E402 - after the path
from stream_processors.joiner.ranges import Range  # noqa: E402 - after the path
from stream_processors.joiner.record import Stretch  # noqa: E402 - after the path
from stream_processors.joiner.versions import Versions  # noqa: E402 - after the path
from stream_processors.migrations import migrate  # noqa: E402 - after the path
from stream_processors.settings import ClickHouseSettings  # noqa: E402 - after the path

QUICK = os.environ.get("QUICK") == "1"
PREDICTIONS = 1_000_000 if QUICK else 10_000_000
FACTS = PREDICTIONS // 10
# what one look takes at most: 50,000 of each of four partitions
BATCH = 200_000

# Four weeks of predictions, ended yesterday; the id is a UUIDv7 of the event's millisecond, or its number.
_SAID = """
SELECT
    {id} AS prediction_id, 'm' AS model, {version} AS model_version, 'production' AS environment, true AS served,
    toDateTime64(yesterday(), 6, 'UTC') - toIntervalDay(28) + toIntervalMicrosecond(number * {step}) AS event_time,
    number % 100 / 100 AS score, 'ok' AS status, 1. AS sampling_rate, event_time AS known_at, 90 AS retention_days,
    'p' AS _topic_id, 0 AS _partition, number AS _offset, 1 AS _rows, event_time AS _appended_at, event_time AS _recorded_at
"""
_UUID7 = """lower(concat(
    substring(leftPad(hex(toUnixTimestamp64Milli(event_time)), 12, '0') AS ms, 1, 8), '-', substring(ms, 9, 4), '-7000-8000-',
    leftPad(hex(number), 12, '0')
))"""
_TOLD = """
SELECT
    toString(cityHash64(prediction_id)) AS label_id, prediction_id, 'm' AS model, 'truth' AS kind, 'true' AS truth,
    now64(6) AS reported_at, reported_at AS known_at,
    'l' AS _topic_id, 0 AS _partition, rowNumberInAllBlocks() AS _offset, 1 AS _rows, reported_at AS _appended_at, reported_at AS _recorded_at
FROM (SELECT prediction_id FROM predictions WHERE cityHash64(_offset) % 10 = 0 ORDER BY cityHash64(prediction_id) LIMIT {facts})
"""
_COLUMNS = "prediction_id, model, model_version, environment, served, event_time, score, status, sampling_rate, known_at, retention_days"
_PLACE = "_topic_id, _partition, _offset, _rows, _appended_at, _recorded_at"


def fill(store: Store, ids: str, version: str) -> None:
    """Predictions and facts, made by ClickHouse itself."""
    for table in ("predictions", "labels"):
        store.command(f"TRUNCATE TABLE {table} SYNC")
    said = (
        _SAID.format(id=ids, version=version, step=28 * 86_400_000_000 // PREDICTIONS)
        + f"FROM numbers({PREDICTIONS})"
    )
    store.command(f"INSERT INTO predictions ({_COLUMNS}, {_PLACE}) SELECT {_COLUMNS}, {_PLACE} FROM ({said})")
    facts = "label_id, prediction_id, model, kind, truth, reported_at, known_at"
    store.command(
        f"INSERT INTO labels ({facts}, {_PLACE}) SELECT {facts}, {_PLACE} FROM ({_TOLD.format(facts=FACTS)})"
    )


def joined(store: Store) -> tuple[int, float]:
    """How many outcomes were made, in how many seconds."""
    total = store.command("SELECT count() FROM labels")
    versions = Versions(store, "p")
    made, began = 0, time.monotonic()
    for first in range(0, total, BATCH):
        rows = outcomes_of(
            Stretch(store, "labels", "l", {0: Range(first, first + BATCH)}),
            ContractHistory(),
            lambda models: versions.of(models, {}),
        )
        if rows is not None:
            made += len(encoded(rows, newest("outcome")))
    return made, time.monotonic() - began


def main() -> int:
    """Print one line for each kind of id."""
    with tempfile.TemporaryDirectory() as directory, running_clickhouse(Path(directory)) as url:
        store = Store(ClickHouseSettings(url=url, database=f"bench_{uuid.uuid4().hex[:8]}"), timeout=600)
        migrate(store)
        try:
            for name, ids, version in (
                ("uuid7_labels_per_s", _UUID7, "'1'"),
                ("other_labels_per_s", "toString(cityHash64(number))", "'1'"),
                ("two_versions_labels_per_s", _UUID7, "toString(1 + number % 2)"),
            ):
                fill(store, ids, version)
                made, seconds = joined(store)
                line = {
                    "measure": f"joiner.{name}",
                    "value": round(made / seconds),
                    "unit": "labels/s",
                    "n": made,
                }
                print(json.dumps(line), flush=True)
        finally:
            store.command(f"DROP DATABASE {store.database} SYNC")
    return 0


if __name__ == "__main__":
    sys.exit(main())
