"""The sink that is Kafka: the only module of this room that uses confluent_kafka, and only when it is opened."""

from __future__ import annotations

import ctypes
import functools
import time
from typing import TYPE_CHECKING, Any

from producers import forks
from producers.errors import ConfigError
from producers.greenlets import threads_are_greenlets
from producers.kafka import producer_settings
from producers.kafka_client import confluent_kafka, load_before_fork
from producers.settings import KafkaSettings
from producers.sink import Report, SinkFull, SinkRefused, TableRows
from producers.table_by_rows import TableByRows

if TYPE_CHECKING:
    from producers.table_client import TableClient

QUEUED_MESSAGES = 100_000
QUEUED_KIB = 65_536
UNLIMITED = 2**31 - 1
DELIVERY_TIMEOUT_MS = 120_000
# the same where a spool takes what is not delivered: what waits in memory would be lost with the process
BRIEF_TIMEOUT_MS = 10_000
# how long a topic may be unknown to the broker before its messages are refused; a new topic takes moments to be known
UNKNOWN_TOPIC_MS = 5_000
_PURGE_POLL_S = 0.2
_LAST_POLLS = 10
# how long a poll waits at most while a table is under way, while the next part of one may come, and how long it may
_TABLE_POLL_S = 0.02
_BUSY_POLL_S = 0.002
_BUSY_S = 0.2


class KafkaSink:
    """Sends to Kafka: idempotent, acknowledged by all replicas, murmur2 partitions, topics never created.

    Args:
        settings: where Kafka is; its properties may change any librdkafka setting.
    """

    def __init__(self, settings: KafkaSettings) -> None:
        self.capacity = _capacity(settings)
        self._settings = settings
        self._timeout_ms = DELIVERY_TIMEOUT_MS
        self._producer: Any = None
        self._refusal: type[Exception] = Exception  # confluent_kafka's, once it is loaded
        self._complaints: list[str] = []
        self._topic = functools.cache(settings.topic)
        self._tables: TableClient | TableByRows | None = None
        self._busy_until = 0.0
        self._greenlets = False
        load_before_fork()

    def open(self) -> None:
        """Make the producer; see `Sink.open`. Does not wait for a broker."""
        self._complaints += forks.complaints()
        self._greenlets = threads_are_greenlets()
        client = confluent_kafka()
        self._refusal = client.KafkaException
        settings = {**self._client_settings(), "error_cb": lambda error: self._complain(error.name())}
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

    def takes_table(self) -> bool:
        """Whether none is under way."""
        return self._tables is None or self._tables.ready()

    def send_table(self, rows: TableRows) -> None:
        """Take the messages of a table; see `Sink.send_table`."""
        if self._tables is None:
            self._tables = self._table_client()
        self._tables.send(rows)

    def poll(self, seconds: float) -> None:
        """Call the reports that are due; see `Sink.poll`."""
        if self._greenlets:
            time.sleep(seconds)  # gevent's, which lets the service go on
            seconds = 0
        tables = self._tables
        if tables is None:
            self._poll(seconds)
        elif tables.ready():
            # the next part of a table may come at once, and nothing wakes a thread that waits here
            recent = time.monotonic() < self._busy_until
            self._poll(min(seconds, _BUSY_POLL_S) if recent else seconds)
            tables.poll(0)
        else:
            self._poll(0)
            tables.poll(min(seconds, _TABLE_POLL_S))
            self._busy_until = time.monotonic() + _BUSY_S

    def _poll(self, seconds: float) -> None:
        try:
            self._producer.poll(seconds)
        except (
            self._refusal
        ) as error:  # a fatal error is not called back but raised; the next send deals with it
            self._complain(error.args[0].name())

    def waiting(self) -> int:
        """Messages in librdkafka's queue or in flight."""
        return len(self._producer) + (self._tables.waiting() if self._tables is not None else 0)

    def purge(self) -> None:
        """Give up what waits; see `Sink.purge`."""
        if self._tables is not None:
            self._tables.purge()
        self._producer.purge()
        self.poll(_PURGE_POLL_S)

    def complaints(self) -> list[str]:
        """What librdkafka said of its connections since the last call."""
        said, self._complaints = self._complaints, []
        return said

    def close(self) -> None:
        """Let go of the clients and their threads."""
        if self._tables is not None:
            self._tables.close()
        self._tables = self._producer = None

    def be_brief(self) -> None:
        """See `Sink.be_brief`."""
        self._timeout_ms = BRIEF_TIMEOUT_MS

    def for_child(self) -> KafkaSink:
        """A sink for a forked child; the inherited clients are kept for ever, as destroying them would wait for threads
        that the child does not have.
        """
        if self._producer is not None:
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._producer))
        child = KafkaSink(self._settings)
        child._timeout_ms = self._timeout_ms
        return child

    def _begin_anew(self) -> None:
        """Another producer in the place of one that will never send again, whose last reports are called before."""
        self._producer.purge()
        for _ in range(_LAST_POLLS):
            if len(self._producer):
                self._poll(_PURGE_POLL_S)
        try:
            self.open()
        except (
            ConfigError
        ) as error:  # settings that were good once: what is missing now, such as a thread, may come back
            self._complaints.append(str(error))

    def _client_settings(self) -> dict[str, object]:
        settings = producer_settings(
            self._settings,
            queue_buffering_max_messages=QUEUED_MESSAGES,
            queue_buffering_max_kbytes=QUEUED_KIB,
            delivery_timeout_ms=self._timeout_ms,
            topic_metadata_propagation_max_ms=UNKNOWN_TOPIC_MS,
            allow_auto_create_topics=False,
        )
        # what the user states wins over what we would have chosen, except for the partitioner: keys must agree
        return settings | {
            key: text for key, text in self._settings.properties.items() if key != "partitioner"
        }

    def _table_client(self) -> TableClient | TableByRows:
        """Many messages at once by librdkafka itself, where it can be reached; else one by one, at five times the cost."""
        import confluent_kafka.cimpl  # loaded by open()

        from producers.librdkafka import Librdkafka  # numpy, which whoever sends tables has
        from producers.table_client import TableClient  # the same

        settings = {
            key: str(value).lower() if isinstance(value, bool) else str(value)
            for key, value in self._client_settings().items()
        }
        try:
            return TableClient(
                Librdkafka(confluent_kafka.cimpl.__file__), settings, self._topic, self._complain
            )
        except (LookupError, ValueError) as error:
            self._complaints.append(f"tables are sent row by row, which is slow: {error}")
            return TableByRows(self.send)

    def _complain(self, name: str) -> None:
        self._complaints.append(f"Kafka at {self._settings.bootstrap}: {name}")


def _capacity(settings: KafkaSettings) -> int:
    stated = settings.properties.get("queue.buffering.max.messages", "").strip()
    # what is no number is refused when the sink is opened; 0 is no limit
    return (int(stated) or UNLIMITED) if stated.isdecimal() else QUEUED_MESSAGES


def _is_fatal(error: Any) -> bool:
    # what produce() raises after a fatal error is named so, but does not say that it is fatal
    return bool(error.fatal()) or error.name() == "_FATAL"
