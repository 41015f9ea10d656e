"""The sink that is Kafka: the only module of this room that uses confluent_kafka, and only when it is opened."""

from __future__ import annotations

import ctypes
import functools
from typing import Any

from producers import forks
from producers.errors import ConfigError
from producers.kafka import producer_settings
from producers.kafka_client import confluent_kafka, load_before_fork
from producers.settings import KafkaSettings
from producers.sink import Report, SinkFull, SinkRefused

QUEUED_MESSAGES = 100_000
QUEUED_KIB = 65_536
DELIVERY_TIMEOUT_MS = 120_000
# how long a topic may be unknown to the broker before its messages are refused; a new topic takes moments to be known
UNKNOWN_TOPIC_MS = 5_000
_PURGE_POLL_S = 0.2
_LAST_POLLS = 10


class KafkaSink:
    """Sends to Kafka: idempotent, acknowledged by all replicas, murmur2 partitions, topics never created.

    Args:
        settings: where Kafka is; its properties may change any librdkafka setting.
    """

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._producer: Any = None
        self._refusal: type[Exception] = Exception  # confluent_kafka's, once it is loaded
        self._complaints: list[str] = []
        self._topic = functools.cache(settings.topic)
        load_before_fork()

    def open(self) -> None:
        """Make the producer; see `Sink.open`. Does not wait for a broker."""
        self._complaints += forks.complaints()
        client = confluent_kafka()
        self._refusal = client.KafkaException
        settings = producer_settings(
            self._settings,
            queue_buffering_max_messages=QUEUED_MESSAGES,
            queue_buffering_max_kbytes=QUEUED_KIB,
            delivery_timeout_ms=DELIVERY_TIMEOUT_MS,
            topic_metadata_propagation_max_ms=UNKNOWN_TOPIC_MS,
            allow_auto_create_topics=False,
        )
        settings["error_cb"] = self._complain
        # what the user states wins over what we would have chosen, except for the partitioner: keys must agree
        settings.update(
            {key: text for key, text in self._settings.properties.items() if key != "partitioner"}
        )
        try:
            self._producer = client.Producer(settings)
        except client.KafkaException as error:
            raise ConfigError(f"Kafka settings are refused: {error.args[0].str()}") from None

    def send(self, stream: str, key: bytes, value: bytes, report: Report) -> None:
        """Take a message; see `Sink.send`."""
        try:
            self._producer.produce(self._topic(stream), value, key, on_delivery=report)
        except BufferError:
            raise SinkFull from None
        except self._refusal as error:
            if _is_fatal(error.args[0]):
                self._begin_anew()
                raise SinkFull from None
            raise SinkRefused(error.args[0].name()) from None

    def poll(self, seconds: float) -> None:
        """Call the reports that are due; see `Sink.poll`."""
        try:
            self._producer.poll(seconds)
        except (
            self._refusal
        ) as error:  # a fatal error is not called back but raised; the next send deals with it
            self._complain(error.args[0])

    def waiting(self) -> int:
        """Messages in librdkafka's queue or in flight."""
        return len(self._producer)

    def purge(self) -> None:
        """Give up what waits; see `Sink.purge`."""
        self._producer.purge()
        self.poll(_PURGE_POLL_S)

    def complaints(self) -> list[str]:
        """What librdkafka said of its connections since the last call."""
        said, self._complaints = self._complaints, []
        return said

    def close(self) -> None:
        """Let go of the producer and its threads."""
        self._producer = None

    def for_child(self) -> KafkaSink:
        """A sink for a forked child; the inherited producer is kept for ever, as destroying it would wait for threads
        that the child does not have.
        """
        if self._producer is not None:
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._producer))
        return KafkaSink(self._settings)

    def _begin_anew(self) -> None:
        """Another producer in the place of one that will never send again, whose last reports are called before."""
        self.purge()
        for _ in range(_LAST_POLLS):
            if self.waiting():
                self.poll(_PURGE_POLL_S)
        try:
            self.open()
        except (
            ConfigError
        ) as error:  # settings that were good once: what is missing now, such as a thread, may come back
            self._complaints.append(str(error))

    def _complain(self, error: Any) -> None:
        self._complaints.append(f"Kafka at {self._settings.bootstrap}: {error.name()}")


def _is_fatal(error: Any) -> bool:
    # what produce() raises after a fatal error is named so, but does not say that it is fatal
    return bool(error.fatal()) or error.name() == "_FATAL"
