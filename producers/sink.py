"""The seam between the logger and the log: what a sink promises. `KafkaSink` is the real one, `testing.MemorySink` its double."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import pyarrow as pa

# Names of refusals that the logger tells apart; they are librdkafka's (rd_kafka_err2name).
TOO_LARGE = "MSG_SIZE_TOO_LARGE"
PURGED = "_PURGE_QUEUE"
PURGED_IN_FLIGHT = "_PURGE_INFLIGHT"
TIMED_OUT = "_MSG_TIMED_OUT"
# What no other time and no other setting of the producer will change.
FOR_GOOD = frozenset(
    {TOO_LARGE, "INVALID_MSG_SIZE", "INVALID_RECORD", "INVALID_TIMESTAMP", "POLICY_VIOLATION"}
)

# a purged message is reported on by threads that a busy machine lets wait: so long (seconds) after the one before it
_QUIET_S = 0.5
_POLL_S = 0.02


class Refusal(Protocol):
    """Why a message was not delivered."""

    def name(self) -> str:
        """The name that librdkafka gives the error, such as ``_MSG_TIMED_OUT``."""


class Sent(Protocol):
    """A message that was sent, as its report sees it."""

    def key(self) -> bytes | str | None:
        """Its key."""

    def value(self) -> bytes | str | None:
        """Its value."""


Report = Callable[[Refusal | None, Sent], None]
"""Called once for each message sent, from `Sink.poll`: None means acknowledged."""


class TableRows(Protocol):
    """Many messages that are sent together and reported on together.

    Attributes:
        stream: their topic without prefix.
        keys: a string per message.
        values: a binary value per message.
    """

    stream: str
    keys: pa.StringArray
    values: pa.BinaryArray | None

    def progress(self, left: int) -> None:
        """Called from `Sink.poll` now and then: the fate of so many is not known yet."""

    def settled(self, refused: Sequence[tuple[int, Refusal]]) -> None:
        """Called once, from `Sink.poll`: all are acknowledged, but for those at these places."""


class SinkFull(Exception):
    """No room for another message now; `poll` makes some."""


class SinkRefused(Exception):
    """A message that this sink does not take, whose report will not be called."""

    def name(self) -> str:
        """As `Refusal.name`: this is one."""
        return str(self.args[0])


class Sink(Protocol):
    """Takes messages without blocking and reports on each. One thread at a time uses it.

    Attributes:
        capacity: how many messages it holds at most before one of them is reported on.
    """

    capacity: int

    def open(self) -> None:
        """Get ready to send, in this process.

        Raises:
            ConfigError: settings that no retry will mend.
        """

    def send(self, stream: str, key: bytes, value: bytes, report: Report) -> None:
        """Take a message for a topic without prefix, such as ``predictions``.

        Raises:
            SinkFull: try again after `poll`.
            SinkRefused: this message will never be taken, such as ``MSG_SIZE_TOO_LARGE``.
        """

    def takes_table(self) -> bool:
        """Whether there is room for messages of a table: the fate of all sent before is known."""

    def send_table(self, rows: TableRows) -> None:
        """Take the messages of a table, which are sent in their order; single messages may overtake them. One that is
        refused, such as ``MSG_SIZE_TOO_LARGE``, holds up no other.

        Raises:
            SinkFull: no room; try again after `poll`.
        """

    def poll(self, seconds: float) -> None:
        """Call the reports that are due; wait up to ``seconds`` for the first."""

    def waiting(self) -> int:
        """Messages taken whose report was not called yet."""

    def purge(self) -> None:
        """Give up what waits: the next `poll` reports it as ``_PURGE_QUEUE``, or ``_PURGE_INFLIGHT`` if it may have arrived."""

    def complaints(self) -> list[str]:
        """What the connection suffers from, each said once, for the log."""

    def close(self) -> None:
        """Let go of the connection; what waits is lost without a report."""

    def be_brief(self) -> None:
        """Before `open`: report what is not acknowledged within seconds as ``_MSG_TIMED_OUT``, for somebody who has another place for it."""

    def for_child(self) -> Sink:
        """An unopened sink like this one, for a forked child, where this one must never be touched again."""


def take_back(sink: Sink, clock: Callable[[], float]) -> None:
    """Have a sink give up what waits, and hear of each message for as long as reports come."""
    sink.purge()
    left, until = sink.waiting(), clock() + _QUIET_S
    while left and clock() < until:
        sink.poll(_POLL_S)
        if sink.waiting() != left:
            left, until = sink.waiting(), clock() + _QUIET_S
    sink.poll(0)
