"""Topics on the real Kafka; a log in memory and a logger that writes to it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from kafka_topics import read_all, settings

from producers import PredictionLogger
from producers.testing import MemorySink

__all__ = ["read_all", "settings"]


@pytest.fixture
def sink() -> MemorySink:
    """A log in memory."""
    return MemorySink()


@pytest.fixture
def log(sink: MemorySink) -> Iterator[PredictionLogger]:
    """A logger that writes to it."""
    made = PredictionLogger(model="m", model_version="1", sink=sink)
    yield made
    made.close(1)
