"""Sends verdicts and alerts, and knows where on their topics they stand: that is how far the recorder must come before they count as recorded."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import fastavro

from producers.codec import Registry, frame
from producers.schema_files import newest
from producers.settings import KafkaSettings
from stream_processors.delivery import Delivery
from stream_processors.kafka import Message

# Of a topic (without prefix) and a partition: an offset
Places = dict[tuple[str, int], int]


class Outbox:
    """Sends what the monitor finds; messages of one model and environment share a key, so a partition, and keep their order.

    Args:
        settings: which Kafka.
        registry: for Confluent framing.
        stopping: asked while waiting for the broker; true gives up at once.
    """

    def __init__(
        self,
        settings: KafkaSettings,
        registry: Registry | None = None,
        *,
        stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        self._settings, self._registry = settings, registry
        self._delivery = Delivery(settings, stopping=stopping, arrived=self._arrived)
        self._ends: dict[int, int] = {}

    def send(self, topic: str, name: str, records: Iterable[dict[str, Any]]) -> Places:
        """Send records of the newest schema ``name``, wait for the broker, and return the offset after the last per partition.

        Raises:
            BrokerUnavailable: at least one did not arrive; some may have, so the caller sends all again.
        """
        self._ends = {}
        self._delivery.send(self._settings.topic(topic), self._messages(name, records))
        return {(topic, partition): end for partition, end in self._ends.items()}

    def close(self) -> None:
        """Close the connection; nothing is under way between calls of `send`."""
        self._delivery.close()

    def _messages(self, name: str, records: Iterable[dict[str, Any]]) -> Iterator[tuple[str, bytes]]:
        schema = newest(name)
        head = frame(schema, self._registry)
        for record in records:
            body = io.BytesIO()
            body.write(head)
            fastavro.schemaless_writer(body, schema.parsed, record)
            key = json.dumps([record["model"], record["environment"]], separators=(",", ":"))
            yield key, body.getvalue()

    def _arrived(self, message: Message) -> None:
        partition, end = message.partition(), message.offset() + 1
        self._ends[partition] = max(self._ends.get(partition, 0), end)
