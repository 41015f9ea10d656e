"""A road with a recorder and a profiler on it, for all tests of the room; each has models of its own."""

from __future__ import annotations

import subprocess
import sys
import uuid
from collections.abc import Iterator

import pytest
from kafka_topics import delete_topics
from reconciled_road import ReconciledRoad
from recording_road import REPOSITORY, Road


@pytest.fixture(scope="session")
def road(kafka: str, clickhouse: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ReconciledRoad]:
    """Topics, tables, a recorder and a profiler that flushes often."""
    name = f"t{uuid.uuid4().hex[:10]}"
    with Road(kafka, clickhouse, name, name, tmp_path_factory.mktemp("reconciled")) as made:
        made.start()
        profiler = subprocess.Popen(
            [sys.executable, "-m", "stream_processors.profiler"],
            env={**made.environment, "HINDCAST_FLUSH_INTERVAL": "0.3"},
            cwd=REPOSITORY,
            stderr=subprocess.DEVNULL,
        )
        yield ReconciledRoad(made)
        profiler.kill()
        profiler.wait(10)
        made.store.command(f"DROP DATABASE {name} SYNC")
    delete_topics(kafka, name)
