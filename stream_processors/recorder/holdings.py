"""The partitions that this recorder holds now: where each stands, and which of them wait for a person."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from producers.errors import BrokerUnavailable
from producers.settings import KafkaSettings
from stream_processors.kafka import Consumer, KafkaException, TopicPartition, topic_ids
from stream_processors.recorder.brake import Brake
from stream_processors.recorder.dead_letters import EXPIRED, DeadLetter, Facts
from stream_processors.recorder.pauses import FullPartition, Pause, committed_places, pause_in

_WATERMARKS_S = 10.0


@dataclass
class Holding:
    """One partition.

    Attributes:
        topic: without prefix.
        topic_id: Kafka's UUID of the topic.
        committed: the offset that the group's commit says, -1 for none; everything before it is recorded.
        submitted: the offset before which everything is recorded or being written.
        end: the log's end when it was last looked at.
        pause: set while it waits for a person.
        lost: messages that the log dropped before they were recorded.
    """

    topic: str
    topic_id: str
    partition: int
    committed: int
    submitted: int
    end: int
    pause: Pause | None = None
    lost: DeadLetter | None = None
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
    client: Consumer, settings: KafkaSettings, assigned: Iterable[FullPartition]
) -> dict[FullPartition, Holding]:
    """Learn what Kafka knows of freshly assigned partitions.

    Raises:
        BrokerUnavailable: it does not answer; ask again.
    """
    places = committed_places(client, assigned)
    ids = topic_ids(settings, sorted({place.topic for place in places})) if places else {}
    return {
        (place.topic, place.partition): _holding(client, settings, place, ids[place.topic])
        for place in places
    }


def _holding(client: Consumer, settings: KafkaSettings, place: TopicPartition, topic_id: str) -> Holding:
    low, high = watermarks(client, place.topic, place.partition)
    name = place.topic.removeprefix(settings.topic(""))
    committed = max(place.offset, -1)
    submitted = max(committed, low)
    holding = Holding(name, topic_id, place.partition, committed, submitted, high, pause_in(place))
    if 0 <= place.offset < low:
        detail = f"offsets {place.offset} to {low - 1} left the log before they were recorded"
        facts = Facts(name, topic_id, place.partition, place.offset, 0, EXPIRED, detail)
        holding.lost = DeadLetter(facts, None, None)
    return holding


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
    """One partition's offset to commit, with its pause if it waits there."""
    waits = holding.pause is not None and holding.pause.offset == offset
    return TopicPartition(*key, offset, metadata=holding.pause.metadata() if holding.pause and waits else "")
