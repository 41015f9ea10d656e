"""A producer's own count of what it took and what became of it: the side of the account that only it can know."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from producers.sink import PURGED, PURGED_IN_FLIGHT, TOO_LARGE, Report

HOUR = 3_600_000_000

QUEUE_FULL = "queue_full"
INVALID = "invalid"
OVERSIZE = "too_large"
CLOSED = "closed"
SAMPLED = "sampled"
SPOOL_FULL = "spool_full"


class Account(NamedTuple):
    """What is counted apart. ``hour`` is the start of the hour of event time, µs since 1970.

    The event time of a label is its reported_at, of a deployment its valid_from. A label that holds for every
    environment is counted under environment ''.
    """

    model: str
    environment: str
    stream: str
    hour: int


@dataclass
class Tally:
    """The cumulative counts of one account. accepted = delivered + failed + dropped + spooled + what is on its way.

    ``failed`` is by librdkafka's name of the error, ``dropped`` by our reason. ``replayed`` counts events delivered from
    the spool, whoever accepted them. ``report`` is the delivery's, which hears by it what becomes of the messages.
    """

    account: Account
    accepted: int = 0
    delivered: int = 0
    failed: Counter[str] = field(default_factory=Counter)
    dropped: Counter[str] = field(default_factory=Counter)
    spooled: int = 0
    replayed: int = 0
    first_sequence: int | None = None
    last_sequence: int | None = None
    changed: bool = False
    report: Report | None = None

    def accept(self, count: int = 1) -> None:
        """Count events as taken from the caller."""
        self.accepted += count
        self.changed = True

    def number(self, first: int, last: int) -> None:
        """Note the sequence numbers of events that are handed on."""
        if self.first_sequence is None or first < self.first_sequence:
            self.first_sequence = first
        if self.last_sequence is None or last > self.last_sequence:
            self.last_sequence = last

    def drop(self, reason: str, count: int = 1) -> None:
        """Count events given up."""
        self.dropped[reason] += count
        self.changed = True

    def spool(self, count: int = 1) -> None:
        """Count events laid in the spool."""
        self.spooled += count
        self.changed = True

    def replay(self, count: int = 1) -> None:
        """Count events delivered from the spool."""
        self.replayed += count
        self.changed = True

    def deliver(self, count: int = 1) -> None:
        """Count events acknowledged."""
        self.delivered += count
        self.changed = True

    def lose(self, name: str) -> str:
        """Count one event as refused with librdkafka's name of the error; returns what it is counted as.

        A message that may or may not have arrived stays on its way.
        """
        if name == PURGED_IN_FLIGHT:
            return name
        reason = _REASONS.get(name)
        if reason is None:
            self.failed[name] += 1
            self.changed = True
        else:
            self.drop(reason)
        return reason or name


# what librdkafka calls by another name, and is no fault of the broker's
_REASONS = {TOO_LARGE: OVERSIZE, PURGED: CLOSED}


class Ledger:
    """All tallies of one producer process. Not safe for threads by itself."""

    def __init__(self) -> None:
        self._tallies: dict[Account, Tally] = {}
        self._sent_at = 0

    def tally(self, model: str, environment: str, stream: str, time: int) -> Tally:
        """The tally of the account that an event of this time (µs) belongs to."""
        account = Account(model, environment, stream, time - time % HOUR)
        found = self._tallies.get(account)
        if found is None:
            found = self._tallies[account] = Tally(account)
        return found

    def tallies(self) -> list[Tally]:
        """Every tally."""
        return list(self._tallies.values())

    def records(
        self, producer_id: str, sent_at: int, *, queue_limit: int, everything: bool, closing: bool = False
    ) -> Iterator[dict[str, object]]:
        """Records of the ledger's schema: what changed since the last call, or ``everything``. Counts are cumulative.

        The newest ``sent_at`` counts: each call's is greater than that of the one before, also where the clock was set back.
        """
        self._sent_at = sent_at = max(sent_at, self._sent_at + 1)
        for account, tally in list(self._tallies.items()):
            if not tally.changed and not everything:
                continue
            tally.changed = False
            yield {
                "producer_id": producer_id,
                **account._asdict(),
                "accepted": tally.accepted,
                "delivered": tally.delivered,
                "spooled": tally.spooled,
                "replayed": tally.replayed,
                "dropped": dict(tally.dropped),
                "failed": tally.failed.total(),
                "first_sequence": tally.first_sequence,
                "last_sequence": tally.last_sequence,
                "sent_at": sent_at,
                "closing": closing,
                "queue_limit": queue_limit,
            }

    def touch(self) -> None:
        """Have the account of the newest hour sent again: a sign of life of a producer that has nothing to say."""
        if self._tallies:
            self._tallies[max(self._tallies, key=lambda account: account.hour)].changed = True
