"""A Kafka of their own for the tests that stop it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from own_kafka import OwnKafka


@pytest.fixture(scope="module")
def own_kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnKafka]:
    """A broker that runs at the beginning of the file's first test."""
    broker = OwnKafka(tmp_path_factory.mktemp("own_kafka"))
    yield broker
    broker.end()


@pytest.fixture(scope="module")
def kafka(own_kafka: OwnKafka) -> str:
    """Its address, in the place of the broker that all tests share."""
    return own_kafka.bootstrap
