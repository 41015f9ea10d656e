"""The recorder's road: topics, tables, and recorders as processes that can be killed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from recording_road import Road


@pytest.fixture
def road(kafka: str, clickhouse: str, topic_prefix: str, database: str, tmp_path: Path) -> Iterator[Road]:
    """Empty topics and tables; recorders started on it are stopped with it."""
    with Road(kafka, clickhouse, topic_prefix, database, tmp_path) as made:
        yield made
