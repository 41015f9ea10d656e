"""The librdkafka settings that every Hindcast client shares. Holds no client, so importing it loads no library."""

from __future__ import annotations

from producers.settings import KafkaSettings

# librdkafka's default differs from Java's: one key would land in two partitions (events.md, "Topics")
PARTITIONER = "murmur2_random"


def client_settings(settings: KafkaSettings, **more: object) -> dict[str, object]:
    """Settings for any confluent-kafka client: address, then the user's properties, then ``more``.

    Keys of ``more`` are written with underscores for dots: ``group_id="x"`` is ``group.id``; callbacks (``error_cb``) keep theirs.
    """
    ours: dict[str, object] = {
        "bootstrap.servers": settings.bootstrap,
        # resolved and unreachable addresses are said once, in our words; librdkafka would print each attempt
        "log_level": 2,
    }
    ours.update(settings.properties)
    ours.update({key if key.endswith("_cb") else key.replace("_", "."): value for key, value in more.items()})
    return ours


def producer_settings(settings: KafkaSettings, **more: object) -> dict[str, object]:
    """Settings for a producer that loses nothing the broker can keep: idempotent, acks of all replicas."""
    defaults: dict[str, object] = {
        "partitioner": PARTITIONER,
        "enable_idempotence": True,
        "compression_type": "lz4",
        "linger_ms": 20,
    }
    return client_settings(settings, **{**defaults, **more})
