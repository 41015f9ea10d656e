"""One segment of the spool on its way back to Kafka."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable
from typing import TYPE_CHECKING

from producers.sink import FOR_GOOD, Refusal, Report, Sent, Sink, SinkFull, SinkRefused

if TYPE_CHECKING:
    from producers.spool import Segment, Spooled

# messages of a segment that may be under way at once, so that what is said meanwhile finds room too
UNDER_WAY = 5_000
LEDGER = "ledger"

Account = tuple[str, str, str, int]
"""Stream, model, environment, hour of event time in µs."""


class Replay:
    """Sends a claimed segment's messages in their order. Used by the thread that uses the sink.

    Args:
        segment: claimed; it is deleted when all of it is acknowledged or refused for good, else released.
        sink: Kafka.
        heard: called when Kafka acknowledges a message.

    Attributes:
        in_flight: messages that were sent and not reported on.
        ended: the segment was deleted or released.
        whole: it was deleted.
        delivered, refused: per account the messages acknowledged, and refused by the name of the error; ledgers, which are
            accounts themselves, are left out.
    """

    def __init__(self, segment: Segment, sink: Sink, *, heard: Callable[[], None]) -> None:
        self.in_flight = 0
        self.ended = False
        self.whole = False
        self.delivered: Counter[Account] = Counter()
        self.refused: dict[Account, Counter[str]] = defaultdict(Counter)
        self._segment = segment
        self._sink = sink
        self._heard = heard
        self._messages = iter(segment.messages())
        self._next: Spooled | None = next(self._messages, None)
        self._not_taken = False

    def step(self, limit: int | None = None) -> None:
        """Send as many as there is room for; end where all is reported on. ``limit``: messages under way at most."""
        limit = UNDER_WAY if limit is None else limit
        while self._next is not None and self.in_flight < limit and not self._not_taken:
            if not self._sent(self._next):
                return
            self._next = next(self._messages, None)
        if not self.in_flight and (self._next is None or self._not_taken):
            self._end()

    def abandon(self) -> None:
        """Give the segment back: whoever claims it next begins anew."""
        self._not_taken = True
        self._end()

    def _end(self) -> None:
        if not self.ended:
            self.ended = True
            self.whole = not self._not_taken
            (self._segment.done if self.whole else self._segment.release)()

    def _sent(self, message: Spooled) -> bool:
        account = message.stream, message.model, message.environment, message.hour
        self.in_flight += 1
        try:
            self._sink.send(message.stream, message.key, message.value, self._report(account))
        except SinkFull:
            self.in_flight -= 1
            return False
        except SinkRefused as refused:
            self._reported(account, refused.name())
        return True

    def _report(self, account: Account) -> Report:
        def report(refusal: Refusal | None, message: Sent) -> None:
            self._reported(account, "" if refusal is None else refusal.name())

        return report

    def _reported(self, account: Account, name: str) -> None:
        self.in_flight -= 1
        if not name:
            self._heard()
        elif name not in FOR_GOOD:
            self._not_taken = True
            return
        if account[0] != LEDGER:
            if name:
                self.refused[account][name] += 1
            else:
                self.delivered[account] += 1
