"""What waits in a logger's queue: events as they were said, and marks that flushes wait for."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from producers.errors import InvalidEvent
from producers.events import Record

Settled = Callable[[str], None]
"""Told once, on the sender's thread, what became of an event: ``delivered``, ``spooled``, or the reason why it was lost."""

Handed = tuple[bytes, bytes, bytes]
"""A message's key, and its body before and after the fields producer_id and sequence."""


class Kind(Protocol):
    """How events of one stream are made from what was said.

    Attributes:
        stream: their topic without prefix.
        model: the model they are about.
    """

    stream: str
    model: str

    def record(self, given: Any) -> Record:
        """The event's record without producer_id and sequence; raises `InvalidEvent`."""

    def body(self, given: Any) -> Handed | None:
        """Key and body in short, where that can be had; raises `InvalidEvent`, or a lesser error that sends it the long way."""


class Said(NamedTuple):
    """One event as its caller said it. ``time`` is its event time, µs since 1970."""

    kind: Kind
    given: Any
    environment: str
    time: int
    settled: Settled | None = None


class RecordKind:
    """Events whose record was made, and examined, in the call."""

    def __init__(self, stream: str, model: str) -> None:
        self.stream = stream
        self.model = model

    def record(self, given: Record) -> Record:
        """The record itself."""
        return given

    def body(self, given: Record) -> None:
        """There is no shorter way."""


class HandedKind:
    """Events whose key and body were made, and examined, in the call. No contract at the source may be set: it reads records."""

    def __init__(self, stream: str, model: str) -> None:
        self.stream = stream
        self.model = model

    def record(self, given: Handed) -> Record:
        """There is none any more."""
        raise InvalidEvent("record", "was encoded where the event was said")

    def body(self, given: Handed) -> Handed:
        """What was made."""
        return given


@dataclass(eq=False)
class Marker:
    """A place in the queue: ``reached`` is set once all before it is settled, or at ``deadline`` (monotonic seconds)."""

    deadline: float
    reached: threading.Event = field(default_factory=threading.Event)
    ledger_sent: bool = False
