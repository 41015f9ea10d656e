"""A topic that is deleted and made again: its messages are counted from its beginning, under its own UUID."""

from __future__ import annotations

from typing import Any

import pytest
from confluent_kafka import ConsumerGroupTopicPartitions
from kafka_topics import make_topic_anew
from profiled_log import SketchLog, numbered, send
from running_profiler import all_read, running_profiler
from waiting import eventually

from producers.settings import KafkaSettings
from stream_processors.kafka import TopicPartition, admin, committed_offsets, reader
from stream_processors.topic_ids import topic_ids


def uuid(settings: KafkaSettings) -> str:
    """The topic's of now."""
    topic = settings.topic("predictions")
    return topic_ids(settings, [topic])[topic]


def stretches_of(settings: KafkaSettings, topic_id: str) -> list[dict[str, Any]]:
    """Those of one topic, as one partition of ``sketches`` has them."""
    return [one for one in SketchLog.of(settings).stretches.get(0, []) if one["topic_id"] == topic_id]


def assert_tiled(settings: KafkaSettings, topic_id: str, events: int) -> None:
    """The stretches of this topic begin at 0, follow one another, and count so many events; its deltas count them too."""
    place = dict.fromkeys(range(3), 0)
    stretches = stretches_of(settings, topic_id)
    for one in stretches:
        assert one["first_offset"] == place[one["source_partition"]]
        place[one["source_partition"]] = one["next_offset"]
    assert sum(one["events"] for one in stretches) == events
    deltas = [
        one for one in SketchLog.of(settings).deltas if one["topic_id"] == topic_id and not one["slice"]
    ]
    assert sum(one["events"] for one in deltas) == events


@pytest.mark.parametrize("fresh", [40, 900], ids=["fewer than before", "more than before"])
def test_made_anew_while_the_profiler_runs(settings: KafkaSettings, fresh: int) -> None:
    """It is noticed at the next flush, nothing of the new one is counted as the old one's, and nothing is passed over."""
    send(settings, numbered(300))
    with running_profiler(settings):
        all_read(settings)
        old = uuid(settings)
        make_topic_anew(settings, "predictions", partitions=3)
        new = uuid(settings)
        send(settings, numbered(fresh, first=5000))
        eventually(
            lambda: sum(one["events"] for one in stretches_of(settings, new)) == fresh,
            within=60,
            saying="the new topic is profiled",
        )
    assert_tiled(settings, old, 300)
    assert_tiled(settings, new, fresh)


def test_an_offset_committed_in_the_old_topic_is_void(settings: KafkaSettings) -> None:
    """A commit that reaches Kafka after the topic was made anew speaks of the old one: the new one is read from its beginning."""
    send(settings, numbered(300))
    with running_profiler(settings):
        all_read(settings)
    old = uuid(settings)
    make_topic_anew(settings, "predictions", partitions=3)
    places = [TopicPartition(settings.topic("predictions"), partition, 20, old) for partition in range(3)]
    group = ConsumerGroupTopicPartitions(settings.topic("profiler"), places)
    client = admin(settings)
    reading = reader(settings, group_id=group.group_id)

    def taken() -> bool:
        # the profiler counts as a member until its session has ended
        client.alter_consumer_group_offsets([group])[group.group_id].result()
        return committed_offsets(reading, settings.topic("predictions"), range(3)) == dict.fromkeys(
            range(3), 20
        )

    eventually(taken, within=30, saying="Kafka lets the group's offsets be changed")
    reading.close()
    send(settings, numbered(200, first=5000))
    with running_profiler(settings):
        eventually(
            lambda: sum(one["events"] for one in stretches_of(settings, uuid(settings))) == 200,
            within=60,
            saying="the new topic is profiled",
        )
    assert_tiled(settings, uuid(settings), 200)
