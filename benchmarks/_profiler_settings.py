"""What the profiler's batch size and flush interval change: rate, CPU, memory, and what its sketches take in Kafka."""

from __future__ import annotations

from collections.abc import Iterator

from _predictions import PARTITIONS, events, fill, new_topics
from _profiling import profiled

from producers.settings import KafkaSettings
from stream_processors.kafka import OFFSET_BEGINNING, TopicPartition, end_offsets, reader

BATCHES = (1_000, 5_000, 20_000, 80_000)
FLUSHES = (0.2, 1.0, 5.0)


def settings_sweep(bootstrap: str, n: int) -> Iterator[tuple[str, float, str, int]]:
    """(measure, value, unit, events) of each size of batch, then of each interval, the other as it is by default."""
    messages = events()
    # by bytes no batch is smaller than by messages
    tried = [
        (f"batch_{size}", {"HINDCAST_BATCH_MESSAGES": str(size), "HINDCAST_BATCH_BYTES": "1000000000"})
        for size in BATCHES
    ]
    tried += [(f"flush_{seconds:g}_s", {"HINDCAST_FLUSH_INTERVAL": f"{seconds}"}) for seconds in FLUSHES]
    for name, environment in tried:
        settings = new_topics(bootstrap)
        fill(settings, messages, range(n))
        done = profiled(settings, n, environment=environment)
        yield f"events_per_s.{name}", done.per_second, "events/s", done.events
        yield f"cpu_us_per_event.{name}", done.cpu_us, "us", done.events
        yield f"rss_mb.{name}", done.rss_mb, "MB", done.events
        yield f"sketch_kb_per_s.{name}", sketch_bytes(settings) / 1000 / done.seconds, "kB/s", done.events


def sketch_bytes(settings: KafkaSettings) -> int:
    """Bytes of all messages on ``sketches``."""
    client, topic = reader(settings), settings.topic("sketches")
    ends = {p: end for p, end in end_offsets(client, topic, range(PARTITIONS)).items() if end}
    client.assign([TopicPartition(topic, p, OFFSET_BEGINNING) for p in ends])
    size, left = 0, set(ends)
    while left:
        for message in client.consume(1_000, 0.2):
            if message.error() is None:
                size += len(message.value() or b"")
            else:  # the end of a partition
                left.discard(message.partition())
    client.close()
    return size
