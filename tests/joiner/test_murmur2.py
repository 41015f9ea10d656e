"""Kafka's partitioner, against the values of Kafka's own test (UtilsTest.testMurmur2) and a broker's client."""

from __future__ import annotations

import pytest

from producers.kafka import producer_settings
from producers.settings import KafkaSettings
from producers.topics import topics
from stream_processors.joiner.murmur2 import murmur2, partition_of
from stream_processors.kafka import Producer, create_topics

_KNOWN = {
    b"21": -973932308,
    b"foobar": -790332482,
    b"a-little-bit-long-string": -985981536,
    b"a-little-bit-longer-string": -1486304829,
    b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
    b"abc": 479470107,
}


@pytest.mark.parametrize("data", _KNOWN)
def test_kafkas_own_values(data: bytes) -> None:
    """The hashes are those of Kafka's Java client."""
    assert murmur2(data) == _KNOWN[data] % (1 << 32)


def test_the_partition_is_where_our_producers_send_the_key(kafka: str, topic_prefix: str) -> None:
    """A model's partition of `labels` is the one that librdkafka's murmur2 chooses, so that one owner is agreed on."""
    settings = KafkaSettings(bootstrap=kafka, topic_prefix=topic_prefix)
    create_topics(settings, [topics()["labels"]])
    found: dict[str, int] = {}
    producer = Producer(producer_settings(settings))
    for model in ("flights", "é", "a/b", "", "x" * 33):
        producer.produce(
            settings.topic("labels"),
            b"",
            model.encode(),
            on_delivery=lambda _, message, model=model: found.update({model: message.partition()}),
        )
    producer.flush(10)
    del found[""]  # an empty key has no partition of its own
    assert found == {model: partition_of(model, 4) for model in found}
    assert len(found) == 4
