"""Sends dead letters to their topic, and returns when Kafka has them."""

from __future__ import annotations

from collections.abc import Sequence

from producers.errors import BrokerUnavailable
from producers.settings import KafkaSettings
from stream_processors.kafka import KafkaError, KafkaException, Message, Producer, producer
from stream_processors.recorder.dead_letters import DeadLetter

DELIVERY_S = 20.0

# Whatever the original's topic takes must fit beside its facts; the topic's own limit decides.
_MOST_BYTES = 100_000_000


class DeadLetterSender:
    """A producer of dead letters. Use it from one thread."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._topic = settings.topic("dead-letters")
        self._producer: Producer | None = None

    def close(self) -> None:
        """Let go of the producer; nothing is under way between calls of `send`."""
        self._producer = None

    def send(self, letters: Sequence[DeadLetter]) -> None:
        """Send the letters and wait for Kafka's word. One that is too long for the topic goes without its value.

        Raises:
            BrokerUnavailable: not all were taken in time; sending them again is harmless.
        """
        if letters:
            too_long = self._sent(letters)
            if self._sent([letter.without_value() for letter in too_long]):
                raise BrokerUnavailable(f"{self._topic} does not take a dead letter even without its value")

    def _sent(self, letters: Sequence[DeadLetter]) -> list[DeadLetter]:
        """Send, and return those that are too long."""
        if self._producer is None:
            self._producer = producer(
                self._settings, message_max_bytes=_MOST_BYTES, message_timeout_ms=int(DELIVERY_S * 1000)
            )
        too_long: list[DeadLetter] = []
        failed: list[str] = []

        def judge(letter: DeadLetter, error: KafkaError | None) -> None:
            if error is None:
                return
            if error.code() == KafkaError.MSG_SIZE_TOO_LARGE:
                too_long.append(letter)
            else:
                failed.append(error.name())

        for letter in letters:
            self._produce(self._producer, letter, judge)
        left = self._producer.flush(DELIVERY_S + 5)
        if left or failed:
            # a new producer: what an idempotent one has given up on must not block what comes after
            self._producer.purge()
            self._producer = None
            why = failed[0] if failed else "no answer"
            raise BrokerUnavailable(f"{left + len(failed)} dead letters were not taken by Kafka ({why})")
        return too_long

    def _produce(self, client: Producer, letter: DeadLetter, judge: object) -> None:
        def delivered(error: KafkaError | None, _: Message) -> None:
            judge(letter, error)  # type: ignore[operator]  # a function of (letter, error)

        while True:
            try:
                client.produce(
                    self._topic,
                    key=letter.key,
                    value=letter.value,
                    headers=letter.sent_headers(),
                    on_delivery=delivered,
                )
            except BufferError:
                client.poll(0.1)
            except KafkaException as error:
                delivered(error.args[0], None)
                return
            else:
                client.poll(0)
                return
