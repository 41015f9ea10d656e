"""One gateway with everything as it comes, for tests that change nothing of it; topics on the real Kafka."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from kafka_topics import read_all, settings
from running_gateway import RunningGateway, running_gateway

__all__ = ["read_all", "settings"]


@pytest.fixture(scope="module")
def gateway() -> Iterator[RunningGateway]:
    """A gateway without keys, whose events go to memory."""
    with running_gateway() as running:
        yield running
