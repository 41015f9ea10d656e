"""The known history, recorded once, and the read side's door to it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import urlsplit

import pytest
from known_history import KnownHistory, insert, known_history
from recorded_rows import Recorder, is_local_engine, migrated_record

from evaluation.analysts import analyst_statements, make_analyst
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


@pytest.fixture(scope="session")
def analyst(recorded: Recorder) -> str:
    """The address for a user who only reads: the local stack's own, or one made on a server."""
    if not is_local_engine(recorded.store):
        database = recorded.store.database
        make_analyst(recorded.store, analyst_statements("analyst", "", salt="0f" * 16, database=database))
    split = urlsplit(recorded.store.settings.url)
    return f"{split.scheme}://analyst:@{split.hostname}:{split.port}"


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
