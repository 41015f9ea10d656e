"""Why ClickHouse's `insert_deduplication_token` is not used: a server that dies at the wrong moment takes the repeat for a duplicate and loses rows."""

from __future__ import annotations

import os
import signal
import threading
from contextlib import suppress
from pathlib import Path

import pyarrow as pa
import pytest

from hindcast.local.clickhouse import pings, prepare_clickhouse
from hindcast.local.program import Running
from producers.errors import HindcastError
from stream_processors.clickhouse import Store
from stream_processors.settings import ClickHouseSettings

_PARTITIONS = 10
_ATTEMPTS = 1_000
_START_S = 120.0

_TABLE = f"""
CREATE TABLE tokens (batch UInt64, number UInt64) ENGINE = MergeTree PARTITION BY number % {_PARTITIONS} ORDER BY batch
SETTINGS non_replicated_deduplication_window = 100000, parts_to_throw_insert = 1000000, parts_to_delay_insert = 1000000
"""


def insert(store: Store, batch: int) -> None:
    """Insert one row into each partition, under the batch's token; nothing but the batch's own repeat may be taken for a duplicate."""
    rows = pa.table(
        {"batch": pa.repeat(pa.scalar(batch, pa.uint64()), _PARTITIONS), "number": range(_PARTITIONS)}
    )
    settings = {"deduplicate_insert": "enable", "insert_deduplication_token": f"batch {batch}"}
    store.insert("tokens", rows, query_id="", settings=settings)


def tokens_logged(log: Path) -> int:
    """How many tokens the table's log holds."""
    return log.read_bytes().count(b"\n")


def parts_there(data: Path) -> int:
    """How many parts are whole."""
    return sum(not part.name.startswith("tmp") for part in data.glob("*_*_*_*"))


def dies_between_token_and_part(server: Running, url: str, data: Path) -> int | None:
    """Insert batch after batch, hold the server still whenever it logs a token, and kill it where the part is not there yet.

    Returns the batch that was being inserted; None where no attempt met the moment.
    """
    store = Store(ClickHouseSettings(url, "default"))
    pid = server.pid

    def sent(batch: int) -> None:
        with suppress(HindcastError):
            insert(store, batch)

    log = data / "deduplication_logs" / "deduplication_log_1.txt"
    for batch in range(_ATTEMPTS):
        size = log.stat().st_size if log.exists() else 0
        inserting = threading.Thread(target=sent, args=(batch,))
        inserting.start()
        while inserting.is_alive():
            if not log.exists() or log.stat().st_size == size:
                continue
            os.kill(pid, signal.SIGSTOP)
            os.waitpid(pid, os.WUNTRACED)
            size = log.stat().st_size
            if tokens_logged(log) > parts_there(data):
                server.kill()
                inserting.join()
                return batch
            os.kill(pid, signal.SIGCONT)
        inserting.join()
    return None


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_a_token_loses_rows_that_were_acknowledged(tmp_path: Path) -> None:
    """The server dies after it logged a token and before the part is there: the repeat of the insert is acknowledged, and rows are missing for good."""
    url, program = prepare_clickhouse(tmp_path)
    server = Running(program)
    try:
        server.wait_until(lambda: pings(url), within=_START_S)
        store = Store(ClickHouseSettings(url, "default"))
        store.command(_TABLE)
        store.command("SYSTEM STOP MERGES tokens")
        [row] = store.rows(
            "SELECT data_paths[1] AS path FROM system.tables WHERE database = currentDatabase() AND name = 'tokens'"
        )
        batch = dies_between_token_and_part(server, url, Path(row["path"]))
        assert batch is not None
        server = Running(program)
        server.wait_until(lambda: pings(url), within=_START_S)
        insert(store, batch)
        [found] = store.rows(f"SELECT count() AS n FROM tokens WHERE batch = {batch}")
        assert found["n"] < _PARTITIONS
    finally:
        server.stop()
