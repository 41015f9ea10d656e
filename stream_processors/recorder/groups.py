"""The recorder's two Kafka groups: one holds what it has recorded, the other what a person has let go on."""

from __future__ import annotations

from producers.settings import KafkaSettings


def recorder_group(settings: KafkaSettings) -> str:
    """The consumer group whose committed offsets say how far the record goes: ``<prefix>.recorder``.

    Everything before a partition's committed offset is in ClickHouse or in the dead letters.
    """
    return settings.topic("recorder")


def resumption_group(settings: KafkaSettings) -> str:
    """The group whose committed offset lets a paused partition go on from there: ``<prefix>.recorder.resumed``.

    A group of its own, because Kafka takes offsets for a group that has members only from these members; it has none.
    """
    return settings.topic("recorder.resumed")
