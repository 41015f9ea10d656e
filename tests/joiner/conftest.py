"""A joiner's road for a whole file, whose tests use a model each, and one of its own for a test that kills."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest
from joiner.joining_road import Road
from kafka_topics import delete_topics


@pytest.fixture(scope="module")
def road(kafka: str, clickhouse: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Road]:
    """Topics and tables with a recorder and a joiner at work."""
    name = uuid.uuid4().hex[:10]
    with Road(kafka, clickhouse, f"t{name}", f"t_{name}", tmp_path_factory.mktemp("joiner")) as made:
        made.start("recorder")
        made.start("joiner")
        yield made
        made.store.command(f"DROP DATABASE {made.store.database} SYNC")
    delete_topics(kafka, f"t{name}")


@pytest.fixture
def own_road(
    kafka: str, clickhouse: str, topic_prefix: str, database: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Road]:
    """Topics and tables without any process at work."""
    with Road(kafka, clickhouse, topic_prefix, database, tmp_path_factory.mktemp("joiner")) as made:
        yield made
