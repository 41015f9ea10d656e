"""Kafka messages of one topic as columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from operator import itemgetter, methodcaller
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]

_topic, _partition, _offset, _timestamp, _value = map(
    methodcaller, ("topic", "partition", "offset", "timestamp", "value")
)
_milliseconds = itemgetter(1)


class KafkaMessage(Protocol):
    """What is read of a consumed message (confluent-kafka's ``Message`` has it)."""

    def topic(self) -> str | None:
        """Full name of the topic."""

    def partition(self) -> int | None:
        """The partition."""

    def offset(self) -> int | None:
        """The offset."""

    def timestamp(self) -> tuple[int, int]:
        """Kind and append time in milliseconds."""

    def key(self) -> bytes | None:
        """The key's bytes."""

    def value(self) -> bytes | None:
        """The value's bytes."""

    def headers(self) -> Any:
        """Pairs of name and bytes, or None."""


@dataclass(frozen=True, eq=False)
class Messages:
    """Messages of one topic, in the order in which they were consumed: rising offsets within each partition.

    Attributes:
        topic: name without prefix.
        topic_id: Kafka's UUID of the topic.
        appended: append times, microseconds since the epoch.
    """

    topic: str
    topic_id: str
    raw: Sequence[KafkaMessage]
    partitions: Ints
    offsets: Ints
    appended: Ints

    @classmethod
    def of(cls, topic: str, topic_id: str, raw: Sequence[KafkaMessage]) -> Messages:
        """Columns of what was consumed."""
        return cls(
            topic,
            topic_id,
            raw,
            np.fromiter(map(_partition, raw), np.int64, len(raw)),
            np.fromiter(map(_offset, raw), np.int64, len(raw)),
            np.fromiter(map(_milliseconds, map(_timestamp, raw)), np.int64, len(raw)) * 1000,
        )

    def __len__(self) -> int:
        return len(self.raw)

    def values(self) -> list[bytes | None]:
        """The values' bytes."""
        return list(map(_value, self.raw))

    def only(self, wanted: npt.NDArray[np.bool_]) -> Messages:
        """The messages at which ``wanted`` is true."""
        if wanted.all():
            return self
        kept = np.flatnonzero(wanted)
        return Messages(
            self.topic,
            self.topic_id,
            [self.raw[i] for i in kept.tolist()],
            self.partitions[kept],
            self.offsets[kept],
            self.appended[kept],
        )


def by_topic(raw: Sequence[KafkaMessage]) -> dict[str, Sequence[KafkaMessage]]:
    """Messages by their topic's full name; nearly always one topic's come in such numbers that a step for each would count."""
    topics = list(map(_topic, raw))
    distinct = dict.fromkeys(topics)
    if len(distinct) == 1:
        return {topics[0] or "": raw}
    found: dict[str, list[KafkaMessage]] = {name or "": [] for name in distinct}
    for topic, message in zip(topics, raw, strict=True):
        found[topic or ""].append(message)
    return dict(found)
