"""The recorder's road: topics, tables, and recorders as processes that can be killed."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from kafka_topics import delete_topics
from recording_road import Road

from producers.topics import topics
from stream_processors.recorder.sorting import TABLES


@pytest.fixture
def road(kafka: str, clickhouse: str, topic_prefix: str, database: str, tmp_path: Path) -> Iterator[Road]:
    """Empty topics and tables; recorders started on it are stopped with it."""
    with Road(kafka, clickhouse, topic_prefix, database, tmp_path) as made:
        yield made


@pytest.fixture(scope="session")
def recorded_road(kafka: str, clickhouse: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Road]:
    """A road with a recorder that runs, for all tests that need no more."""
    name = f"t{uuid.uuid4().hex[:10]}"
    with Road(kafka, clickhouse, name, name, tmp_path_factory.mktemp("recorder")) as made:
        made.start()
        yield made
        made.store.command(f"DROP DATABASE {name} SYNC")
    delete_topics(kafka, name)


@pytest.fixture
def running(recorded_road: Road) -> Road:
    """That road with empty tables. Offsets go on from test to test."""
    recorded_road.recorded(*topics())
    for table in {table for tables in TABLES.values() for table in tables}:
        recorded_road.store.command(f"TRUNCATE TABLE {table} SYNC")
    return recorded_road
