"""Bytes on disk of predictions in ClickHouse, merged, beside the same rows as an export writes them: Parquet with zstd."""

from __future__ import annotations

import sys
import tempfile
import uuid
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # run as a file: the checkout is not on the path

import numpy as np
import pyarrow as pa
from _ready_messages import Ready

from hindcast.move.files import TableWriter
from hindcast.move.reading import Reading, columns_of
from hindcast.move.tables import BY_NAME, Selection
from producers import PredictionLogger
from producers.testing import MemorySink
from stream_processors.clickhouse import Store
from stream_processors.contracts.effect import ContractHistory
from stream_processors.recorder.messages import Messages
from stream_processors.recorder.sorting import sort_messages
from stream_processors.recorder.table_partitions import pieces

PREDICTIONS = BY_NAME["predictions"]
_BATCH = 50_000


def flights() -> Iterator[bytes]:
    """The demo's predictions of a year of flights."""
    from hindcast.demo.flights import FEATURES, departures
    from hindcast.demo.story import MODEL, tell

    rows = tell(departures(), seed=1).predictions
    columns = {"entity_id": "tailnum", "known_at": "event_time"}
    for first in range(0, len(rows), _BATCH):
        sink = MemorySink()
        with PredictionLogger(
            model=MODEL, sink=sink, spool="", categorical=("carrier", "origin", "dest", "weekday")
        ) as log:
            log.predictions(rows[first : first + _BATCH], features=list(FEATURES), columns=columns, wait=60)
            log.flush()
        yield from (message.value for message in sink.messages if message.stream == "predictions")


def full_entropy(count: int) -> Iterator[bytes]:
    """Predictions of an hour with 20 features, each a double that no other value tells anything about."""
    chance = np.random.default_rng(1)
    began = datetime.now(UTC) - timedelta(hours=4)
    for first in range(0, count, _BATCH):
        many = min(_BATCH, count - first)
        rows = pa.table(
            {
                **{f"feature_{number}": chance.random(many) for number in range(20)},
                "event_time": pa.array(
                    [began + timedelta(microseconds=3.6e9 * (first + n) / count) for n in range(many)]
                ),
                "score": chance.random(many),
            }
        )
        sink = MemorySink()
        with PredictionLogger(model="random", model_version="1", sink=sink, spool="") as log:
            log.predictions(rows, features=[f"feature_{number}" for number in range(20)], wait=60)
            log.flush()
        yield from (message.value for message in sink.messages if message.stream == "predictions")


def insert(store: Store, values: Sequence[bytes], *, recorded_ago: float = 2) -> None:
    """Make rows of messages as a recorder did so many hours ago, and insert them: an hour later merges pack tighter."""
    now = int((datetime.now(UTC) - timedelta(hours=recorded_ago)).timestamp() * 1e3)
    for first in range(0, len(values), _BATCH):
        raw = [
            Ready(first + n, value, now + n // 100) for n, value in enumerate(values[first : first + _BATCH])
        ]
        part = sort_messages(
            Messages.of("predictions", "dG9waWMtb2YtdGhlLWJlbmNo", raw),
            ContractHistory(),
            recorded_at=now * 1000,
        )
        for rows in part.tables:
            for piece in pieces(rows) if rows.table == "predictions" else ():
                store.insert("predictions", piece.rows, query_id=uuid.uuid4().hex)


def on_disk(store: Store) -> int:
    """Bytes of the table's parts once every partition is merged."""
    store.command("OPTIMIZE TABLE predictions FINAL", settings={"mutations_sync": 2})
    return int(
        store.command(
            "SELECT sum(bytes_on_disk) FROM system.parts WHERE active AND table = 'predictions' AND database = currentDatabase()"
        )
    )


def as_parquet(store: Store) -> tuple[int, int]:
    """Rows, and bytes of them in the files of an export."""
    reading = Reading(PREDICTIONS, columns_of(store, "predictions"), Selection(), datetime.now(UTC))
    rows = size = 0
    with tempfile.TemporaryDirectory() as directory:
        with TableWriter(Path(directory), "predictions", 0) as writer:
            for page in reading.pages(store, reading.slices(store)):
                writer.write(page.rows)
                rows += page.rows.num_rows
            writer.finish()
        size = sum(path.stat().st_size for path in Path(directory).iterdir())
    return rows, size


def disk_against_parquet(store: Store, values: Sequence[bytes]) -> tuple[int, int, int]:
    """Rows, their bytes on disk, and in Parquet; the table is emptied before and after."""
    store.command("TRUNCATE TABLE predictions SYNC")
    insert(store, values)
    disk = on_disk(store)
    rows, parquet = as_parquet(store)
    assert rows == len(values), (rows, len(values))
    store.command("TRUNCATE TABLE predictions SYNC")
    return rows, disk, parquet
