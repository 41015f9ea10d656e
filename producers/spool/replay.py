"""Delivering what lies in a spool: segment by segment, in order, each deleted once Kafka has acknowledged all of it."""

from __future__ import annotations

import contextlib
import functools
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from producers.codec import Registry, encode
from producers.errors import BrokerUnavailable, ConfigError, HindcastError, SpoolUnavailable
from producers.ids import new_id
from producers.ledger import Ledger
from producers.sink import FOR_GOOD, Refusal, Sink, SinkFull, SinkRefused
from producers.spool.container import Damage
from producers.spool.message import Spooled
from producers.spool.segment import Segment
from producers.spool.spool import Spool, SpoolFull

POLL_S = 0.1
TURN = 256
LEDGER_S = 5.0
NO_STREAM = "no_such_stream"  # our own name: a message for a topic that is none of ours
# and those that a person must do something about
_UNKNOWN_TOPIC = {"_UNKNOWN_TOPIC", "UNKNOWN_TOPIC_OR_PART"}
_FORBIDDEN = {"TOPIC_AUTHORIZATION_FAILED", "CLUSTER_AUTHORIZATION_FAILED", "_TOPIC_AUTHORIZATION_FAILED"}
_COUNTED = ("predictions", "labels", "deployments")
_STREAMS = (*_COUNTED, "ledger")
_PURGE_POLLS = 50


@dataclass
class _Sending:
    """What became of one segment's messages so far. ``waiting``: sent and not reported on; ``settled``: whose fate is known."""

    waiting: int = 0
    settled: int = 0
    delivered: Counter[tuple[str, str, str, int]] = field(default_factory=Counter)
    refused: list[tuple[str, Spooled]] = field(default_factory=list)
    failed: Counter[str] = field(default_factory=Counter)

    def settle(self, message: Spooled, reason: str | None) -> None:
        """Count a message as delivered, or by librdkafka's name of why not."""
        self.settled += 1
        if reason is None:
            self.delivered[message.model, message.environment, message.stream, message.hour] += 1
        elif reason == NO_STREAM or reason in FOR_GOOD:
            self.refused.append((reason, message))
        else:
            self.failed[reason] += 1

    def report(self, message: Spooled, refusal: Refusal | None, _: object = None) -> None:
        """Be the report on a message that was sent."""
        self.waiting -= 1
        self.settle(message, None if refusal is None else refusal.name())


class Replay:
    """Sends all that no living process holds, under a producer id of its own.

    A segment of which only a part arrived, because of a crash, a stop or a fault, is sent again as a whole: the same bytes are
    the same event, which is recorded once. Its events are counted as ``replayed`` when it is done.

    Args:
        spool: where the segments are.
        sink: an open sink, used by nobody else.
        registry: a schema registry for the ledger's frame.
        refused: send what Kafka refused for good before, instead.
        moved: called with how many more messages are settled.
        stopped: whether to stop, leaving what is not delivered as it is.

    Attributes:
        segments: how many are done.
        messages: how many messages they delivered.
        refused: how many Kafka refused for good, by its name of the reason; kept aside in the spool's directory.
        damage: what could not be read.
        unreadable: why the system stopped reading a segment, by its name; it is left where it is.
    """

    def __init__(
        self,
        spool: Spool,
        sink: Sink,
        registry: Registry | None = None,
        *,
        refused: bool = False,
        moved: Callable[[int], None] = lambda _: None,
        stopped: Callable[[], bool] = lambda: False,
    ) -> None:
        self.segments = 0
        self.messages = 0
        self.refused: Counter[str] = Counter()
        self.damage = Damage()
        self.unreadable: dict[str, str] = {}
        self._spool = spool
        self._sink = sink
        self._registry = registry
        self._of_refused = refused
        self._moved = moved
        self._stopped = stopped
        self._producer_id = new_id()
        self._ledger = Ledger()
        self._untold = 0  # closing ledgers that were not acknowledged

    def run(self) -> None:
        """Send until nothing is left or `stopped`, then the last ledger.

        Raises:
            BrokerUnavailable: Kafka does not take messages, or the ledger.
            ConfigError: a topic is missing or forbidden.
            SpoolUnavailable: the spool cannot be read or deleted from, or what is refused for good cannot be kept.
        """
        try:
            while not self._stopped():
                segment = self._spool.claim(refused=self._of_refused)
                if segment is None:
                    break
                self._deliver(segment)
                self._send_ledger(closing=False)
        except HindcastError:
            self._last_ledger()
            raise
        if not self._last_ledger():
            raise BrokerUnavailable(
                f"{self.messages} messages were replayed, but Kafka did not take the ledger that says so"
            )

    def _deliver(self, segment: Segment) -> None:
        sending = _Sending()
        try:
            for message in segment.messages():
                if not self._send(message, sending):
                    break
                if not (sending.settled + sending.waiting) % TURN:
                    self._poll(sending, 0)
            else:
                while sending.waiting and not self._is_over(sending):
                    self._poll(sending, POLL_S)
                if not (sending.waiting or sending.failed):
                    self._finish(segment, sending)
                    return
            self._give_up(sending)
        finally:
            segment.release()

    def _send(self, message: Spooled, sending: _Sending) -> bool:
        """Hand one message on, or set it aside; whether that was done before it was over."""
        if message.stream not in _STREAMS:
            sending.settle(message, NO_STREAM)
            return True
        report = functools.partial(sending.report, message)
        while not self._is_over(sending):
            try:
                self._sink.send(message.stream, message.key, message.value, report)
            except SinkRefused as refused:
                sending.settle(message, refused.name())
            except SinkFull:
                self._poll(sending, POLL_S)
                continue
            else:
                sending.waiting += 1
            return True
        return False

    def _is_over(self, sending: _Sending) -> bool:
        return bool(sending.failed) or self._stopped()

    def _poll(self, sending: _Sending, seconds: float) -> None:
        before = sending.settled
        self._sink.poll(seconds)
        self._moved(sending.settled - before)

    def _give_up(self, sending: _Sending) -> None:
        """Leave a segment as it is; raises what is to be said of a fault, if there was one."""
        fault = _fault(sending.failed) if sending.failed else None
        self._sink.purge()
        for _ in range(_PURGE_POLLS):
            if sending.waiting:
                self._sink.poll(POLL_S)
        if fault is not None:
            raise fault

    def _finish(self, segment: Segment, sending: _Sending) -> None:
        """Delete a segment, and let it be counted."""
        if sending.refused:
            try:
                self._spool.set_aside([message for _, message in sending.refused])
            except SpoolFull as full:
                raise SpoolUnavailable(
                    f"{full}, and {len(sending.refused)} messages that Kafka refuses are to be kept"
                ) from None
        damage = segment.damaged
        segment.done()
        if segment.fault:
            self.unreadable[segment.path.name] = segment.fault
            return
        self.segments += 1
        self.messages += sum(sending.delivered.values())
        self.refused.update(reason for reason, _ in sending.refused)
        self.damage.blocks += damage.blocks
        self.damage.bytes += damage.bytes
        self.damage.torn += damage.torn
        for (model, environment, stream, hour), count in sending.delivered.items():
            if stream in _COUNTED:
                self._ledger.tally(model, environment, stream, hour).replay(count)

    def _send_ledger(self, *, closing: bool) -> None:
        """Send what changed, or everything and the last word; a ledger that finds no room is followed by another."""
        now = time.time_ns() // 1000
        with contextlib.suppress(HindcastError, SinkFull, SinkRefused):
            for record in self._ledger.records(
                self._producer_id, now, queue_limit=0, everything=closing, closing=closing
            ):
                self._untold += closing
                value = encode("ledger", record, self._registry)
                report = self._told if closing else _told_later
                self._sink.send("ledger", self._producer_id.encode(), value, report)

    def _last_ledger(self) -> bool:
        """Send the closing ledger and wait for it; whether it arrived."""
        self._send_ledger(closing=True)
        end = time.monotonic() + LEDGER_S
        while self._sink.waiting() and time.monotonic() < end:
            self._sink.poll(POLL_S)
        return self._untold == 0

    def _told(self, refusal: Refusal | None, _: object = None) -> None:
        self._untold -= refusal is None


def _told_later(_refusal: Refusal | None, _message: object = None) -> None:
    """The next ledger says the same."""


def _fault(failed: Counter[str]) -> HindcastError:
    names = ", ".join(sorted(failed))
    if set(failed) & _UNKNOWN_TOPIC:
        return ConfigError(
            f"Kafka does not know a topic ({names}): `hindcast topics` creates them; nothing is lost"
        )
    if set(failed) & _FORBIDDEN:
        return ConfigError(f"Kafka does not let this user write ({names}); nothing is lost")
    return BrokerUnavailable(
        f"Kafka did not take {failed.total()} messages ({names}); they stay in the spool"
    )
