"""Doubles for the tests of services that log predictions; they pass the contract tests of the real things.

::

    from producers import PredictionLogger
    from producers.testing import MemorySink

    sink = MemorySink()
    with PredictionLogger(model="m", model_version="1", sink=sink) as log:
        log.prediction(features={"age": 41.0}, score=0.7)
    assert sink.records("predictions")[0]["score"] == 0.7
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass
from typing import Any

from producers.codec import decode
from producers.errors import UnknownSchema
from producers.schema_files import Schema
from producers.sink import PURGED, TIMED_OUT, TOO_LARGE, Refusal, Report, SinkFull, SinkRefused, TableRows
from producers.topics import topics


@dataclass(frozen=True)
class Message:
    """One message as it would stand in the log; ``stream`` is the topic without prefix."""

    stream: str
    key: bytes
    value: bytes


@dataclass(frozen=True)
class _Sent:
    message: Message

    def key(self) -> bytes:
        return self.message.key

    def value(self) -> bytes:
        return self.message.value


@dataclass(frozen=True)
class _Refusal:
    reason: str

    def name(self) -> str:
        return self.reason


class _Table:
    """Messages of a table under way."""

    def __init__(self, rows: TableRows) -> None:
        assert rows.values is not None
        self.rows = rows
        self.refused: list[tuple[int, Refusal]] = []
        keys = [key.encode() for key in rows.keys.to_pylist()]
        self.waiting = deque(
            enumerate(map(Message, [rows.stream] * len(keys), keys, rows.values.to_pylist()))
        )


class MemorySink:
    """A log in memory, with the faults of a real one at hand.

    Args:
        max_bytes: a message (key and value) beyond this is refused, as by Kafka's default.
        capacity: how many messages may wait for their report before the sink is full; a table has a place of its own.
        pace: how many messages one poll acknowledges, taking all of its time; 0: all that wait, at once.

    Attributes:
        messages: what was acknowledged, in order.
        away: set it to true and the log stops answering; what is sent waits.
        refuse: streams whose messages are refused, with the error's name.
    """

    def __init__(self, *, max_bytes: int = 1_000_000, capacity: int = 100_000, pace: int = 0) -> None:
        self.messages: list[Message] = []
        self.away = False
        self.refuse: dict[str, str] = {}
        self.capacity = capacity
        self._max_bytes = max_bytes
        self._pace = pace
        self._waiting: deque[tuple[Message, Report] | _Table] = deque()
        self._purged: list[tuple[Message, Report]] = []
        self._late = False
        self._arrival = threading.Event()

    def records(self, stream: str) -> list[dict[str, Any]]:
        """The decoded records acknowledged on a stream, such as ``predictions``."""
        return [decode(message.value)[1] for message in self.messages if message.stream == stream]

    def open(self) -> None:
        """There is nothing to open."""

    def send(self, stream: str, key: bytes, value: bytes, report: Report) -> None:
        """Take a message; see `Sink.send`."""
        if len(key) + len(value) > self._max_bytes:
            raise SinkRefused(TOO_LARGE)
        if len(self._waiting) >= self.capacity:
            raise SinkFull
        self._waiting.append((Message(stream, key, value), report))
        self._arrival.set()

    def takes_table(self) -> bool:
        """Whether none is under way."""
        return not any(isinstance(one, _Table) for one in self._waiting)

    def send_table(self, rows: TableRows) -> None:
        """Take the messages of a table; see `Sink.send_table`."""
        if not self.takes_table():
            raise SinkFull
        self._waiting.append(_Table(rows))
        self._arrival.set()

    def poll(self, seconds: float) -> None:
        """Acknowledge what waits, unless away; see `Sink.poll`."""
        if self._pace or (not self._purged and (self.away or not self._waiting)):
            self._arrival.clear()
            self._arrival.wait(seconds)
        if self._late:
            self._late = False
            for message, report in self._given_up(TIMED_OUT):
                report(_Refusal(TIMED_OUT), _Sent(message))
        while self._purged:
            message, report = self._purged.pop()
            report(_Refusal(PURGED), _Sent(message))
        left = self._pace or self.waiting()
        while left and self._waiting and not self.away:
            first = self._waiting[0]
            if isinstance(first, _Table):
                left -= self._acknowledge(first, left)
                if first.waiting:
                    break
            self._waiting.popleft()
            if isinstance(first, _Table):
                first.rows.settled(first.refused)
                continue
            left -= 1
            message, report = first
            name = self._arrived(message)
            report(None if name is None else _Refusal(name), _Sent(message))

    def waiting(self) -> int:
        """Messages taken and not reported on."""
        sizes = (max(1, len(one.waiting)) if isinstance(one, _Table) else 1 for one in self._waiting)
        return sum(sizes) + len(self._purged)

    def purge(self) -> None:
        """Give up what waits; see `Sink.purge`."""
        self._purged += self._given_up(PURGED)

    def complaints(self) -> list[str]:
        """None: memory does not suffer."""
        return []

    def close(self) -> None:
        """Drop what waits; the acknowledged messages stay readable."""
        self._waiting.clear()
        self._purged.clear()

    def time_out(self) -> None:
        """Have the next `poll` report what waits as not delivered in time, as a real log does that is away for long."""
        self._late = True
        self._arrival.set()

    def be_brief(self) -> None:
        """Memory is as brief as it is told to be; see `time_out`."""

    def for_child(self) -> MemorySink:
        """A new log of the same size: a child's memory is its own."""
        return MemorySink(max_bytes=self._max_bytes, capacity=self.capacity, pace=self._pace)

    def _given_up(self, name: str) -> list[tuple[Message, Report]]:
        """Let go of what waits: tables are reported on, single messages returned."""
        given_up, self._waiting = self._waiting, deque()
        singles = []
        for one in given_up:
            if isinstance(one, _Table):
                refused = [(place, _Refusal(name)) for place, _ in one.waiting]
                one.rows.settled([*one.refused, *refused])
            else:
                singles.append(one)
        return singles

    def _acknowledge(self, table: _Table, most: int) -> int:
        """Let so many messages of a table arrive; returns how many there were."""
        count = min(most, len(table.waiting))
        for _ in range(count):
            place, message = table.waiting.popleft()
            name = self._arrived(message)
            if name is not None:
                table.refused.append((place, _Refusal(name)))
        table.rows.progress(len(table.waiting))
        return count

    def _arrived(self, message: Message) -> str | None:
        """Keep a message, or name the error with which it is refused."""
        name = self.refuse.get(message.stream)
        if len(message.key) + len(message.value) > self._max_bytes:
            name = TOO_LARGE
        elif name is None and message.stream not in topics():
            name = "UNKNOWN_TOPIC_OR_PART"
        if name is None:
            self.messages.append(message)
        return name


class MemoryRegistry:
    """A schema registry in memory; gives ids from 1."""

    def __init__(self) -> None:
        self._schemas: list[Schema] = []

    def id_of(self, schema: Schema) -> int:
        """The schema's id, given at first sight."""
        if schema not in self._schemas:
            self._schemas.append(schema)
        return self._schemas.index(schema) + 1

    def schema_of(self, schema_id: int) -> Schema:
        """The schema of an id; raises `UnknownSchema`."""
        if not 1 <= schema_id <= len(self._schemas):
            raise UnknownSchema(f"registry id {schema_id}")
        return self._schemas[schema_id - 1]
