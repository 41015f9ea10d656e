"""A static member or transactional producer that Kafka fences: another process took its slot, or a broker that died while it joined knows its name under another member."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from time import monotonic

from producers.errors import BrokerUnavailable, ConfigError
from stream_processors.kafka import KafkaError

# Two processes with one slot take it from each other every few seconds, and none gives way before it is told to. A broker that is held still, or
# away, fences once at the most: when the group's new coordinator has answered, which takes it nine seconds to become and more.
TIMES = 3
WITHIN_S = 30.0

# librdkafka reports fencing under one of these, or as a fatal error that says so
_FENCED = {KafkaError._FENCED, KafkaError.FENCED_INSTANCE_ID, KafkaError.PRODUCER_FENCED}  # noqa: SLF001 - public constant


class Fenced(ConfigError):
    """Another member took this one's place."""


def is_fenced(error: KafkaError) -> bool:
    """Whether another client has taken this one's place."""
    return error.code() in _FENCED or "fenced" in error.str()


def is_fatal(error: KafkaError) -> bool:
    """Whether the client is of no use after this error. A fatal one's `fatal()` is false where it comes in a message (confluent-kafka)."""
    return bool(error.fatal()) or error.code() == KafkaError._FATAL or error.code() in _FENCED  # noqa: SLF001 - public constant


def fatal(error: KafkaError, role: str) -> Fenced | BrokerUnavailable:
    """What a processor of this role raises for such an error: it goes on with a new client, if at all."""
    if is_fenced(error):
        return Fenced(f"another {role} runs with this slot: give each a HINDCAST_SLOT of its own")
    return BrokerUnavailable(f"Kafka refuses this client for good: {error.str()}")


class Lapses:
    """Tells a broker's lapse from a second process with our slot: being fenced is no proof, being fenced again and again is."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._times: deque[float] = deque(maxlen=TIMES)

    def forgive(self, fault: Fenced) -> None:
        """Return where a new client may go on.

        Raises:
            Fenced: the fault, if it is the third within half a minute.
        """
        self._times.append(self._clock())
        if len(self._times) == TIMES and self._times[-1] - self._times[0] < WITHIN_S:
            raise fault
