"""Topics on the real Kafka; a log in memory and a logger that writes to it."""

from __future__ import annotations

import gc
from collections.abc import Generator, Iterator

import pytest
from kafka_topics import read_all, settings

from producers import PredictionLogger
from producers.testing import MemorySink

__all__ = ["read_all", "settings"]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Generator[None, object, object]:
    """A child that a test forks must not collect what earlier tests left to Python's search for cycles: a client of Kafka among it has no threads there."""
    gc.freeze()
    try:
        return (yield)
    finally:
        gc.unfreeze()


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
