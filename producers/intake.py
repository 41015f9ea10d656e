"""Where a service's threads leave events: a bounded queue that never blocks, and the counts of what it took and lost."""

from __future__ import annotations

import itertools
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from producers import ledger as reasons
from producers.encoded import Encoded
from producers.events import Record
from producers.ledger import Ledger, Tally


class Said(NamedTuple):
    """One event as its caller said it; ``build(**fields)`` makes its record. ``time`` is its event time in µs."""

    stream: str
    build: Callable[..., Record]
    fields: dict[str, Any]
    time: int
    sequence: int


@dataclass(eq=False)
class Marker:
    """A place in the queue: ``reached`` is set once all before it is settled, or at ``deadline`` (monotonic seconds)."""

    deadline: float
    reached: threading.Event = field(default_factory=threading.Event)
    ledger_sent: bool = False


@dataclass(frozen=True)
class Stats:
    """What one logger did in this process. accepted = delivered + failed + sum(dropped) + waiting.

    Attributes:
        accepted: events taken from the caller.
        delivered: acknowledged by Kafka.
        failed: refused by Kafka, or not acknowledged within its delivery timeout.
        dropped: given up here, by reason: queue_full, too_large, invalid, closed.
        waiting: on their way; after `close`, events of which nobody knows whether they arrived.
        fault: why nothing can be sent, in words; empty when all is well.
    """

    producer_id: str
    accepted: int
    delivered: int
    failed: int
    dropped: dict[str, int]
    waiting: int
    fault: str


class Intake:
    """The queue of one logger in one process. Every method may be called by any thread and none waits for I/O.

    Args:
        producer_id: names this process in events and ledger.
        limit: events that may wait; one more is dropped as ``queue_full``.

    Attributes:
        closed: set it, and whatever comes later is dropped as ``closed``.
        lock: held for moments only, around counts.
        settling: rows of tables whose fate is known, and which are counted when that of all rows sent with them is.
    """

    def __init__(self, producer_id: str, limit: int) -> None:
        self.producer_id = producer_id
        self.closed = False
        self.lock = threading.RLock()
        self.settling = 0
        self._limit = limit
        self._queue: deque[Said | Encoded | Marker] = deque()
        self._ledger = Ledger()
        self._numbers = {stream: itertools.count() for stream in ("predictions", "labels", "deployments")}

    def say(self, stream: str, build: Callable[..., Record], fields: dict[str, Any], time: int) -> None:
        """Queue an event, or count it as dropped. ``fields`` get producer_id and sequence where the schema has them."""
        sequence = next(self._numbers[stream])
        if stream != "deployments":
            fields["producer_id"] = self.producer_id
            fields["sequence"] = sequence
        said = Said(stream, build, fields, time, sequence)
        if len(self._queue) < self._limit and not self.closed:
            self._queue.append(said)
            return
        with self.lock:
            self._accept(said).drop(reasons.CLOSED if self.closed else reasons.QUEUE_FULL)

    def reserve(self, stream: str, count: int) -> list[int]:
        """Sequence numbers, in rising order."""
        return list(itertools.islice(self._numbers[stream], count))

    def hand_over(self, messages: Encoded) -> None:
        """Queue encoded messages, which are counted as accepted."""
        messages.accept()
        if self.closed:
            messages.give_up(reasons.CLOSED)
        else:
            self._queue.append(messages)

    def mark(self, marker: Marker) -> None:
        """Put a marker behind everything that was said so far."""
        self._queue.append(marker)

    def queued(self) -> int:
        """Items that wait to be taken."""
        return len(self._queue)

    def take(self, count: int) -> list[tuple[Said | Encoded | Marker, Tally | None]]:
        """Up to ``count`` items in their order; an event comes with the tally that has now accepted it."""
        taken: list[tuple[Said | Encoded | Marker, Tally | None]] = []
        with self.lock:
            while self._queue and len(taken) < count:
                item = self._queue.popleft()
                taken.append((item, self._accept(item) if isinstance(item, Said) else None))
        return taken

    def tally(self, model: str, environment: str, stream: str, time: int) -> Tally:
        """The tally of an account; change it while holding the lock."""
        return self._ledger.tally(model, environment, stream, time)

    def drop(self, tally: Tally, reason: str) -> None:
        """Count one accepted event as given up."""
        with self.lock:
            tally.drop(reason)

    def give_up_rest(self) -> None:
        """Count all that is queued as dropped: the end."""
        self.give_up(self.take(len(self._queue)))

    def give_up(self, taken: Iterable[tuple[Said | Encoded | Marker, Tally | None]]) -> None:
        """Count what was taken and not handed on as dropped."""
        for item, tally in taken:
            if isinstance(item, Marker):
                item.reached.set()
            elif isinstance(item, Encoded):
                item.give_up(reasons.CLOSED)
            else:
                assert tally is not None
                self.drop(tally, reasons.CLOSED)

    def ledger_records(self, sent_at: int, *, closing: bool) -> list[dict[str, object]]:
        """As `Ledger.records`."""
        with self.lock:
            return list(self._ledger.records(self.producer_id, sent_at, closing=closing))

    def losses(self) -> dict[str, int]:
        """Events lost so far: dropped by reason, refused by Kafka by the name of its error."""
        losses: Counter[str] = Counter()
        with self.lock:
            for tally in self._ledger.tallies():
                losses.update(dict(tally.dropped))
                losses.update(dict(tally.failed))
        return dict(losses)

    def delivered(self) -> int:
        """Events acknowledged so far, or about to be counted so."""
        with self.lock:
            return self.settling + sum(tally.delivered for tally in self._ledger.tallies())

    def stats(self, fault: str = "") -> Stats:
        """The counts of this moment."""
        with self.lock:
            tallies = self._ledger.tallies()
            queued = sum(isinstance(item, Said) for item in list(self._queue))
            dropped: Counter[str] = Counter()
            for tally in tallies:
                dropped.update(dict(tally.dropped))
            delivered, failed = sum(t.delivered for t in tallies), sum(t.failed.total() for t in tallies)
            accepted = queued + sum(tally.accepted for tally in tallies)
        settled = delivered + failed + dropped.total()
        return Stats(self.producer_id, accepted, delivered, failed, dict(dropped), accepted - settled, fault)

    def _accept(self, said: Said) -> Tally:
        fields = said.fields
        tally = self._ledger.tally(fields["model"], fields["environment"] or "", said.stream, said.time)
        tally.accept()
        tally.number(said.sequence, said.sequence)
        return tally
