"""The one background thread of a logger in one process: it encodes, sends, polls, keeps the ledger and says what is lost."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

from producers import ledger as reasons
from producers.codec import Registry, encode
from producers.complaints import Complaints
from producers.delivery import Delivery, Ledgered
from producers.encoded import Encoded
from producers.encoder import Encoder
from producers.errors import ConfigError, ContractError, TransientError
from producers.intake import Intake
from producers.ledger import Tally
from producers.patience import LOOK_S, Patience
from producers.pause import Pause
from producers.said import Marker, Said
from producers.sink import Refusal, Sent, Sink, SinkFull, SinkRefused

if TYPE_CHECKING:
    from producers.at_source.source_contract import SourceContract
    from producers.spool import Spool

IDLE_S = 0.02
# after so many events the thread lets others have the interpreter; where many wait it keeps it for longer, as one busy
# thread would else say more in its share than the sender sends in its own
TURN = 16
LONG_TURN = 256
MANY = 1_000
RETRY_S = 0.1
LEDGER_S = 10.0
# a producer that says nothing for longer than this is taken for gone (views `accounting` and `producers_v` wait five times as long)
SIGN_OF_LIFE_S = 60.0
REOPEN_S = 5.0
LOOK_AT_LOSSES_S = 2.0
LAST_WORDS_S = 1.0
UNKNOWN_TOPIC = {"_UNKNOWN_TOPIC", "UNKNOWN_TOPIC_OR_PART"}
_log = logging.getLogger("hindcast.producers")


class Sender:
    """Takes events from the intake to the sink, on a thread of its own.

    Args:
        intake: the queue and the counts, shared with the service's threads.
        sink: where messages go; used by this thread only.
        registry: a schema registry for Confluent framing.
        spool: where events are laid that Kafka does not take.
        contract: what predictions must pass before they leave.

    Attributes:
        fault: why the sink cannot be opened, in words; empty when all is well.
    """

    def __init__(
        self,
        intake: Intake,
        sink: Sink,
        registry: Registry | None,
        spool: Spool | None = None,
        contract: SourceContract | None = None,
    ) -> None:
        self.fault = ""
        self._intake = intake
        self._sink = sink
        if spool is not None:
            sink.be_brief()
        self._delivery = Delivery(intake, sink, spool)
        self._encoder = Encoder(intake, registry, contract)
        self._registry = registry
        self._markers: list[Marker] = []
        self._complaints = Complaints(_log)
        self._losses: dict[str, int] = {}
        self._next_look = 0.0
        self._next_ledger = self._next_sign = time.monotonic() + LEDGER_S
        self._tried = threading.Event()
        self._stopping = threading.Event()
        self._ended = threading.Event()
        self._deadline = 0.0
        self._pause: Pause | None = None
        self._thread = threading.Thread(target=self._run, name="hindcast-sender", daemon=True)
        self._thread.start()

    def started(self, timeout: float) -> None:
        """Wait for the first attempt to open the sink.

        Raises:
            ConfigError: it failed for settings that no retry will mend.
        """
        self._tried.wait(timeout)
        if self.fault:
            raise ConfigError(self.fault)

    def flush(self, timeout: float) -> None:
        """Wait until what was queued so far is settled and the ledger sent, at most ``timeout`` seconds."""
        self._wait_for(Marker(time.monotonic() + timeout), timeout)

    def drain(self, patience: Patience, *, ledger: bool) -> bool:
        """Wait while there is patience until what was queued so far is settled, and the ledger sent; whether it was."""
        marker = Marker(math.inf, ledger_sent=not ledger)
        self._intake.mark(marker)
        return self._ended.is_set() or patience.outlasts(marker.reached)

    def pause(self, pause: Pause) -> bool:
        """Send and settle what was said, let go of the connection and stay so until the pause is over; false where there is none."""
        if self.fault or self._ended.is_set():
            return False
        self._pause = pause
        return True

    def close(self, timeout: float) -> None:
        """Flush, lay in the spool or give up what still waits, send the last ledger and end the thread.

        At most ``timeout`` + 1 s, and after that only while events are laid or counted: a full queue takes a busy machine longer.
        """
        end = time.monotonic() + timeout
        patience = max(0.0, timeout - min(LAST_WORDS_S, timeout / 4))
        self._wait_for(
            Marker(time.monotonic() + patience, ledger_sent=True), patience
        )  # the last ledger says it all
        self._intake.closed = True
        self._deadline = end
        self._stopping.set()
        self._ended.wait(max(0.0, end - time.monotonic()))
        Patience(lambda: self._intake.stats().waiting, LAST_WORDS_S).outlasts(self._ended)
        self._intake.give_up_rest()

    def _wait_for(self, marker: Marker, timeout: float) -> None:
        self._intake.mark(marker)
        end = time.monotonic() + timeout + RETRY_S
        while not self._ended.is_set() and (left := end - time.monotonic()) > 0:
            if marker.reached.wait(min(left, LOOK_S)):
                return

    def _run(self) -> None:
        try:
            self._work()
        finally:
            self._ended.set()

    def _work(self) -> None:
        opened = self._open()
        while opened and not self._stopping.is_set():
            try:
                if self._pause is not None:
                    opened = self._paused(self._pause)
                    continue
                self._turn()
                self._look_around()
            except Exception as error:  # noqa: BLE001 - a logger whose thread died would lose everything unsaid
                self._complaints.say(
                    "turn", f"events may be lost: {type(error).__name__} on the sender's thread"
                )
        self._wind_up(opened=opened)

    def _open(self) -> bool:
        while not self._stopping.is_set():
            try:
                self._sink.open()
            except ConfigError as error:
                self.fault = str(error)
                self._complaints.say("config", f"predictions are not logged: {error}")
            else:
                self.fault = ""
                return True
            finally:
                self._tried.set()
            self._stopping.wait(REOPEN_S)
        return False

    def _paused(self, pause: Pause) -> bool:
        """Pause as asked; whether the sink is open afterwards, which it is unless the logger was closed meanwhile."""
        self._pause = None
        # also what was said and not yet taken: a master that says something and forks may never come to send it
        self._take(MANY)
        self._delivery.move()
        while self._sink.waiting() and time.monotonic() < pause.until:
            self._sink.poll(IDLE_S)
        quiet = self._sink.waiting() == 0
        if quiet:
            self._sink.close()
        pause.keep(quiet=quiet)
        return self._open() if quiet else True

    def _turn(self) -> None:
        """Hand on a few events, then let librdkafka report and other threads run."""
        taken = self._take(LONG_TURN if self._intake.queued() > MANY else TURN)
        moved = self._delivery.move()
        self._sink.poll(0 if taken or moved else IDLE_S)

    def _take(self, count: int) -> bool:
        """Take up to ``count`` items from the intake, each to where it goes; whether there were any."""
        items = self._intake.take(count)
        for item, tally in items:
            if isinstance(item, Said):
                assert tally is not None
                self._hand_on(item, tally)
            elif isinstance(item, Encoded):
                self._delivery.offer_table(item)
            else:
                self._markers.append(item)
        return bool(items)

    def _hand_on(self, said: Said, tally: Tally) -> None:
        """Encode an event for the delivery, or count why there is none; waits for a schema registry that is away."""
        reason = reasons.INVALID
        try:
            while not self._encoder.ready(said.kind.stream):
                if self._stopping.is_set():
                    reason = reasons.CLOSED
                    break
                self._complaints.say("registry", self._encoder.problem)
                self._sink.poll(RETRY_S)
                self._look_around()
            else:
                event = self._encoder.encoded(said, tally)
                if event is not None:
                    self._delivery.offer(event)
                    return
                reason = reasons.SAMPLED
        except ContractError as error:
            self._complaints.say(f"invalid {str(error)[:40]}", f"an event was dropped as invalid: {error}")
        except Exception as error:  # noqa: BLE001 - a caller's odd object must not end the thread that serves all others
            self._complaints.say("odd", f"an event was dropped as invalid: {type(error).__name__}")
        self._intake.drop_taken(said, tally, reason)

    def _look_around(self) -> None:
        """Settle flushes that are due, send the ledger, and say what went wrong since the last look."""
        now = time.monotonic()
        for marker in list(self._markers):
            idle, late = self._delivery.waiting() == 0, now >= marker.deadline
            if (idle or late) and not marker.ledger_sent:
                marker.ledger_sent = True
                self._send_ledger()
            elif idle or late:
                self._markers.remove(marker)
                marker.reached.set()
        if now >= self._next_ledger:
            self._next_ledger = now + LEDGER_S
            if now >= self._next_sign:
                self._intake.touch()
            if self._send_ledger():
                self._next_sign = now + SIGN_OF_LIFE_S
        if now >= self._next_look:
            self._next_look = now + LOOK_AT_LOSSES_S
            self._say_losses()

    def _say_losses(self) -> None:
        for text in [*self._sink.complaints(), *self._delivery.complaints()]:
            self._complaints.say(text, text)
        losses = self._intake.losses()
        for reason, count in losses.items():
            if count > self._losses.get(reason, 0):
                hint = " (hindcast topics creates them)" if reason in UNKNOWN_TOPIC else ""
                self._complaints.say(f"lost {reason}", f"events lost so far, {reason}: {count}{hint}")
        self._losses = losses

    def _send_ledger(self) -> bool:
        """Send what changed since it was last said; whether there was anything."""
        ledgers = self._ledgers(everything=False)
        self._send_all(ledgers)
        return bool(ledgers)

    def _ledgers(self, *, everything: bool, closing: bool = False) -> list[Ledgered]:
        """What the ledger has to say, as messages."""
        records = self._intake.ledger_records(
            time.time_ns() // 1000,
            queue_limit=self._intake.limits.events + self._sink.capacity,
            everything=everything,
            closing=closing,
        )
        ledgers = []
        for record in records:
            try:
                ledgers.append(Ledgered(record, encode("ledger", record, self._registry)))
            except (ContractError, TransientError, ConfigError) as error:
                self._unsent(record, error)
        return ledgers

    def _send_all(self, ledgers: list[Ledgered]) -> None:
        key = self._intake.producer_id.encode()
        for one in ledgers:
            try:
                self._sink.send("ledger", key, one.value, partial(self._ledger_report, one))
            except (SinkFull, SinkRefused) as error:
                self._unsent(one.record, error)

    def _unsent(self, record: Mapping[str, object], error: Exception) -> None:
        # a later ledger carries the same counts, so one that finds no room is not worth waiting for
        self._intake.tell_again(record)
        self._complaints.say("ledger", f"a ledger was not sent: {type(error).__name__}")

    def _ledger_report(self, ledgered: Ledgered, refusal: Refusal | None, _message: Sent) -> None:
        ledgered.delivered = refusal is None
        if refusal is not None:
            self._intake.tell_again(ledgered.record)
            self._complaints.say("ledger", f"a ledger was not delivered: {refusal.name()}")

    def _wind_up(self, *, opened: bool) -> None:
        """Lay in the spool or give up what waits, and let the account of it be the last word."""
        if not opened:
            self._delivery.hold()
        self._hand_on_rest()
        self._delivery.end(opened=opened)
        last = self._ledgers(everything=True, closing=True)
        if opened:
            self._send_all(last)
            end = max(self._deadline, time.monotonic() + LAST_WORDS_S / 2)
            while self._sink.waiting() and time.monotonic() < end:
                self._sink.poll(IDLE_S)
        self._delivery.lay_ledgers(self._intake.producer_id, [one for one in last if not one.delivered])
        self._say_losses()
        if opened:
            self._sink.close()
        self._delivery.close()
        for marker in self._markers:
            marker.reached.set()

    def _hand_on_rest(self) -> None:
        """Encode and lay what is still queued in the spool, however long a busy machine takes; without one it is given up."""
        while self._delivery.has_spool and self._take(LONG_TURN):
            # laid as it is taken: who waits for the end sees by it that something moves
            self._delivery.move()
        self._intake.give_up_rest()
