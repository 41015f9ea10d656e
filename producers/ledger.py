"""A producer's own count of what it took and what became of it: the side of the account that only it can know."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from producers.sink import PURGED, PURGED_IN_FLIGHT, TOO_LARGE, Refusal

HOUR = 3_600_000_000

QUEUE_FULL = "queue_full"
INVALID = "invalid"
OVERSIZE = "too_large"
CLOSED = "closed"


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
    """The cumulative counts of one account. accepted = delivered + failed + dropped + what is on its way.

    ``failed`` is by librdkafka's name of the error, ``dropped`` by our reason.
    """

    accepted: int = 0
    delivered: int = 0
    failed: Counter[str] = field(default_factory=Counter)
    dropped: Counter[str] = field(default_factory=Counter)
    first_sequence: int | None = None
    last_sequence: int | None = None
    changed: bool = False

    def accept(self, count: int = 1) -> None:
        """Count events as taken from the caller."""
        self.accepted += count
        self.changed = True

    def number(self, first: int, last: int) -> None:
        """Note the sequence numbers of events that are handed on."""
        self.first_sequence = first if self.first_sequence is None else min(first, self.first_sequence)
        self.last_sequence = last if self.last_sequence is None else max(last, self.last_sequence)
        self.changed = True

    def drop(self, reason: str, count: int = 1) -> None:
        """Count events given up."""
        self.dropped[reason] += count
        self.changed = True

    def deliver(self, count: int = 1) -> None:
        """Count events acknowledged."""
        self.delivered += count
        self.changed = True

    def report(self, refusal: Refusal | None, _message: object = None) -> None:
        """Count what became of one message; a message that may or may not have arrived stays on its way."""
        self.changed = True
        if refusal is None:
            self.delivered += 1
            return
        name = refusal.name()
        if name == TOO_LARGE:
            self.drop(OVERSIZE)
        elif name == PURGED:
            self.drop(CLOSED)
        elif name != PURGED_IN_FLIGHT:
            self.failed[name] += 1


class Ledger:
    """All tallies of one producer process. Not safe for threads by itself."""

    def __init__(self) -> None:
        self._tallies: dict[Account, Tally] = {}

    def tally(self, model: str, environment: str, stream: str, time: int) -> Tally:
        """The tally of the account that an event of this time (µs) belongs to."""
        account = Account(model, environment, stream, time - time % HOUR)
        found = self._tallies.get(account)
        if found is None:
            found = self._tallies[account] = Tally()
        return found

    def tallies(self) -> list[Tally]:
        """Every tally."""
        return list(self._tallies.values())

    def records(self, producer_id: str, sent_at: int, *, closing: bool) -> Iterator[dict[str, object]]:
        """Records of ledger.v1: what changed since the last call, or everything at ``closing``. Counts are cumulative."""
        for account, tally in list(self._tallies.items()):
            if not tally.changed and not closing:
                continue
            tally.changed = False
            yield {
                "producer_id": producer_id,
                **account._asdict(),
                "accepted": tally.accepted,
                "delivered": tally.delivered,
                "spooled": 0,
                "replayed": 0,
                "dropped": dict(tally.dropped),
                "failed": tally.failed.total(),
                "first_sequence": tally.first_sequence,
                "last_sequence": tally.last_sequence,
                "sent_at": sent_at,
                "closing": closing,
            }
