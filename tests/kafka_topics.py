"""Fixtures of several rooms: topics on the real Kafka, and a way to read all that stands in them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
from waiting import eventually

from producers.errors import ConfigError
from producers.settings import KafkaSettings
from producers.topics import topics
from stream_processors.kafka import (
    Message,
    TopicPartition,
    admin,
    create_topics,
    end_offsets,
    partition_counts,
    reader,
)

ReadAll = Callable[[str], list[Message]]


@pytest.fixture
def settings(kafka: str, topic_prefix: str) -> KafkaSettings:
    """Kafka with all of our topics under a prefix of this test."""
    found = KafkaSettings(kafka, topic_prefix)
    create_topics(found, topics().values())
    return found


def delete_topics(bootstrap: str, prefix: str) -> None:
    """Delete all topics below a prefix: a broker that many tests share must not carry their partitions to the end (350 tests' fill its memory)."""
    settings = KafkaSettings(bootstrap, prefix)
    names = [name for name in partition_counts(settings) if name.startswith(prefix)]
    if names:
        client = admin(settings)  # kept: without it nothing answers
        for future in client.delete_topics(names).values():
            future.exception(timeout=60)


def delete_topic(settings: KafkaSettings, name: str) -> None:
    """Delete a topic (without prefix); its name may be taken again soon after."""
    client = admin(settings)
    for future in client.delete_topics([settings.topic(name)]).values():
        future.result(timeout=30)


def make_topic_anew(
    settings: KafkaSettings, name: str, *, partitions: int = 4, meanwhile: Callable[[], None] = lambda: None
) -> None:
    """Delete a topic and create it again, empty: other offsets, another UUID."""
    delete_topic(settings, name)
    meanwhile()

    def made() -> bool:
        try:
            return bool(create_topics(settings, [topics()[name]], partitions=partitions))
        except ConfigError:  # of a topic that is being deleted
            return False

    eventually(made, within=20, saying=f"{name} is made anew")


def read_topic(settings: KafkaSettings, name: str) -> list[Message]:
    """All messages of a topic (without prefix), partition by partition, up to the ends of this moment."""
    client, topic = reader(settings), settings.topic(name)
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


@pytest.fixture
def read_all(settings: KafkaSettings) -> ReadAll:
    """`read_topic` of this test's topics."""
    return partial(read_topic, settings)
