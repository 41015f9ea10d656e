"""Where a service's threads leave events: a bounded queue that never blocks, and the counts of what it took and lost."""

from __future__ import annotations

import itertools
import threading
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass

from producers import ledger as reasons
from producers.encoded import Encoded
from producers.ledger import HOUR, Ledger, Tally
from producers.limits import Limits
from producers.said import Kind, Marker, Said


@dataclass(frozen=True)
class Stats:
    """What one logger did in this process. accepted = delivered + failed + sum(dropped) + spooled + waiting.

    Attributes:
        accepted: events taken from the caller.
        delivered: acknowledged by Kafka.
        failed: refused by Kafka, or not acknowledged within its delivery timeout.
        dropped: given up here, by reason: queue_full, too_large, invalid, sampled, spool_full, closed.
        waiting: on their way; after `close`, events of which nobody knows whether they arrived.
        fault: why nothing can be sent, in words; empty when all is well.
        spooled: laid on disk because Kafka did not take them.
        replayed: delivered from the disk, whoever laid them there.
        failures: ``failed`` by librdkafka's name of the error.
    """

    producer_id: str
    accepted: int
    delivered: int
    failed: int
    dropped: dict[str, int]
    waiting: int
    fault: str
    spooled: int = 0
    replayed: int = 0
    failures: dict[str, int] | None = None


class Intake:
    """The queue of one logger in one process. Every method may be called by any thread and none waits for I/O.

    Args:
        producer_id: names this process in events and ledger.
        limits: what may wait; what is more is dropped as ``queue_full``.

    Attributes:
        closed: set it, and whatever comes later is dropped as ``closed``.
        lock: held for moments only, around counts.
        behind: events that were taken from here, and wait for the sink.
        bytes_behind: their size.
        settling: rows of tables whose fate is known, and which are counted when that of all rows sent with them is.
    """

    def __init__(self, producer_id: str, limits: Limits) -> None:
        self.producer_id = producer_id
        self.limits = limits
        self.closed = False
        self.lock = threading.RLock()
        self.behind = 0
        self.bytes_behind = 0
        self.settling = 0
        self._queue: deque[Said | Encoded | Marker] = deque()
        self._ledger = Ledger()
        self._newest: tuple[Kind, str, int, int, Tally] | None = None
        self._numbers = {stream: itertools.count() for stream in ("predictions", "labels", "deployments")}

    def say(self, said: Said) -> str | None:
        """Queue an event, or count it as dropped and return why."""
        limits = self.limits
        if (
            len(self._queue) + self.behind < limits.events
            and self.bytes_behind < limits.bytes
            and not self.closed
        ):
            self._queue.append(said)
            return None
        return self._without_room(said)

    def room(self) -> int:
        """Events that would find room now."""
        if self.closed or self.bytes_behind >= self.limits.bytes:
            return 0
        return max(0, self.limits.events - len(self._queue) - self.behind)

    def next_number(self, stream: str) -> int:
        """The next sequence number of a stream: an event has one when it is handed on."""
        return next(self._numbers[stream])

    def reserve(self, stream: str, count: int) -> list[int]:
        """Sequence numbers for many, in rising order."""
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
                if isinstance(item, Said):
                    taken.append((item, self._accept(item)))
                    self.behind += 1
                else:
                    taken.append((item, None))
        return taken

    def tally(self, model: str, environment: str, stream: str, time: int) -> Tally:
        """The tally of an account; change it while holding the lock."""
        return self._ledger.tally(model, environment, stream, time)

    def drop_taken(self, said: Said, tally: Tally, reason: str) -> None:
        """Count an event as given up that was taken, and is not handed on."""
        self.behind -= 1
        self._drop(said, tally, reason)

    def give_up_rest(self) -> None:
        """Count all that is queued as dropped: the end."""
        for item, tally in self.take(len(self._queue)):
            if isinstance(item, Marker):
                item.reached.set()
            elif isinstance(item, Encoded):
                item.give_up(reasons.CLOSED)
            else:
                assert tally is not None
                self._drop(item, tally, reasons.CLOSED)

    def ledger_records(
        self, sent_at: int, *, queue_limit: int, everything: bool, closing: bool = False
    ) -> list[dict[str, object]]:
        """As `Ledger.records`."""
        with self.lock:
            return list(
                self._ledger.records(
                    self.producer_id, sent_at, queue_limit=queue_limit, everything=everything, closing=closing
                )
            )

    def tell_again(self, record: Mapping[str, object]) -> None:
        """Have a ledger's account sent again: this one did not arrive, and nothing may change there any more."""
        with self.lock:
            account = (str(record["model"]), str(record["environment"]), str(record["stream"]))
            self._ledger.tally(*account, int(str(record["hour"]))).changed = True

    def touch(self) -> None:
        """As `Ledger.touch`."""
        with self.lock:
            self._ledger.touch()

    def losses(self) -> dict[str, int]:
        """Events lost so far: dropped by reason, refused by Kafka by the name of its error."""
        losses: Counter[str] = Counter()
        with self.lock:
            for tally in self._ledger.tallies():
                losses.update(dict(tally.dropped))
                losses.update(dict(tally.failed))
        del losses[reasons.SAMPLED]  # as it was asked for
        return dict(losses)

    def delivered(self) -> int:
        """Events acknowledged so far, or about to be counted so, or laid in the spool."""
        with self.lock:
            return self.settling + sum(tally.delivered + tally.spooled for tally in self._ledger.tallies())

    def stats(self, fault: str = "") -> Stats:
        """The counts of this moment."""
        with self.lock:
            tallies = self._ledger.tallies()
            queued = sum(isinstance(item, Said) for item in list(self._queue))
            dropped: Counter[str] = Counter()
            failed: Counter[str] = Counter()
            for tally in tallies:
                dropped.update(dict(tally.dropped))
                failed.update(dict(tally.failed))
            delivered, spooled = sum(t.delivered for t in tallies), sum(t.spooled for t in tallies)
            accepted = queued + sum(tally.accepted for tally in tallies)
            replayed = sum(t.replayed for t in tallies)
        settled = delivered + failed.total() + dropped.total() + spooled
        return Stats(
            self.producer_id,
            accepted,
            delivered,
            failed.total(),
            dict(dropped),
            accepted - settled,
            fault,
            spooled,
            replayed,
            dict(failed),
        )

    def _without_room(self, said: Said) -> str | None:
        if self.closed:
            with self.lock:
                self._accept(said).drop(reasons.CLOSED)
            return reasons.CLOSED
        if self.limits.drop == "newest":
            with self.lock:
                self._accept(said).drop(reasons.QUEUE_FULL)
            return reasons.QUEUE_FULL
        self._queue.append(said)
        # what waits behind is older, and the sender's to drop
        if len(self._queue) > self.limits.events:
            self._drop_oldest()
        return None

    def _drop_oldest(self) -> None:
        """Give up the event that waits longest here; tables and marks stay, behind what was said with them."""
        passed: list[Encoded | Marker] = []
        with self.lock:
            while self._queue:
                item = self._queue.popleft()
                if isinstance(item, Said):
                    tally = self._accept(item)
                    tally.drop(reasons.QUEUE_FULL)
                    break
                passed.append(item)
            else:
                item = None
            self._queue.extendleft(reversed(passed))
        if isinstance(item, Said) and item.settled is not None:
            item.settled(reasons.QUEUE_FULL)

    def _drop(self, said: Said, tally: Tally, reason: str) -> None:
        with self.lock:
            tally.drop(reason)
        if said.settled is not None:
            said.settled(reason)

    def _accept(self, said: Said) -> Tally:
        kind, _, environment, time, _ = said
        newest = self._newest
        if (
            newest is not None
            and newest[0] is kind
            and newest[1] == environment
            and newest[2] <= time < newest[3]
        ):
            tally = newest[4]
        else:
            tally = self._ledger.tally(kind.model, environment, kind.stream, time)
            hour = tally.account.hour
            self._newest = kind, environment, hour, hour + HOUR, tally
        tally.accepted += 1
        tally.changed = True
        return tally
