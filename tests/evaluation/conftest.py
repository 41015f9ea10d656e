"""The known history, recorded once, and the read side's door to it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from known_history import KnownHistory, insert, known_history
from recorded_rows import Recorder, migrated_record

from evaluation.history import History


@pytest.fixture(scope="session")
def known() -> KnownHistory:
    """What was inserted."""
    return known_history()


@pytest.fixture(scope="session")
def recorded(clickhouse: str, known: KnownHistory) -> Iterator[Recorder]:
    """A database that holds the known history."""
    with migrated_record(clickhouse) as record:
        insert(known, record)
        yield record


@pytest.fixture(scope="session")
def history(recorded: Recorder) -> Iterator[History]:
    """The door to it."""
    with History(replace(recorded.store.settings)) as door:
        yield door


@pytest.fixture(scope="module")
def record(clickhouse: str) -> Iterator[Recorder]:
    """A database for questions whose rows each test brings."""
    with migrated_record(clickhouse) as made:
        yield made


@pytest.fixture
def ask(record: Recorder) -> Iterator[History]:
    """The door to it, without rows before and after."""
    with History(record.store.settings) as door:
        yield door
    record.clear()
