"""The profiler's side of ``predictions``: batches of messages from the partitions it owns, in order, without gap or repetition."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from operator import itemgetter

import numpy as np
import numpy.typing as npt

from producers.errors import BrokerUnavailable
from stream_processors.fencing import fatal, is_fatal
from stream_processors.group_coverage import Coverage, leave
from stream_processors.kafka import (
    OFFSET_BEGINNING,
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    TopicPartition,
    committed_offsets,
    consumer,
)
from stream_processors.partitions import distinct
from stream_processors.profiler.batch_memory import BatchMemory
from stream_processors.settings import ProcessorSettings

Ints = npt.NDArray[np.int64]

_LEAST_BATCH = 100

_time = itemgetter(1)


@dataclass(frozen=True, slots=True, eq=False)
class Read:
    """Messages of owned partitions: values, and per message its partition, offset and append time (microseconds)."""

    values: list[bytes | None]
    partitions: Ints
    offsets: Ints
    appended_at: Ints


def _times(messages: list[Message]) -> Ints:
    """Append times in milliseconds; negative where there is none."""
    return np.fromiter(map(_time, map(Message.timestamp, messages)), np.int64, len(messages))


def _offsets(messages: list[Message], partitions: Ints) -> Ints:
    """The offset of each, asked of the first and last of messages in a row from one partition: its offsets rise, so few have gaps."""
    offsets = np.empty(len(messages), dtype=np.int64)
    bounds = [0, *(np.flatnonzero(np.diff(partitions)) + 1).tolist(), len(messages)]
    for start, end in pairwise(bounds):
        if end - start > 1 and messages[end - 1].offset() - messages[start].offset() == end - start - 1:
            offsets[start:end] = np.arange(messages[start].offset(), messages[start].offset() + end - start)
        else:
            offsets[start:end] = [message.offset() for message in messages[start:end]]
    return offsets


class Source:
    """A member of the profiler's group.

    Owned partitions are read from their committed offsets. Whatever `read` returned while the assignment changed is thrown away and read again,
    because it may belong to the assignment before.

    Args:
        settings: which Kafka, the slot, which makes the static member's name, stable over restarts, and the size of batches.
        before_losing: called while revoked partitions are still owned (not when they are lost already): the last chance to commit.
    """

    def __init__(self, settings: ProcessorSettings, before_losing: Callable[[], None]) -> None:
        kafka = settings.kafka
        self.topic = kafka.topic("predictions")
        self._before_losing = before_losing
        self._owned: set[int] = set()
        self._changed = False
        self._next: dict[int, int] = {}
        self._most_messages, self._most_bytes = settings.batch_messages, settings.batch_bytes
        self._memory = BatchMemory()
        # the first one tells how large messages are
        self._batch = _LEAST_BATCH
        group = kafka.topic("profiler")
        self._coverage = Coverage(kafka, group, [self.topic])
        self._client: Consumer = consumer(
            kafka,
            group=group,
            instance=f"profiler-{settings.slot}",
            enable_partition_eof=True,
            # a batch that is decoded should find the next one fetched
            queued_max_messages_kbytes=16_384,
            fetch_message_max_bytes=2_097_152,
        )
        self._client.subscribe(
            [self.topic], on_assign=self._assigned, on_revoke=self._revoked, on_lost=self._lost
        )

    @property
    def positions(self) -> dict[int, int]:
        """Next offset of each owned partition, control records included."""
        return dict(self._next)

    @property
    def group_metadata(self) -> object:
        """What a transaction needs to commit this member's offsets."""
        return self._client.consumer_group_metadata()

    def refuse_stale(self) -> None:
        """Now and then make sure that somebody has each partition.

        Raises:
            StaleAssignment: nobody has one of them, until we `leave`.
        """
        self._coverage.refuse_stale()

    def leave(self) -> None:
        """Give up our place in the group, so that it assigns its partitions anew."""
        leave(self._client)

    def close(self) -> None:
        """Close the connections; the static member keeps its partitions until its session ends."""
        self._client.close()
        self._coverage.close()

    def _assigned(self, client: Consumer, partitions: list[TopicPartition]) -> None:
        self._owned = {place.partition for place in partitions}
        self._changed = True

    def _revoked(self, client: Consumer, partitions: list[TopicPartition]) -> None:
        self._before_losing()
        self._lost(client, partitions)

    def _lost(self, client: Consumer, partitions: list[TopicPartition]) -> None:
        self._owned = set()
        self._next = {}
        self._changed = True

    def start_over(self, topic_id: str = "") -> dict[int, int]:
        """Read every owned partition from its committed offset again; returns these offsets.

        Args:
            topic_id: offsets committed in a topic of another UUID, which was deleted, are void.

        Raises:
            BrokerUnavailable: they could not be asked for.
        """
        self._changed = False
        committed = (
            committed_offsets(self._client, self.topic, self._owned, topic_id=topic_id) if self._owned else {}
        )
        self._next = {}
        for partition in self._owned:
            start = committed.get(partition)
            self._next[partition] = self._log_start(partition) if start is None else start
        if self._next:
            self._client.assign(
                [TopicPartition(self.topic, partition, start) for partition, start in self._next.items()]
            )
        return dict(self._next)

    def _log_start(self, partition: int) -> int:
        try:
            place = TopicPartition(self.topic, partition, OFFSET_BEGINNING)
            return int(self._client.get_watermark_offsets(place, timeout=10)[0])
        except KafkaException as error:
            raise BrokerUnavailable(f"no start of {self.topic}-{partition}: {error.args[0].str()}") from None

    def read(self, timeout: float) -> Read | None:
        """At most so many messages and about so many bytes as the settings say, whatever came within ``timeout`` seconds (possibly nothing).

        None where the assignment has changed: everything counted and not committed must be dropped, and `start_over` called.

        Raises:
            BrokerUnavailable: the client cannot go on; a new one can.
            Fenced: another member has taken this slot.
        """
        messages = self._client.consume(self._batch, timeout)
        self._memory.hold(messages)
        if self._changed:
            return None
        times = _times(messages)
        # an error, or a partition's end, has none
        if times.min(initial=0) >= 0:
            return self._owned_part(messages, times)
        read = [message for message in messages if message.error() is None]
        owned = self._owned_part(read, _times(read))
        for message in messages:
            if message.error() is not None:
                self._take_event(message)
        return owned

    def _owned_part(self, messages: list[Message], times: Ints) -> Read:
        partitions = np.fromiter(map(Message.partition, messages), np.int64, len(messages))
        offsets = _offsets(messages, partitions)
        values = list(map(Message.value, messages))
        expected = np.zeros(int(partitions.max(initial=-1)) + 1, dtype=np.int64)
        for partition in range(expected.size):
            expected[partition] = self._next.get(partition, np.iinfo(np.int64).max)
        own = offsets >= expected[partitions]
        if not own.all():
            places = np.flatnonzero(own)
            values = [values[place] for place in places.tolist()]
            partitions, offsets, times = partitions[own], offsets[own], times[own]
        for partition in distinct(partitions):
            self._next[partition] = int(offsets[partitions == partition].max()) + 1
        self._adapt(values)
        return Read(values, partitions, offsets, times * 1000)

    def _adapt(self, values: list[bytes | None]) -> None:
        """Size the next batch by this one's messages, so that it stays below the bytes of the settings."""
        sample = values[::16]
        if sample:
            mean = sum(len(value or b"") for value in sample) / len(sample) + 1
            self._batch = min(self._most_messages, max(_LEAST_BATCH, int(self._most_bytes / mean)))

    def _take_event(self, message: Message) -> None:
        error = message.error()
        if error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - public constant
            partition = message.partition()
            if partition in self._next:
                # control records (of transactions) stand before the end without being messages
                self._next[partition] = max(self._next[partition], message.offset())
        elif is_fatal(error):
            raise fatal(error, "profiler")
        elif error.code() in {
            KafkaError.UNKNOWN_TOPIC_OR_PART,
            KafkaError.TOPIC_AUTHORIZATION_FAILED,
            KafkaError.GROUP_AUTHORIZATION_FAILED,
        }:
            raise BrokerUnavailable(f"{self.topic}: {error.str()}")

    def lag(self, done: Mapping[int, int]) -> dict[str, int]:
        """Messages (and control records) of each partition in ``done`` (partition → next offset), as far as the client knows the log's end.

        Before its first answer, which must not pass for "nothing to do", it is 1.
        """
        found = {}
        for partition, position in done.items():
            _, end = self._client.get_watermark_offsets(TopicPartition(self.topic, partition), cached=True)
            found[f"{self.topic}-{partition}"] = max(0, end - position) if end >= 0 else 1
        return found
