"""How much may wait in a service's memory, and what gives way when there is more."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from producers.errors import ConfigError

# A tight loop says events faster than the sender, which gets the interpreter every second turn at best, sends them: the
# queue holds such a loop, not only a pause of Kafka's. Kafka's client has a queue of its own behind this one.
EVENTS = 100_000
BYTES = 64 * 1024 * 1024

Drop = Literal["newest", "oldest"]


@dataclass(frozen=True)
class Limits:
    """The bounds of one logger's queue.

    Attributes:
        events: that may wait.
        bytes: that encoded events may take while they wait.
        drop: which event gives way where neither memory nor spool has room.

    Raises:
        ConfigError: a bound below 1, or another word.
    """

    events: int = EVENTS
    bytes: int = BYTES
    drop: Drop = "newest"

    def __post_init__(self) -> None:
        if self.events < 1 or self.bytes < 1:
            raise ConfigError("queue_limit and queue_bytes are at least 1")
        if self.drop not in {"newest", "oldest"}:
            raise ConfigError(f"drop is {self.drop!r}: newest or oldest is wanted")
