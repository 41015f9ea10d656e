"""Sends verdicts and alerts, and knows where on their topics they stand: that is how far the recorder must come before they count as recorded."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterable
from time import monotonic
from typing import Any

import fastavro

from producers.codec import Registry, frame
from producers.errors import BrokerUnavailable
from producers.schema_files import newest
from producers.settings import KafkaSettings
from stream_processors.kafka import KafkaError, KafkaException, Message, Producer, producer

_DELIVERY_S = 30.0
_PAUSE_S = 0.05

# Of a topic (without prefix) and a partition: an offset
Places = dict[tuple[str, int], int]


class Outbox:
    """An idempotent producer of drift.v1 and alert.v1, made anew after a failure.

    Args:
        stopping: asked while waiting for the broker; true gives up at once.

    Messages of one model and environment share a key, so a partition, and keep their order.
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

    def send(self, topic: str, name: str, records: Iterable[dict[str, Any]]) -> Places:
        """Send records of the newest schema ``name``, wait for the broker, and return the offset after the last per partition.

        Raises:
            BrokerUnavailable: at least one did not arrive; some may have, so the caller sends all again.
        """
        places: Places = {}

        def delivered(error: KafkaError | None, message: Message) -> None:
            if error is not None:
                self._failed.append(error)
                return
            place = topic, message.partition()
            places[place] = max(places.get(place, 0), message.offset() + 1)

        try:
            self._produce(topic, name, records, delivered)
            self._wait()
        except BaseException:
            self.close()
            raise
        return places

    def close(self) -> None:
        """Drop the producer; nothing is under way between calls of `send`."""
        if self._producer is not None:
            self._producer.purge()
            self._producer.flush(0)
        self._producer, self._failed = None, []

    def _produce(
        self,
        topic: str,
        name: str,
        records: Iterable[dict[str, Any]],
        delivered: Callable[[KafkaError | None, Message], None],
    ) -> None:
        schema = newest(name)
        head, full = frame(schema, self._registry), self._settings.topic(topic)
        if self._producer is None:
            self._producer = producer(self._settings, delivery_timeout_ms=int(_DELIVERY_S * 1000))
        for record in records:
            body = io.BytesIO()
            body.write(head)
            fastavro.schemaless_writer(body, schema.parsed, record)
            key = json.dumps([record["model"], record["environment"]], separators=(",", ":"))
            self._produce_one(full, key, body.getvalue(), delivered)

    def _produce_one(
        self, topic: str, key: str, value: bytes, delivered: Callable[[KafkaError | None, Message], None]
    ) -> None:
        assert self._producer is not None
        while True:
            try:
                self._producer.produce(topic, value, key, on_delivery=delivered)
            except BufferError:
                self._producer.poll(_PAUSE_S)
            except KafkaException as error:
                raise BrokerUnavailable(f"{topic}: {error.args[0].str()}") from None
            else:
                return

    def _wait(self) -> None:
        assert self._producer is not None
        limit = monotonic() + 2 * _DELIVERY_S
        while self._producer.flush(_PAUSE_S):
            if self._failed or self._stopping() or monotonic() > limit:
                break
        if self._failed or len(self._producer):
            reason = self._failed[0].str() if self._failed else "no answer"
            raise BrokerUnavailable(f"messages were not delivered: {reason}")
