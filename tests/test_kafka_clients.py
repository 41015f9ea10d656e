"""Clients of Kafka are gone with whoever made them: one that waits for Python's search for cycles may be found by a forked child, which it crashes."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from typing import Any

import pytest

from producers.errors import BrokerUnavailable
from producers.settings import KafkaSettings
from producers.topics import topics
from stream_processors import kafka as clients
from stream_processors import topic_ids as ids


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[weakref.ref[Any]]]:
    """Every admin client made, while nobody looks for cycles."""
    found: list[weakref.ref[Any]] = []

    class Watched(clients.AdminClient):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments)
            found.append(weakref.ref(self))

    monkeypatch.setattr(clients, "AdminClient", Watched)  # `admin` makes them all
    gc.disable()
    yield found
    gc.enable()


def test_what_kafka_refuses_keeps_no_client(
    kafka: str, topic_prefix: str, made: list[weakref.ref[Any]]
) -> None:
    """New topics, whose leaders do not answer at first, and topics that do not exist."""
    settings = KafkaSettings(kafka, topic_prefix)
    assert len(clients.create_topics(settings, topics().values())) == len(topics())
    with pytest.raises(BrokerUnavailable):
        ids.topic_ids(settings, ["nowhere"])
    assert len(made) >= 3
    assert [client for client in made if client() is not None] == []
