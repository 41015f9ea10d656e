"""How far everybody has come: ends of topics, the recorder's committed offsets, the joiners' own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from producers.errors import BrokerUnavailable, ConfigError
from producers.settings import KafkaSettings
from stream_processors.kafka import (
    Consumer,
    KafkaException,
    TopicPartition,
    admin,
    close_admin,
    committed_offsets,
    latest_offsets,
    partition_counts,
    reader,
)
from stream_processors.topic_ids import TopicIds, topic_ids

Offsets = dict[int, int]

_READ = ("labels", "predictions")


class Marks:
    """Positions in our topics, asked of the broker. Topic names are without prefix. Use it from one thread.

    Attributes:
        partitions: how many partitions ``labels`` and ``predictions`` have, each.
        topic_ids: Kafka's UUID of each topic that the joiner reads or writes.

    Raises:
        BrokerUnavailable: no answer, or a topic does not exist yet.
        ConfigError: ``labels`` and ``predictions`` differ in their number of partitions, so that the label of a prediction would not
            be found in the partition of the same number.
    """

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        counts = partition_counts(settings)
        names = {name: settings.topic(name) for name in (*_READ, "outcomes", "quality")}
        absent = sorted(set(names.values()) - set(counts))
        if absent:
            raise BrokerUnavailable(f"topic {absent[0]} does not exist (yet)")
        self.partitions = counts[names["labels"]]
        if self.partitions != counts[names["predictions"]]:
            raise ConfigError(
                f"{names['labels']} has {self.partitions} partitions and {names['predictions']} has "
                f"{counts[names['predictions']]}: a label is looked for in the partition of its prediction's number"
            )
        ids = topic_ids(settings, list(names.values()))
        self.topic_ids = {name: ids[full] for name, full in names.items()}
        self._full_ids = ids
        self._ids = TopicIds(settings)
        self._counts = {name: counts[full] for name, full in names.items()}
        self._admin = admin(settings)
        self._recorder = reader(settings, group_id=settings.topic("recorder"))
        self._joiners = reader(settings, group_id=settings.topic("joiner"))

    def close(self) -> None:
        """Close the connections."""
        self._recorder.close()
        self._joiners.close()
        self._ids.close()
        close_admin(self._admin)

    def refuse_other_topics(self) -> None:
        """Make sure that topics still are those of `topic_ids`.

        Raises:
            TopicMadeAnew: one is not; these marks are of no more use.
        """
        self._ids.refuse_others(self._full_ids)

    def all_partitions(self, topic: str) -> range:
        """Numbers of a topic's partitions."""
        return range(self._counts[topic])

    def ends(self, topic: str, partitions: Iterable[int]) -> Offsets:
        """The offset after the last message of each partition, as it is now."""
        return latest_offsets(self._admin, self._settings.topic(topic), partitions)

    def recorded(self, topic: str, partitions: Iterable[int]) -> Offsets:
        """The offset below which each partition is in ClickHouse: what the recorder has committed; 0 where nothing."""
        return self._committed(self._recorder, topic, partitions)

    def joined(self, topic: str, partitions: Iterable[int]) -> Offsets:
        """The offset below which each partition has been joined, by whichever joiner owns it."""
        return self._committed(self._joiners, topic, partitions)

    def not_recorded(self, topic: str, ends: Mapping[int, int]) -> list[int]:
        """Partitions in which the recorder has not come to these ends. A partition without any message counts as reached."""
        recorded = self.recorded(topic, ends) if ends else {}
        return [p for p, end in ends.items() if recorded[p] < end and not self._is_empty(topic, p)]

    def not_joined(self, topic: str, ends: Mapping[int, int]) -> list[int]:
        """Partitions in which the joiners have not come to these ends."""
        joined = self.joined(topic, ends)
        return [p for p, end in ends.items() if joined[p] < end and not self._is_empty(topic, p)]

    def _committed(self, client: Consumer, topic: str, partitions: Iterable[int]) -> Offsets:
        wanted = list(partitions)
        found = committed_offsets(client, self._settings.topic(topic), wanted)
        return {partition: found.get(partition, 0) for partition in wanted}

    def _is_empty(self, topic: str, partition: int) -> bool:
        """Whether nothing is there to be recorded, because all of it has expired: nobody commits an offset there."""
        place = TopicPartition(self._settings.topic(topic), partition)
        try:
            low, high = self._recorder.get_watermark_offsets(place, timeout=10.0, cached=False)
        except KafkaException as error:
            raise BrokerUnavailable(f"no offsets of {topic}-{partition}: {error.args[0].str()}") from None
        return bool(low == high)
