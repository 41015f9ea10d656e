"""A database with every table, function and view, empty for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from recorded_rows import Recorder, migrated_record


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
