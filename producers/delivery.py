"""Encoded events on their way: to the sink, or to the spool where the sink does not take them, or given up and counted.

Events wait in memory in the order in which they were said. Where there is a spool, the sink's client gives up what is not
acknowledged within seconds; what it gives up is laid in the spool, and so is everything that comes while Kafka is away or
faster than it takes it. When Kafka acknowledges something again, the spool is sent, beside what is said meanwhile.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from producers import ledger as reasons
from producers.encoded import Encoded
from producers.errors import HindcastError
from producers.intake import Intake
from producers.ledger import Tally
from producers.said import Settled
from producers.sink import FOR_GOOD, Refusal, Report, Sent, Sink, SinkFull, SinkRefused, take_back

if TYPE_CHECKING:
    from producers.spool import Spool, Spooled
    from producers.spool.segment_sending import SegmentSending

DELIVERED = "delivered"
SPOOLED = "spooled"
# so many are laid at once, or so long (seconds) after the first
_TOGETHER = 256
_SOON_S = 0.1
# seconds before a spool that was full, or Kafka that was away, is tried again
_AGAIN_S = 1.0


class Outgoing(NamedTuple):
    """One encoded event, accepted and numbered."""

    stream: str
    key: bytes
    value: bytes
    tally: Tally
    settled: Settled | None = None


@dataclass(eq=False)
class Ledgered:
    """A ledger: its record, its message, and whether Kafka acknowledged it."""

    record: Mapping[str, object]
    value: bytes
    delivered: bool = False


class Delivery:
    """Where the sender leaves encoded events. Used by its thread only.

    Args:
        intake: the counts, and the limits of what may wait.
        sink: Kafka.
        spool: a place on disk, or none.
    """

    def __init__(
        self, intake: Intake, sink: Sink, spool: Spool | None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        if spool is not None:
            # now, on the caller's thread: a fork must not fall into an import of the sender's
            import producers.spool.segment_sending  # noqa: F401
        self._intake = intake
        self._sink = sink
        self._spool = spool
        self._clock = clock
        self._away = False
        self._backlog: deque[Outgoing] = deque()
        # with each the count of events that go before it
        self._tables: deque[tuple[Encoded, int]] = deque()
        self._left = 0  # events that left the backlog at its front
        self._replay: SegmentSending | None = None
        self._look_again = self._lay_again = 0.0
        self._laid = clock()
        self._complaints: list[str] = []
        self.has_spool = spool is not None

    def offer(self, event: Outgoing) -> None:
        """Take one event, which the intake counts as behind it."""
        if self._backlog or self._away or self._tables or not self._sent(event):
            self._keep(event)
        else:
            self._intake.behind -= 1

    def offer_table(self, rows: Encoded) -> None:
        """Take a part of a table; its rows and the events said beside it keep their order."""
        if self._spool is not None:
            rows.rescue = self._rescued
        self._tables.append((rows, self._left + len(self._backlog)))
        if not self._away:
            self._send_waiting()

    def move(self) -> bool:
        """Hand on what waits as far as sink and spool take it; whether anything moved."""
        before = len(self._backlog), len(self._tables)
        if self._away:
            self._take_tables()
            self._lay_in_time()
        else:
            self._send_waiting()
            if self._spool is not None and len(self._backlog) > self._intake.limits.events // 2:
                self._lay(len(self._backlog) // 2)
        self._give_way()
        if self._spool is not None:
            self._send_spool()
        return before != (len(self._backlog), len(self._tables))

    def waiting(self) -> int:
        """Events, tables and replayed messages that are not settled yet, as far as a flush waits for them."""
        under_way = self._replay.in_flight if self._replay else 0
        return len(self._backlog) + len(self._tables) + max(0, self._sink.waiting() - under_way)

    def close(self) -> None:
        """Seal what was laid in the spool: nothing comes after."""
        if self._spool is not None:
            self._spool.close()

    def complaints(self) -> list[str]:
        """What the spool suffers from, each said once, for the log."""
        said, self._complaints = self._complaints, []
        return said

    def hold(self) -> None:
        """Send nothing more: the sink is not open."""
        self._away = True

    def end(self, *, opened: bool) -> None:
        """Lay in the spool what nobody acknowledged, or give it up; ``opened``: the sink was."""
        self._take_tables()
        if opened and self._sink.waiting():
            take_back(self._sink, self._clock)
        if self._replay is not None:
            self._replay.abandon()
            self._replay = None
        self._lay_again = 0.0
        while self._backlog and self._lay(_TOGETHER):
            pass
        while self._backlog:
            self._drop(self._take_first(), reasons.CLOSED if self._spool is None else reasons.SPOOL_FULL)

    def lay_ledgers(self, producer_id: str, ledgers: Sequence[Ledgered]) -> None:
        """Lay ledgers in the spool that Kafka did not take: what they say is known when it is sent."""
        if self._spool is None or not ledgers:
            return
        from producers.spool import Spooled  # who has no spool loads none

        key = producer_id.encode()
        self._appended(
            [
                Spooled("ledger", key, one.value, str(one.record["model"]), str(one.record["environment"]), 0)
                for one in ledgers
            ]
        )

    # --- to the sink ---------------------------------------------------------------------------------------------

    def _sent(self, event: Outgoing) -> bool:
        """Hand an event to the sink, or count that it refuses it; false where it is full."""
        tally = event.tally
        if event.settled is None:
            report = tally.report
            if report is None:
                report = tally.report = self._report(event.stream, tally, None)
        else:
            report = self._report(event.stream, tally, event.settled)
        try:
            self._sink.send(event.stream, event.key, event.value, report)
        except SinkRefused as refused:
            self._lose(tally, refused.name(), event.settled)
        except SinkFull:
            return False
        return True

    def _report(self, stream: str, tally: Tally, settled: Settled | None) -> Report:
        def report(refusal: Refusal | None, message: Sent) -> None:
            if refusal is None:
                self._away = False
                tally.delivered += 1
                tally.changed = True
                if settled is not None:
                    settled(DELIVERED)
            else:
                self._refused(
                    refusal.name(),
                    Outgoing(stream, _bytes(message.key()), _bytes(message.value()), tally, settled),
                )

        return report

    def _refused(self, name: str, event: Outgoing) -> None:
        """A message came back: it waits for the spool, where there is one and another time may help, or is lost."""
        if self._spool is None or name in FOR_GOOD:
            self._lose(event.tally, name, event.settled)
            return
        self._went_away()
        self._intake.behind += 1
        self._keep(event)

    def _lose(self, tally: Tally, name: str, settled: Settled | None) -> None:
        with self._intake.lock:
            reason = tally.lose(name)
        if settled is not None:
            settled(reason)

    def _send_waiting(self) -> None:
        """Hand events and tables to the sink in the order in which they came, as far as it has room."""
        while self._backlog or self._tables:
            if self._tables and (self._left >= self._tables[0][1] or not self._backlog):
                if not self._table_sent(self._tables[0][0]):
                    return
                self._tables.popleft()
            elif self._sent(self._backlog[0]):
                self._take_first()
            else:
                return

    def _table_sent(self, rows: Encoded) -> bool:
        if not self._sink.takes_table():
            return False
        try:
            self._number(rows)
            self._sink.send_table(rows)
        except SinkFull:
            return False
        except Exception as error:  # noqa: BLE001 - whoever waits for these rows would wait for ever
            rows.give_up(reasons.INVALID)
            self._complaints.append(f"rows of a table were dropped as invalid: {type(error).__name__}")
        return True

    def _number(self, rows: Encoded) -> None:
        if rows.values is None:
            rows.number(self._intake.reserve(rows.stream, rows.rows))

    def _take_tables(self) -> None:
        """Have the rows of tables wait as single events, which the spool takes."""
        while self._tables:
            rows, _ = self._tables.popleft()
            self._number(rows)
            for place in range(rows.rows):
                self._keep_row(rows, place)
            rows.leave()

    def _keep_row(self, rows: Encoded, place: int) -> None:
        self._intake.behind += 1
        self._keep(Outgoing(rows.stream, *rows.message(place), rows.tally(place)))

    def _rescued(self, rows: Encoded, place: int, name: str) -> bool:
        """A row came back: it waits for the spool, if another time may help."""
        if name in FOR_GOOD:
            return False
        self._went_away()
        self._keep_row(rows, place)
        return True

    # --- what waits ----------------------------------------------------------------------------------------------

    def _keep(self, event: Outgoing) -> None:
        self._backlog.append(event)
        self._intake.bytes_behind += len(event.key) + len(event.value)

    def _take_first(self) -> Outgoing:
        self._left += 1
        return self._let_go(self._backlog.popleft())

    def _let_go(self, event: Outgoing) -> Outgoing:
        self._intake.behind -= 1
        self._intake.bytes_behind -= len(event.key) + len(event.value)
        return event

    def _give_way(self) -> None:
        """Drop what is beyond the limits: too many bytes, or events that were said although there was no room."""
        intake, limits = self._intake, self._intake.limits
        while self._backlog and (len(self._backlog) > limits.events or intake.bytes_behind > limits.bytes):
            if self._spool is not None and self._lay(_TOGETHER):
                continue
            oldest = limits.drop == "oldest"
            event = self._take_first() if oldest else self._let_go(self._backlog.pop())
            self._drop(event, reasons.QUEUE_FULL)

    def _drop(self, event: Outgoing, reason: str) -> None:
        with self._intake.lock:
            event.tally.drop(reason)
        if event.settled is not None:
            event.settled(reason)

    def _appended(self, messages: Sequence[Spooled]) -> bool:
        from producers.spool import SpoolFull  # who has no spool loads none

        assert self._spool is not None
        try:
            self._spool.append(messages)
        except (SpoolFull, HindcastError) as error:
            self._complaints.append(str(error))
            return False
        return True

    # --- the spool -----------------------------------------------------------------------------------------------

    def _lay_in_time(self) -> None:
        """Lay what waits, many together or a moment after the first."""
        while len(self._backlog) >= _TOGETHER and self._lay(_TOGETHER):
            pass
        if not self._backlog:
            self._laid = self._clock()
        elif self._clock() - self._laid >= _SOON_S:
            self._lay(len(self._backlog))

    def _lay(self, count: int) -> bool:
        """Lay the oldest in the spool; false where it has no room, which is asked again after a second."""
        if self._spool is None or self._clock() < self._lay_again:
            return False
        events = [event for _, event in zip(range(count), self._backlog, strict=False)]
        if not self._appended([_spooled(event) for event in events]):
            self._lay_again = self._clock() + _AGAIN_S
            return False
        self._laid = self._clock()
        for _ in events:
            self._take_first()
        with self._intake.lock:
            for event in events:
                event.tally.spool()
        _tell(events, SPOOLED)
        return True

    def _send_spool(self) -> None:
        """Send what lies there; one message at a time, now and then, while Kafka is away."""
        replay = self._replay
        if replay is None:
            if self._clock() < self._look_again:
                return
            self._look_again = self._clock() + _AGAIN_S
            replay = self._replay = self._begun()
        if replay is None:
            if self._away and self._backlog and self._sent(self._backlog[0]):
                self._take_first()
            return
        replay.step(1 if self._away else None)
        if replay.ended:
            self._replay = None
            if replay.whole:
                self._look_again = 0.0
                self._count_replayed(replay)
            else:
                self._went_away()

    def _begun(self) -> SegmentSending | None:
        assert self._spool is not None
        from producers.spool.segment_sending import SegmentSending  # who has no spool loads none

        try:
            segment = self._spool.claim()
        except HindcastError as error:
            self._complaints.append(str(error))
            return None
        return (
            None if segment is None else SegmentSending(segment, self._spool, self._sink, heard=self._heard)
        )

    def _went_away(self) -> None:
        """Kafka did not take a message: it is asked again after a moment, and what comes meanwhile is laid."""
        self._away, self._look_again = True, self._clock() + _AGAIN_S

    def _heard(self) -> None:
        self._away = False

    def _count_replayed(self, replay: SegmentSending) -> None:
        if replay.refused:
            self._complaints.append(
                f"Kafka refuses {len(replay.refused)} spooled events for good: `hindcast spool list` shows them"
            )
        with self._intake.lock:
            for (stream, model, environment, hour), count in replay.delivered.items():
                self._intake.tally(model, environment, stream, hour).replay(count)


def _spooled(event: Outgoing) -> Spooled:
    from producers.spool import Spooled  # who has no spool loads none

    account = event.tally.account
    return Spooled(event.stream, event.key, event.value, account.model, account.environment, account.hour)


def _tell(events: Iterable[Outgoing], outcome: str) -> None:
    for event in events:
        if event.settled is not None:
            event.settled(outcome)


def _bytes(given: bytes | str | None) -> bytes:
    return given.encode() if isinstance(given, str) else given or b""
