"""Consumes messages until there are enough for an insert, or the first of them has waited long enough."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic

from stream_processors.fencing import fatal, is_fatal
from stream_processors.kafka import Consumer, KafkaError, Message

# One call takes at most so many; it returns early where its own time is up. The first of a batch tells how large messages are.
_CHUNK, _FIRST = 10_000, 100
_IDLE_S = 0.2


@dataclass(frozen=True)
class Limits:
    """When a batch is full.

    Attributes:
        messages, bytes: about so many, counted after each chunk.
        linger: seconds that the first message may wait for others.
    """

    messages: int = 120_000
    bytes: int = 48_000_000
    linger: float = 0.5


class LogChanged(Exception):
    """A partition's log is not what it was: its topic was deleted and made anew, or it has expired beyond what comes next."""


def gather(
    client: Consumer,
    limits: Limits,
    stop: threading.Event,
    *,
    failed: Callable[[str], None],
    clock: Callable[[], float] = monotonic,
) -> list[Message]:
    """Messages without errors; empty when nothing came for a fifth of a second.

    Raises:
        ConfigError: another recorder runs with the same slot, or Kafka refuses for good.
        LogChanged: what was consumed with it is let go, to be consumed again.
    """
    found: list[Message] = []
    size = 0
    until = clock() + _IDLE_S
    while not stop.is_set():
        left = until - clock()
        if left <= 0 or len(found) >= limits.messages or size >= limits.bytes:
            break
        # the next ones may be larger
        fitting = (
            min(1 + (limits.bytes - size) * len(found) // max(size, 1), 10 * len(found)) if found else _FIRST
        )
        chunk = client.consume(min(_CHUNK, limits.messages - len(found), fitting), left)
        good = chunk
        if any(map(Message.error, chunk)):
            good = [message for message in chunk if message.error() is None]
            for message in chunk:
                judge(message, failed)
        if good and not found:
            until = clock() + limits.linger
        found += good
        size += sum(map(len, good))
    return found


def judge(message: Message, failed: Callable[[str], None]) -> None:
    """Say the error that stands where a message should.

    Raises:
        ConfigError: Kafka refuses this member for good.
        LogChanged: the log does not hold what comes next.
    """
    error = message.error()
    if error is None:
        return
    if is_fatal(error):
        raise fatal(error, "recorder")
    if error.code() == KafkaError._AUTO_OFFSET_RESET:  # noqa: SLF001 - public constant
        raise LogChanged(f"{message.topic()}-{message.partition()}: its log does not hold what comes next")
    # of a partition, such as one that this user may not read, or of the client
    where = f"{message.topic()}: " if message.topic() else ""
    failed(f"{where}Kafka: {error.name()}")
