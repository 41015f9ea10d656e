"""Which partitions wait for a person, kept in Kafka alone, so that it holds over restarts and without ClickHouse.

The pause is metadata of the recorder's own committed offset. The permission to go on is an offset committed to a second
group (`groups.resumption_group`): whoever reads both knows what holds, and neither needs a table, a topic or a clock.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

from producers.errors import BrokerUnavailable
from producers.settings import KafkaSettings
from producers.topics import topics
from stream_processors import kafka
from stream_processors.kafka import (
    Consumer,
    KafkaException,
    TopicPartition,
    committed_offsets,
    partition_counts,
    reader,
)
from stream_processors.recorder.groups import recorder_group, resumption_group
from stream_processors.unanswered import close, commit

FullPartition = tuple[str, int]


@dataclass(frozen=True)
class Pause:
    """A partition waits at ``offset``, and why."""

    topic: str
    partition: int
    offset: int
    why: str


def metadata(topic_id: str, pause: Pause | None) -> str:
    """What is committed beside an offset: of which topic it speaks, by Kafka's UUID, and the pause if it waits there."""
    said: dict[str, object] = {"topic_id": topic_id}
    if pause:
        said["paused"] = asdict(pause)
    return json.dumps(said, separators=(",", ":"))


def pause_in(place: TopicPartition) -> Pause | None:
    """The pause that a committed offset's metadata speaks of."""
    try:
        found = _said(place).get("paused")
        return Pause(**found) if found else None
    except TypeError:
        return None


def topic_id_in(place: TopicPartition) -> str:
    """The UUID of the topic that a committed offset speaks of; empty where it does not say."""
    return str(_said(place).get("topic_id", ""))


def _said(place: TopicPartition) -> dict[str, Any]:
    try:
        said = json.loads(place.metadata or "{}")
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def committed_places(client: Consumer, wanted: Iterable[FullPartition]) -> list[TopicPartition]:
    """This client's group's committed offsets with their metadata.

    Raises:
        BrokerUnavailable: no answer within 10 s.
    """
    try:
        return kafka.committed_places(client, [TopicPartition(*place) for place in wanted])
    except KafkaException as error:
        raise BrokerUnavailable(f"no committed offsets ({error.args[0].name()})") from None


def paused_partitions(settings: KafkaSettings) -> list[Pause]:
    """Partitions of the recorder that wait for a person.

    Raises:
        BrokerUnavailable: Kafka does not answer.
    """
    counts = partition_counts(settings)
    wanted = [
        (settings.topic(name), p) for name in topics() for p in range(counts.get(settings.topic(name), 0))
    ]
    client = reader(settings, group_id=recorder_group(settings))
    try:
        pauses = [pause for place in committed_places(client, wanted) if (pause := pause_in(place))]
    finally:
        client.close()
    with Resumptions(settings) as resumed:
        gone_on = resumed.offsets([(settings.topic(pause.topic), pause.partition) for pause in pauses])
    return [
        pause
        for pause in pauses
        if gone_on.get((settings.topic(pause.topic), pause.partition), -1) < pause.offset
    ]


def let_go_on(settings: KafkaSettings, pauses: Iterable[Pause]) -> None:
    """Let these partitions go on; the recorder sees it within seconds, or when it starts.

    Raises:
        BrokerUnavailable: Kafka does not take it.
    """
    places = [TopicPartition(settings.topic(one.topic), one.partition, one.offset) for one in pauses]
    client = reader(settings, group_id=resumption_group(settings))
    try:
        if places:
            commit(client, places)
    except KafkaException as error:
        raise BrokerUnavailable(f"Kafka does not take the resumption ({error.args[0].name()})") from None
    finally:
        close(client)


class Resumptions:
    """From which offsets partitions may go on."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._client = reader(settings, group_id=resumption_group(settings))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def offsets(self, wanted: Iterable[FullPartition]) -> Mapping[FullPartition, int]:
        """The offset of each partition that was ever let go on.

        Raises:
            BrokerUnavailable: no answer.
        """
        by_topic: dict[str, list[int]] = {}
        for topic, partition in wanted:
            by_topic.setdefault(topic, []).append(partition)
        return {
            (topic, partition): offset
            for topic, partitions in by_topic.items()
            for partition, offset in committed_offsets(self._client, topic, partitions).items()
        }
