"""What the monitor asks Kafka beside messages: which source partitions exist, and how far the recorder has come."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from time import monotonic

from producers.errors import BrokerUnavailable
from producers.settings import KafkaSettings
from stream_processors.kafka import (
    admin,
    close_admin,
    committed_offsets,
    latest_offsets,
    partition_counts,
    reader,
)
from stream_processors.monitor.headings import Source
from stream_processors.monitor.outbox import Places
from stream_processors.recorder.groups import recorder_group
from stream_processors.topic_ids import topic_ids

# a topic that was made anew, or got a partition after all, must hold the watermark back within seconds; it is rare
_REFRESH_S = 10.0


class Topology:
    """Topics, partitions and the recorder's committed offsets. Use it from one thread.

    Raises:
        BrokerUnavailable: Kafka does not answer, or a topic of ours does not exist yet.
    """

    def __init__(self, settings: KafkaSettings, *, clock: Callable[[], float] = monotonic) -> None:
        self._settings, self._clock = settings, clock
        self._admin = admin(settings)
        # only asked for the group's offsets: it never joins
        self._recorder = reader(settings, group_id=recorder_group(settings))
        self._refreshed = float("-inf")
        self._counts: dict[str, int] = {}
        self._ids: dict[str, str] = {}

    def close(self) -> None:
        """Close the connections."""
        self._recorder.close()
        close_admin(self._admin)

    def refresh(self) -> None:
        """Ask again what exists, if the last answer is older than some seconds."""
        if self._clock() - self._refreshed < _REFRESH_S:
            return
        names = [self._settings.topic(name) for name in ("predictions", "sketches")]
        counts = partition_counts(self._settings)
        missing = [name for name in names if not counts.get(name)]
        if missing:
            raise BrokerUnavailable(f"topic {missing[0]} does not exist (yet)")
        self._ids, self._counts, self._refreshed = topic_ids(self._settings, names), counts, self._clock()

    @property
    def sketches_id(self) -> str:
        """Kafka's UUID of ``sketches``."""
        return self._ids[self._settings.topic("sketches")]

    def ids(self, topics: Iterable[str]) -> dict[str, str]:
        """Kafka's UUIDs of ``predictions`` or ``sketches``, by name without prefix."""
        return {name: self._ids[self._settings.topic(name)] for name in topics}

    def partition_counts(self, topics: Iterable[str]) -> dict[str, int]:
        """How many partitions these topics (without prefix) have."""
        return {name: self._counts.get(self._settings.topic(name), 0) for name in topics}

    def sources(self) -> list[Source]:
        """Every partition of ``predictions`` that exists."""
        name = self._settings.topic("predictions")
        return [Source(self._ids[name], partition) for partition in range(self._counts[name])]

    def recorded(self, topic: str, partitions: Iterable[int]) -> dict[int, int]:
        """Per partition of a topic (without prefix): everything before this offset is in the record."""
        wanted = list(partitions)
        found = committed_offsets(self._recorder, self._settings.topic(topic), wanted)
        return {partition: found.get(partition, 0) for partition in wanted}

    def all_recorded(self, places: Places) -> bool:
        """Whether the record holds everything before these offsets."""
        for topic in {topic for topic, _ in places}:
            wanted = {partition: offset for (one, partition), offset in places.items() if one == topic}
            recorded = self.recorded(topic, wanted)
            if any(recorded[partition] < offset for partition, offset in wanted.items()):
                return False
        return True

    def ends(self, topics: Iterable[str]) -> Places:
        """Where each partition of these topics ends now; empty partitions are left out."""
        places: Places = {}
        for topic in topics:
            name = self._settings.topic(topic)
            ends = latest_offsets(self._admin, name, range(self._counts.get(name, 0)))
            places |= {(topic, partition): end for partition, end in ends.items() if end}
        return places
