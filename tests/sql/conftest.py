"""A database with every table, function and view, empty for each test."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest
from recorded_rows import Recorder

from stream_processors.clickhouse import Store
from stream_processors.migrations import migrate
from stream_processors.settings import ClickHouseSettings


@pytest.fixture(scope="session")
def recorder(clickhouse: str) -> Iterator[Recorder]:
    """A migrated database of this room's own."""
    store = Store(ClickHouseSettings(url=clickhouse, database=f"t_{uuid.uuid4().hex[:12]}"))
    migrate(store)
    yield Recorder(store)
    store.command(f"DROP DATABASE {store.database} SYNC")
    store.close()


@pytest.fixture
def record(recorder: Recorder) -> Iterator[Recorder]:
    """The same database without a row."""
    yield recorder
    recorder.clear()
