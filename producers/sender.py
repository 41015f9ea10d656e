"""The one background thread of a logger in one process: it encodes, sends, polls, keeps the ledger and says what is lost."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections import deque

from producers import ledger as reasons
from producers.codec import Registry, encode
from producers.complaints import Complaints
from producers.encoded import Encoded
from producers.errors import ConfigError, ContractError, TransientError
from producers.intake import Intake, Marker, Said
from producers.ledger import Tally
from producers.patience import Patience
from producers.sink import Refusal, Sink, SinkFull, SinkRefused

IDLE_S = 0.02
# after so many events the thread lets others have the interpreter; where many wait it keeps it for longer, as one busy
# thread would else say more in its share than the sender sends in its own
TURN = 16
LONG_TURN = 256
MANY = 1_000
RETRY_S = 0.1
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

    Attributes:
        fault: why the sink cannot be opened, in words; empty when all is well.
    """

    def __init__(self, intake: Intake, sink: Sink, registry: Registry | None) -> None:
        self.fault = ""
        self._intake = intake
        self._sink = sink
        self._registry = registry
        self._markers: list[Marker] = []
        self._taken: deque[tuple[Said | Encoded | Marker, Tally | None]] = deque()
        self._complaints = Complaints(_log)
        self._losses: dict[str, int] = {}
        self._next_look = 0.0
        self._tried = threading.Event()
        self._stopping = threading.Event()
        self._deadline = 0.0
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
        return patience.outlasts(marker.reached)

    def close(self, timeout: float) -> None:
        """Flush, give up what still waits, send the last ledger and end the thread; at most ``timeout`` + 1 s."""
        end = time.monotonic() + timeout
        patience = max(0.0, timeout - min(LAST_WORDS_S, timeout / 4))
        self._wait_for(
            Marker(time.monotonic() + patience, ledger_sent=True), patience
        )  # the last ledger says it all
        self._intake.closed = True
        self._deadline = end
        self._stopping.set()
        self._thread.join(max(0.0, end - time.monotonic()) + LAST_WORDS_S)
        self._intake.give_up_rest()

    def _wait_for(self, marker: Marker, timeout: float) -> None:
        self._intake.mark(marker)
        marker.reached.wait(timeout + RETRY_S)

    def _run(self) -> None:
        if self._open():
            while not self._stopping.is_set():
                try:
                    self._turn()
                    self._look_around()
                except Exception as error:  # noqa: BLE001 - a logger whose thread died would lose everything unsaid
                    self._complaints.say(
                        "turn", f"events may be lost: {type(error).__name__} on the sender's thread"
                    )
        self._wind_up()

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

    def _turn(self) -> None:
        """Hand on a few events, then let librdkafka report and other threads run."""
        if not self._taken:
            self._taken.extend(self._intake.take(LONG_TURN if self._intake.queued() > MANY else TURN))
        handed_on = False
        while self._taken:
            item, tally = self._taken.popleft()
            if not self._handed_on(item, tally):
                self._taken.appendleft((item, tally))
                break
            handed_on = True
        self._sink.poll(0 if handed_on else IDLE_S)

    def _handed_on(self, item: Said | Encoded | Marker, tally: Tally | None) -> bool:
        """Hand on the first of what was taken; false for rows of a table that the sink has no room for yet."""
        if isinstance(item, Marker):
            self._markers.append(item)
        elif isinstance(item, Encoded):
            return self._table_sent(item)
        else:
            assert tally is not None
            self._encode_and_send(item, tally)
        return True

    def _table_sent(self, rows: Encoded) -> bool:
        if not self._sink.takes_table():
            return False
        try:
            if rows.values is None:
                rows.number(self._intake.reserve(rows.stream, rows.rows))
            self._sink.send_table(rows)
        except SinkFull:
            return False
        except Exception as error:  # noqa: BLE001 - whoever waits for these rows would wait for ever
            rows.give_up(reasons.INVALID)
            self._complaints.say("odd", f"rows of a table were dropped as invalid: {type(error).__name__}")
        return True

    def _encode_and_send(self, said: Said, tally: Tally) -> None:
        try:
            key, value = self._encoded(said)
        except ContractError as error:
            self._intake.drop(tally, reasons.INVALID)
            self._complaints.say(f"invalid {str(error)[:40]}", f"an event was dropped as invalid: {error}")
        except (TransientError, ConfigError):
            self._intake.drop(tally, reasons.CLOSED)
        except Exception as error:  # noqa: BLE001 - a caller's odd object must not end the thread that serves all others
            self._intake.drop(tally, reasons.INVALID)
            self._complaints.say("odd", f"an event was dropped as invalid: {type(error).__name__}")
        else:
            self._send(said.stream, key, value, tally)

    def _encoded(self, said: Said) -> tuple[bytes, bytes]:
        """Key and framed value. Waits for a schema registry that is away; gives up when stopping."""
        record = said.build(**said.fields)
        while True:
            try:
                value = encode(said.stream.removesuffix("s"), record, self._registry)
            except (TransientError, ConfigError) as error:
                if self._stopping.is_set():
                    raise
                self._complaints.say("registry", str(error))
                self._wait()
            else:
                return str(record.get("prediction_id", record["model"])).encode(), value

    def _send(self, stream: str, key: bytes, value: bytes, tally: Tally) -> None:
        """Hand one message to the sink; wait for room until stopping."""
        while True:
            try:
                self._sink.send(stream, key, value, tally.report)
            except SinkRefused as refused:
                with self._intake.lock:
                    tally.report(refused)
                return
            except SinkFull:
                if self._stopping.is_set():
                    self._intake.drop(tally, reasons.CLOSED)
                    return
                self._wait()
            else:
                return

    def _wait(self) -> None:
        self._sink.poll(RETRY_S)
        self._look_around()

    def _look_around(self) -> None:
        """Settle flushes that are due, and say what went wrong since the last look."""
        now = time.monotonic()
        for marker in list(self._markers):
            idle, late = self._sink.waiting() == 0, now >= marker.deadline
            if (idle or late) and not marker.ledger_sent:
                marker.ledger_sent = True
                self._send_ledger(closing=False)
            elif idle or late:
                self._markers.remove(marker)
                marker.reached.set()
        if now >= self._next_look:
            self._next_look = now + LOOK_AT_LOSSES_S
            self._say_losses()

    def _say_losses(self) -> None:
        for text in self._sink.complaints():
            self._complaints.say(text, text)
        losses = self._intake.losses()
        for reason, count in losses.items():
            if count > self._losses.get(reason, 0):
                hint = " (hindcast topics creates them)" if reason in UNKNOWN_TOPIC else ""
                self._complaints.say(f"lost {reason}", f"events lost so far, {reason}: {count}{hint}")
        self._losses = losses

    def _send_ledger(self, *, closing: bool) -> None:
        for record in self._intake.ledger_records(time.time_ns() // 1000, closing=closing):
            try:
                value = encode("ledger", record, self._registry)
                self._sink.send("ledger", self._intake.producer_id.encode(), value, self._ledger_report)
            except (ContractError, TransientError, ConfigError, SinkFull, SinkRefused) as error:
                # a later ledger carries the same counts, so one that finds no room is not worth waiting for
                self._complaints.say("ledger", f"a ledger was not sent: {type(error).__name__}")

    def _ledger_report(self, refusal: Refusal | None, _message: object) -> None:
        if refusal is not None:
            self._complaints.say("ledger", f"a ledger was not delivered: {refusal.name()}")

    def _wind_up(self) -> None:
        """Give up what waits, and let the account of it be the last word."""
        self._intake.give_up(self._taken)
        self._intake.give_up_rest()
        if not self.fault:
            if self._sink.waiting():
                self._sink.purge()
                self._sink.poll(0)
            self._send_ledger(closing=True)
            end = max(self._deadline, time.monotonic() + LAST_WORDS_S / 2)
            while self._sink.waiting() and time.monotonic() < end:
                self._sink.poll(IDLE_S)
            self._say_losses()
            self._sink.close()
        for marker in self._markers:
            marker.reached.set()
