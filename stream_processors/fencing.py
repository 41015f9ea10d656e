"""A static member or transactional producer that Kafka fences: another process took its slot, or a broker that died while it joined knows its name under another member."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic

from producers.errors import BrokerUnavailable, ConfigError
from stream_processors.kafka import KafkaError

AGAIN_S = 60.0

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
    """Tells a broker's lapse from a second process with our slot: being fenced once is no proof, twice within a minute is."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock, self._last = clock, float("-inf")

    def forgive(self, fault: Fenced) -> None:
        """Return where a new client may go on.

        Raises:
            Fenced: the fault, if there was another less than a minute ago.
        """
        now = self._clock()
        if now - self._last < AGAIN_S:
            raise fault
        self._last = now
