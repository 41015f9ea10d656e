"""One gateway with everything as it comes, for tests that change nothing of it; topics on the real Kafka."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from running_gateway import RunningGateway, running_gateway

from producers.settings import KafkaSettings
from producers.topics import topics
from stream_processors.kafka import Message, TopicPartition, create_topics, end_offsets, reader


@pytest.fixture(scope="module")
def gateway() -> Iterator[RunningGateway]:
    """A gateway without keys, whose events go to memory."""
    with running_gateway() as running:
        yield running


@pytest.fixture
def settings(kafka: str, topic_prefix: str) -> KafkaSettings:
    """Kafka with all of our topics under a prefix of this test."""
    found = KafkaSettings(kafka, topic_prefix)
    create_topics(found, topics().values())
    return found


@pytest.fixture
def read_all(settings: KafkaSettings) -> Callable[[str], list[Message]]:
    """All messages of a topic (without prefix), up to the ends of this moment."""

    def read(name: str) -> list[Message]:
        client = reader(settings)
        topic = settings.topic(name)
        try:
            left = {p: end for p, end in end_offsets(client, topic, range(4)).items() if end > 0}
            client.assign([TopicPartition(topic, partition, 0) for partition in left])
            found: list[Message] = []
            while left:
                for message in client.consume(1000, timeout=0.2):
                    if message.error() is None:
                        found.append(message)
                        if message.offset() + 1 >= left[message.partition()]:
                            del left[message.partition()]
            return found
        finally:
            client.close()

    return read
