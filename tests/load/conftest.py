"""A file of history, and topics on the real Kafka."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet
import pytest
from kafka_topics import settings
from loaded_history import history

__all__ = ["settings"]


@pytest.fixture
def history_file(tmp_path: Path) -> Path:
    """That table as Parquet, in several row groups."""
    path = tmp_path / "history.parquet"
    pyarrow.parquet.write_table(history(5_000), path, row_group_size=1_700)
    return path
