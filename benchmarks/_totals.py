"""What was counted, bin by bin: by a peer, from its JSON, and by the profiler, from its deltas."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import pyarrow as pa

from producers.settings import KafkaSettings
from stream_processors.decoding import decode_batch
from stream_processors.kafka import OFFSET_BEGINNING, TopicPartition, end_offsets, reader

# (model, version, window's start in seconds, column, bin or value) → count; column "" counts events
Totals = Counter[tuple[object, ...]]


def events_in(totals: Totals) -> int:
    """How many events were counted."""
    return sum(n for key, n in totals.items() if not key[3])


def peer_totals(sketch: dict[str, Any]) -> Totals:
    """What one message of a peer counts."""
    key = (sketch["model"], sketch["model_version"], sketch["window_start"])
    columns = {**sketch["numeric"], **sketch["categorical"]}
    counts = ((column, what, n) for column, pairs in columns.items() for what, n in pairs)
    return _totals(key, sketch["events"], counts)


def profiler_totals(settings: KafkaSettings) -> Totals:
    """What the profiler has counted so far, of all its deltas."""
    return delta_totals(_all_values(settings))


def delta_totals(values: Sequence[bytes]) -> Totals:
    """What these messages of the profiler count; stretches among them count nothing."""
    found = Totals()
    group = decode_batch(values).of("sketch")
    if group is None:
        return found
    starts = group.batch.column("window_start").view(pa.int64()).to_pylist()
    for sketch, start in zip(group.batch.to_pylist(), starts, strict=True):
        counts = [
            (column["column"], what, n)
            for kind, bins in (("numeric", "bins"), ("categorical", "values"))
            for column in sketch[kind]
            for what, n in zip(column[bins], column["counts"], strict=True)
        ]
        found += _totals(
            (sketch["model"], sketch["model_version"], start // 1_000_000), sketch["events"], counts
        )
    return found


def _totals(key: tuple[object, ...], events: int, counts: Iterable[tuple[str, object, int]]) -> Totals:
    found = Totals({(*key, "", ""): events})
    for column, what, n in counts:
        found[(*key, column, what)] += n
    return found


def _all_values(settings: KafkaSettings) -> list[bytes]:
    client, topic = reader(settings), settings.topic("sketches")
    partitions = client.list_topics(topic, timeout=10).topics[topic].partitions
    client.assign([TopicPartition(topic, p, OFFSET_BEGINNING) for p in partitions])
    values, left = [], {p for p, end in end_offsets(client, topic, partitions).items() if end}
    while left:
        for message in client.consume(1_000, 1.0):
            if message.error() is None:
                values.append(message.value())
            else:
                left.discard(message.partition())
    client.close()
    return values
