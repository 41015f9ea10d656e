"""The partitions that this recorder holds now: where each stands, and which of them wait for a person."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from producers.errors import BrokerUnavailable
from producers.settings import KafkaSettings
from stream_processors.kafka import Consumer, KafkaException, TopicPartition
from stream_processors.recorder.brake import Brake
from stream_processors.recorder.dead_letters import LEFT, DeadLetter, gap
from stream_processors.recorder.pauses import (
    FullPartition,
    Pause,
    committed_places,
    metadata,
    pause_in,
    topic_id_in,
)
from stream_processors.topic_ids import TopicIds

_WATERMARKS_S = 10.0


@dataclass
class Holding:
    """One partition.

    Attributes:
        topic: without prefix.
        topic_id: Kafka's UUID of the topic.
        committed: the offset that the group's commit says, -1 for none; everything before it is recorded.
        recorded: the offset before which everything is recorded, whether or not Kafka has taken the commit.
        submitted: the offset before which everything is recorded or being written.
        end: the log's end when it was last looked at.
        confirmed_end: its end when it was last known to be the log of this topic id.
        pause: set while it waits for a person.
        lost: messages that left the log, or were deleted with their topic, before they were recorded.
        begins_unsaid: the log begins after offset 0 and no commit says how much of what stood before is recorded.
    """

    topic: str
    topic_id: str
    partition: int
    committed: int
    recorded: int
    submitted: int
    end: int
    confirmed_end: int
    pause: Pause | None = None
    lost: DeadLetter | None = None
    begins_unsaid: bool = False
    brake: Brake = field(default_factory=Brake)

    @property
    def name(self) -> str:
        """``topic-partition``."""
        return f"{self.topic}-{self.partition}"

    @property
    def standing_fault(self) -> str:
        """What is to be said until something is done; empty when all is well."""
        if self.pause:
            return f"{self.name} waits for `hindcast resume`: {self.pause.why}"
        return f"{self.name}: {self.lost.facts.detail}" if self.lost else ""

    @property
    def lag(self) -> int:
        """Offsets not yet recorded."""
        return max(0, self.end - max(self.committed, 0))


def take_hold(
    client: Consumer,
    settings: KafkaSettings,
    ids: TopicIds,
    assigned: Iterable[FullPartition],
    *,
    before: Mapping[FullPartition, Holding],
    now: int,
) -> dict[FullPartition, Holding]:
    """Learn what Kafka knows of assigned partitions.

    Args:
        client: the group member.
        settings: of our topics.
        ids: tells the topics' UUIDs.
        assigned: the partitions.
        before: what was known of those of them that never left this member's hands.
        now: microseconds since the epoch, for what is found to be lost.

    Raises:
        BrokerUnavailable: it does not answer; ask again.
    """
    places = committed_places(client, assigned)
    found = ids.of({place.topic for place in places}) if places else {}
    missing = {place.topic for place in places} - set(found)
    if missing:
        raise BrokerUnavailable(f"topic {min(missing)} is not there (any more)")
    return {
        key: _holding(client, settings, place, found[place.topic], before.get(key), now)
        for place in places
        for key in [(place.topic, place.partition)]
    }


def _holding(
    client: Consumer,
    settings: KafkaSettings,
    place: TopicPartition,
    topic_id: str,
    before: Holding | None,
    now: int,
) -> Holding:
    low, high = watermarks(client, place.topic, place.partition)
    name = place.topic.removeprefix(settings.topic(""))
    # a commit that speaks of a topic that was deleted since says nothing about the one of its name
    ours = topic_id_in(place) in {"", topic_id}
    committed = max(place.offset, -1) if ours else -1
    submitted = max(committed, low)
    pause = pause_in(place) if ours else None
    holding = Holding(name, topic_id, place.partition, committed, submitted, submitted, high, high, pause)
    holding.begins_unsaid = committed < 0 < low
    if 0 <= committed < low:
        holding.lost = _lost(holding, committed, low, now, LEFT)
    if before and before.topic_id != topic_id and before.recorded < before.confirmed_end:
        holding.lost = _lost(
            before, before.recorded, before.confirmed_end, now, "were deleted with their topic"
        )
    return holding


def _lost(holding: Holding, first: int, end: int, now: int, how: str) -> DeadLetter:
    return gap(holding.topic, holding.topic_id, holding.partition, first, end, now=now, how=how)


def watermarks(client: Consumer, topic: str, partition: int) -> tuple[int, int]:
    """First offset of the log and the offset after its last.

    Raises:
        BrokerUnavailable: no answer.
    """
    try:
        low, high = client.get_watermark_offsets(
            TopicPartition(topic, partition), timeout=_WATERMARKS_S, cached=False
        )
    except KafkaException as error:
        raise BrokerUnavailable(f"no end of {topic} ({error.args[0].name()})") from None
    return int(low), int(high)


def known_end(client: Consumer, topic: str, partition: int) -> int:
    """The log's end as the last fetch saw it, or -1: costs nothing."""
    try:
        high = client.get_watermark_offsets(TopicPartition(topic, partition), cached=True)[1]
    except KafkaException:
        return -1
    return int(high)


def to_commit(
    holdings: Mapping[FullPartition, Holding], positions: Mapping[FullPartition, int]
) -> list[TopicPartition]:
    """What a commit of these positions says: held partitions only, and forwards only."""
    return [
        place(key, holdings[key], offset)
        for key, offset in positions.items()
        if key in holdings and offset > holdings[key].committed
    ]


def place(key: FullPartition, holding: Holding, offset: int) -> TopicPartition:
    """One partition's offset to commit, with its topic's UUID, and its pause if it waits there."""
    waits = holding.pause is not None and holding.pause.offset == offset
    return TopicPartition(*key, offset, metadata=metadata(holding.topic_id, holding.pause if waits else None))
