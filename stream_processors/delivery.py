"""Messages to Kafka by the batch: `Delivery.send` returns when the broker has them all."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from time import monotonic

from producers.errors import BrokerUnavailable
from producers.settings import KafkaSettings
from stream_processors.kafka import KafkaError, KafkaException, Message, Producer, producer

_DELIVERY_S = 30.0
_PAUSE_S = 0.05


class Delivery:
    """An idempotent producer that is asked batch by batch, and made anew after a failure.

    Args:
        settings: which Kafka.
        stopping: asked while waiting for the broker; true gives up at once.
        arrived: told of each message that the broker has; None spares the client that.
    """

    def __init__(
        self,
        settings: KafkaSettings,
        *,
        stopping: Callable[[], bool] = lambda: False,
        arrived: Callable[[Message], None] | None = None,
    ) -> None:
        self._settings, self._stopping, self._arrived = settings, stopping, arrived
        self._producer: Producer | None = None
        self._failed: list[KafkaError] = []

    def send(self, topic: str, messages: Iterable[tuple[str, bytes]]) -> None:
        """Send messages, each a key and a value, to a topic (with its prefix), and wait for them.

        Raises:
            BrokerUnavailable: at least one did not arrive; some may have, so the caller sends all again.
        """
        try:
            if self._producer is None:
                self._producer = self._made()
            for key, value in messages:
                self._produce(self._producer, topic, key, value)
            self._wait(self._producer)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Drop the producer; nothing is under way between calls of `send`."""
        if self._producer is not None:
            self._producer.purge()
            self._producer.flush(0)
        self._producer, self._failed = None, []

    def _made(self) -> Producer:
        return producer(
            self._settings,
            delivery_report_only_error=self._arrived is None,
            delivery_timeout_ms=int(_DELIVERY_S * 1000),
            queue_buffering_max_messages=200_000,
        )

    def _produce(self, client: Producer, topic: str, key: str, value: bytes) -> None:
        while True:
            try:
                client.produce(topic, value, key, on_delivery=self._reported)
            except BufferError:
                client.poll(_PAUSE_S)
            except KafkaException as error:
                raise BrokerUnavailable(f"{topic}: {error.args[0].str()}") from None
            else:
                return

    def _wait(self, client: Producer) -> None:
        limit = monotonic() + 2 * _DELIVERY_S
        while client.flush(_PAUSE_S):
            if self._failed or self._stopping() or monotonic() > limit:
                break
        if self._failed or len(client):
            reason = self._failed[0].str() if self._failed else "no answer"
            raise BrokerUnavailable(f"messages were not delivered: {reason}")

    def _reported(self, error: KafkaError | None, message: Message) -> None:
        if error is not None:
            self._failed.append(error)
        elif self._arrived is not None:
            self._arrived(message)
