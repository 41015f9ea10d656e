"""Sends rows as Avro messages, by the batch: `send` returns when the broker has them all."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pyarrow as pa
import pyarrow.compute as pc
import pyruhvro

from producers.codec import Registry, frame
from producers.schema_files import Schema, newest
from producers.settings import KafkaSettings
from stream_processors.delivery import Delivery


def encoded(rows: pa.Table, schema: Schema, registry: Registry | None = None) -> list[bytes]:
    """Each row as a framed message of this schema; columns are found by name."""
    if not rows.num_rows:
        return []
    names = [field["name"] for field in schema.parsed["fields"]]
    (batch,) = rows.select(names).combine_chunks().to_batches()
    (bodies,) = pyruhvro.serialize_record_batch(batch, schema.text, 1)
    head = pa.scalar(frame(schema, registry), bodies.type)
    values: list[bytes] = pc.binary_join_element_wise(head, bodies, pa.scalar(b"", bodies.type)).to_pylist()
    return values


class Publisher:
    """Sends what the joiner finds.

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
        self._delivery = Delivery(settings, stopping=stopping)

    def send(self, topic: str, name: str, rows: pa.Table, keys: Sequence[str]) -> None:
        """Send rows as messages of the newest schema ``name`` to a topic (without prefix), and wait for them.

        Raises:
            BrokerUnavailable: at least one did not arrive; some may have, so the caller sends all again.
        """
        values = encoded(rows, newest(name), self._registry)
        if values:
            self._delivery.send(self._settings.topic(topic), zip(keys, values, strict=True))

    def close(self) -> None:
        """Close the connection; nothing is under way between calls of `send`."""
        self._delivery.close()
