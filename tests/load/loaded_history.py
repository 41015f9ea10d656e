"""A file of history, and what its columns are."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa

from hindcast.load.file_rows import FileRows
from hindcast.load.mapping import FileMapping, LoadMapping

START = datetime(2025, 6, 1, tzinfo=UTC)
DIGEST = "ab" * 32


def history(rows: int) -> pa.Table:
    """A warehouse's table: a prediction a second, and what came of nearly all."""
    chance = np.random.default_rng(1)
    times = int(START.timestamp() * 1e6) + np.arange(rows) * 1_000_000
    return pa.table(
        {
            "scored_at": pa.array(times, pa.timestamp("us", "UTC")),
            "tenure": pa.array(chance.normal(size=rows), mask=chance.random(rows) < 0.1),
            "plan": pa.array(np.where(chance.random(rows) < 0.5, "basic", "plus")),
            "zip": chance.integers(0, 9, rows),
            "p": chance.random(rows),
            "churned": pa.array(chance.random(rows) < 0.1, mask=chance.random(rows) < 0.05),
        }
    )


def predictions_mapping(**more: Any) -> LoadMapping:
    """What its columns are."""
    told: dict[str, Any] = {
        "columns": {"event_time": "scored_at", "score": "p"},
        "features": ("tenure", "plan", "zip"),
        "categorical": ("zip",),
        **more,
    }
    return LoadMapping("prediction", "churn", **told)


def file_rows(asked: LoadMapping, table: pa.Table, digest: str = DIGEST) -> FileRows:
    """Events of a table as if it were a file."""
    return FileRows(FileMapping(asked, table.schema, "history.parquet"), digest)
