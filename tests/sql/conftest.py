"""A database with every table, function and view, empty for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from recorded_rows import Recorder, migrated_record
from rolled_windows import write_windows


@pytest.fixture(scope="session")
def recorder(clickhouse: str) -> Iterator[Recorder]:
    """A migrated database of this room's own."""
    with migrated_record(clickhouse) as made:
        yield made


@pytest.fixture
def record(recorder: Recorder) -> Iterator[Recorder]:
    """The same database without a row."""
    yield recorder
    recorder.clear()


@pytest.fixture
def days(record: Recorder) -> Iterator[Recorder]:
    """Two days and an hour of windows of 20 minutes."""
    write_windows(record)
    yield record
    record.store.command("TRUNCATE TABLE rollups")
