"""How events leave the gateway: the channel of this process, with places kept for a request before it is taken."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from producers.channel import Channel
from producers.delivery import DELIVERED, SPOOLED
from producers.gateway.items import Event
from producers.intake import Stats
from producers.kafka_sink import KafkaSink
from producers.limits import Limits
from producers.registry import registry_of
from producers.said import Settled
from producers.settings import KafkaSettings
from producers.spool import Spool, SpoolSettings

PENDING = "pending"
# an event in one of these is safe
KEPT = frozenset({DELIVERED, SPOOLED})


class Receipt:
    """What became of the events of one durable request. Made in the event loop; settled by the channel's thread.

    Attributes:
        outcomes: one for each event: ``delivered``, ``spooled``, why it was lost, or ``pending``.
        complete: set when none is pending.
    """

    def __init__(self, count: int) -> None:
        self.outcomes = [PENDING] * count
        self.complete = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._left = count
        self._lock = threading.Lock()

    def settles(self, place: int) -> Settled:
        """What to call with the outcome of one event, once."""
        return partial(self._settle, place)

    def _settle(self, place: int, outcome: str) -> None:
        self.outcomes[place] = outcome
        with self._lock:
            self._left -= 1
            last = not self._left
        if last and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self.complete.set)


class Outlet:
    """The way out, used by the event loop only.

    Args:
        channel: of this process.
    """

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._kept = 0

    @contextmanager
    def keep(self, count: int) -> Iterator[bool]:
        """Keep places in the queue for a request's events while it is examined; false where there are not so many."""
        if self._channel.room() - self._kept < count:
            yield False
            return
        self._kept += count
        try:
            yield True
        finally:
            self._kept -= count

    def say(self, stream: str, event: Event, settled: Settled | None) -> str | None:
        """Queue an event; None, or the reason why it is dropped, after which ``settled`` is not called."""
        return self._channel.say_handed(
            stream,
            event.handed,
            model=event.model,
            environment=event.environment,
            time=event.time,
            settled=settled,
        )

    def trouble(self) -> str:
        """Why nothing can be taken now, in words; empty when all is well."""
        if self._channel.room() - self._kept < 1:
            return "no room for another event: Kafka takes them more slowly than they come"
        return self._channel.stats().fault

    def stats(self) -> Stats:
        """The counts of this process."""
        return self._channel.stats()


def kafka_channel(kafka: KafkaSettings, limits: Limits, spool: SpoolSettings) -> Channel:
    """The channel of this process to Kafka.

    Args:
        kafka: where Kafka is.
        limits: what may wait.
        spool: where what Kafka does not take is laid.

    Raises:
        ConfigError: a schema registry's address that is none, or a spool that cannot be used.
    """
    registry = registry_of(kafka)
    disk = None
    if spool.directory is not None:
        disk = Spool(spool.directory, limit_bytes=spool.limit_bytes, sync=spool.sync)
        disk.open()
    return Channel(KafkaSink(kafka), registry, limits, spool=disk)
