"""Roads for the monitor's tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from monitor_road import Road, made_road


@pytest.fixture
def road(kafka: str, clickhouse: str, topic_prefix: str, database: str, tmp_path: Path) -> Iterator[Road]:
    """A road with a recorder that runs in a thread; partitions: 2 of each topic."""
    with made_road(kafka, clickhouse, topic_prefix, database, tmp_path) as made:
        yield made


@pytest.fixture
def twin(kafka: str, clickhouse: str, topic_prefix: str, database: str, tmp_path: Path) -> Iterator[Road]:
    """Another road, beside `road`, for runs that are to end alike."""
    with made_road(kafka, clickhouse, f"{topic_prefix}twin", f"{database}_twin", tmp_path / "twin") as made:
        yield made
        made.store.command(f"DROP DATABASE {database}_twin SYNC")
