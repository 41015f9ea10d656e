"""One segment of the spool on its way back to Kafka, beside other messages: step by step, as the sink has room."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial

from producers.errors import SpoolUnavailable
from producers.sink import FOR_GOOD, Refusal, Sent, Sink, SinkFull, SinkRefused
from producers.spool.message import Spooled
from producers.spool.segment import Segment
from producers.spool.spool import Spool, SpoolFull

# messages of a segment that may be under way at once, so that what is said meanwhile finds room too
UNDER_WAY = 5_000
LEDGER = "ledger"

Account = tuple[str, str, str, int]
"""Stream, model, environment, hour of event time in µs."""


class SegmentSending:
    """Sends a claimed segment's messages in their order. Used by the thread that uses the sink.

    Args:
        segment: claimed; it is deleted when all of it is acknowledged or refused for good, else released.
        spool: where it is from, and what is refused for good is set aside.
        sink: Kafka.
        heard: called when Kafka acknowledges a message.

    Attributes:
        in_flight: messages that were sent and not reported on.
        ended: the segment was deleted or released.
        whole: it was deleted.
        delivered: messages acknowledged per account; ledgers, which are accounts themselves, are left out.
        refused: messages that Kafka refused for good, and that are set aside in the spool.
    """

    def __init__(self, segment: Segment, spool: Spool, sink: Sink, *, heard: Callable[[], None]) -> None:
        self.in_flight = 0
        self.ended = False
        self.whole = False
        self.delivered: Counter[Account] = Counter()
        self.refused: list[Spooled] = []
        self._segment = segment
        self._spool = spool
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
        if self.ended:
            return
        self.ended = True
        if not self._not_taken and self.refused:
            try:
                self._spool.set_aside(self.refused)
            except (SpoolFull, SpoolUnavailable):
                self._not_taken = True  # what cannot be set aside stays where it is
        self.whole = not self._not_taken
        try:
            (self._segment.done if self.whole else self._segment.release)()
        except SpoolUnavailable:
            self._segment.release()

    def _sent(self, message: Spooled) -> bool:
        self.in_flight += 1
        try:
            self._sink.send(message.stream, message.key, message.value, partial(self._report, message))
        except SinkFull:
            self.in_flight -= 1
            return False
        except SinkRefused as refused:
            self._settle(message, refused.name())
        return True

    def _report(self, message: Spooled, refusal: Refusal | None, _: Sent) -> None:
        self._settle(message, "" if refusal is None else refusal.name())

    def _settle(self, message: Spooled, name: str) -> None:
        self.in_flight -= 1
        if not name:
            self._heard()
            if message.stream != LEDGER:
                self.delivered[message.stream, message.model, message.environment, message.hour] += 1
        elif name in FOR_GOOD:
            self.refused.append(message)
        else:
            self._not_taken = True
