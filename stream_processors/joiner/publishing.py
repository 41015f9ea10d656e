"""Sends rows as Avro messages, by the batch: `send` returns when the broker has them all."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from time import monotonic

import pyarrow as pa
import pyarrow.compute as pc
import pyruhvro

from producers.codec import Registry, frame
from producers.errors import BrokerUnavailable
from producers.schema_files import Schema, newest
from producers.settings import KafkaSettings
from stream_processors.kafka import KafkaError, KafkaException, Message, Producer, producer

_DELIVERY_S = 30.0


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
    """An idempotent producer that is asked batch by batch, and made anew after a failure.

    Args:
        stopping: asked while waiting for the broker; true gives up at once.
    """

    def __init__(
        self,
        settings: KafkaSettings,
        registry: Registry | None = None,
        *,
        stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        self._settings, self._registry, self._stopping = settings, registry, stopping
        self._producer: Producer | None = None
        self._failed: list[KafkaError] = []

    def send(self, topic: str, name: str, rows: pa.Table, keys: Sequence[str]) -> None:
        """Send rows as messages of the newest schema ``name`` to a topic (without prefix), and wait for them.

        Raises:
            BrokerUnavailable: at least one did not arrive; some may have, so the caller sends all again.
        """
        values = encoded(rows, newest(name), self._registry)
        if not values:
            return
        try:
            self._produce(self._settings.topic(topic), zip(keys, values, strict=True))
            self._wait()
        except BaseException:
            self._abandon()
            raise

    def close(self) -> None:
        """Drop the producer; nothing is under way between calls of `send`."""
        self._abandon()

    def _produce(self, topic: str, messages: Iterable[tuple[str, bytes]]) -> None:
        if self._producer is None:
            self._producer = producer(
                self._settings,
                delivery_report_only_error=True,
                delivery_timeout_ms=int(_DELIVERY_S * 1000),
                queue_buffering_max_messages=200_000,
            )
        produce, failed = self._producer.produce, self._note_failure
        for key, value in messages:
            while True:
                try:
                    produce(topic, value, key, on_delivery=failed)
                    break
                except BufferError:
                    self._producer.poll(0.05)
                except KafkaException as error:
                    raise BrokerUnavailable(f"{topic}: {error.args[0].str()}") from None

    def _wait(self) -> None:
        assert self._producer is not None
        limit = monotonic() + 2 * _DELIVERY_S
        while self._producer.flush(0.2):
            if self._failed or self._stopping() or monotonic() > limit:
                break
        if self._failed or len(self._producer):
            reason = self._failed[0].str() if self._failed else "no answer"
            raise BrokerUnavailable(f"messages were not delivered: {reason}")

    def _note_failure(self, error: KafkaError | None, message: Message) -> None:
        if error is not None:
            self._failed.append(error)

    def _abandon(self) -> None:
        if self._producer is not None:
            self._producer.purge()
            self._producer.flush(0)
        self._producer, self._failed = None, []
