"""The client that sends tables: all messages of a part in one call, their deliveries counted in one number.

librdkafka reports only what was refused; a part is acknowledged when nothing of it waits any more and the rest was not
refused. So one part is under way at a time, and neither a message nor its delivery costs a step in Python.
The messages are not copied either: they lie where they were encoded until their part is settled.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from producers.arrow_memory import offsets
from producers.librdkafka import (
    EVENT_DELIVERY,
    FATAL,
    MESSAGE,
    PURGE_QUEUE_AND_FLIGHT,
    UNASSIGNED,
    Librdkafka,
)
from producers.sink import Refusal, SinkFull, SinkRefused, TableRows

# the client's own limits must not get in the way of a part, which is bounded already
_LIMITS = {
    "queue.buffering.max.messages": "10000000",
    "queue.buffering.max.kbytes": "2097151",
    "delivery.report.only.error": "true",
}


class TableClient:
    """Sends tables to Kafka. One thread at a time uses it.

    Args:
        library: librdkafka.
        settings: as for any producer.
        topic: a stream's full topic.
        complain: told the names of errors of its connections.

    Raises:
        ValueError: librdkafka refuses the settings.
    """

    def __init__(
        self,
        library: Librdkafka,
        settings: Mapping[str, str],
        topic: Callable[[str], str],
        complain: Callable[[str], None],
    ) -> None:
        self._library = library
        self._settings = {**settings, **_LIMITS}
        self._topic = topic
        self._complain = complain
        self._client = self._queue = 0
        self._topics: dict[str, int] = {}
        self._rows: TableRows | None = None
        self._held: pa.BinaryArray | None = None
        self._refused: list[tuple[int, Refusal]] = []
        self._open()

    def ready(self) -> bool:
        """Whether nothing is under way."""
        return self._rows is None

    def send(self, rows: TableRows) -> None:
        """Take the messages of a table; see `Sink.send_table`."""
        if self._rows is not None or not (self._client or self._open_again()):
            raise SinkFull
        assert rows.values is not None
        messages = _messages(rows.keys, rows.values)
        count = len(messages)
        taken = self._library.produce_batch(
            self._topic_of(rows.stream), UNASSIGNED, 0, messages.ctypes.data, count
        )
        if count and taken == 0 and messages["error"][0] == FATAL:
            self.close()  # it will never send again; the next attempt makes another
            raise SinkFull
        self._rows = rows
        self._hold(rows.values)
        errors = messages["error"] if taken != count else np.empty(0, np.int32)
        self._refused = [(int(place), self._refusal(int(errors[place]))) for place in np.flatnonzero(errors)]

    def poll(self, seconds: float) -> None:
        """Wait up to so long for the end of what is under way, and report on it."""
        if not self._client:
            return
        left = self._rows is not None and self._library.flush(self._client, int(seconds * 1000))
        self._hear()
        if self._rows is None:
            return
        if left and self._library.flush(self._client, 0):
            self._rows.progress(min(len(self._rows.keys), self._library.outq_len(self._client)))
            return
        rows, self._rows = self._rows, None
        self._let_go()
        rows.settled(sorted(self._refused, key=lambda one: one[0]))

    def waiting(self) -> int:
        """Messages whose fate is not known."""
        return 0 if self._rows is None else max(1, self._library.outq_len(self._client))

    def purge(self) -> None:
        """Give up what waits; see `Sink.purge`."""
        if self._client:
            self._library.purge(self._client, PURGE_QUEUE_AND_FLIGHT)

    def close(self) -> None:
        """Let go of the client and its threads."""
        for topic in self._topics.values():
            self._library.topic_destroy(topic)
        self._topics.clear()
        if self._client:
            client, self._client = self._client, 0
            self._library.queue_destroy(self._queue)
            self._library.destroy(client)  # which ends its threads
            self._let_go()

    def _open(self) -> None:
        self._client = self._library.client(self._settings)
        self._queue = self._library.queue_get_main(self._client)

    def _open_again(self) -> bool:
        """Another client in the place of one that died; false where what that one had, such as a thread, is missing now."""
        try:
            self._open()
        except ValueError:
            self._complain("_INVALID_ARG")
        return bool(self._client)

    def _hold(self, values: pa.BinaryArray) -> None:
        """Keep messages in memory whatever becomes of us: the client's threads read them where they lie."""
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(values))
        self._held = values

    def _let_go(self) -> None:
        held, self._held = self._held, None
        if held is not None:
            ctypes.pythonapi.Py_DecRef(ctypes.py_object(held))

    def _topic_of(self, stream: str) -> int:
        if stream not in self._topics:
            self._topics[stream] = self._library.topic_new(self._client, self._topic(stream).encode(), None)
        return self._topics[stream]

    def _hear(self) -> None:
        """Take note of refused messages, and of what the connections suffer from."""
        library = self._library
        while event := library.queue_poll(self._queue, 0):
            if library.event_type(event) == EVENT_DELIVERY:
                while message := library.event_message_next(event):
                    found = message.contents
                    if found.error:  # delivered ones are not reported
                        self._refused.append((found.private - 1, self._refusal(found.error)))
            elif library.event_error(event):
                self._complain(library.name_of(library.event_error(event)))
            library.event_destroy(event)

    def _refusal(self, error: int) -> Refusal:
        return SinkRefused(self._library.name_of(error))


def _messages(keys: pa.StringArray, values: pa.BinaryArray) -> npt.NDArray[np.void]:
    """rd_kafka_message_t of each row; ``private`` is its place, from 1."""
    messages = np.zeros(len(keys), MESSAGE)
    messages["private"] = np.arange(1, len(keys) + 1)
    for column, start, length in ((keys, "key", "key_len"), (values, "payload", "len")):
        places, data = offsets(column), column.buffers()[2]
        messages[start] = (data.address if data is not None else 0) + places[:-1].astype(np.uint64)
        messages[length] = np.diff(places)
    return messages
