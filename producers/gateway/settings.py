"""What the gateway allows a client and how long it waits, read once from an explicit mapping (usually ``os.environ``)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from producers.errors import ConfigError
from producers.settings import number

MIB = 1024 * 1024
# Parsed values take ten times the bytes of their shortest text: this many are 20 MB, whatever the body's size.
MOST_VALUES = 300_000
HEAD_BYTES = 64 * 1024
HEAD_S = 10.0
WRITE_S = 30.0
KEEP_ALIVE_S = 75
# a second for requests, one for the last words to Kafka, one to be gone
LEAST_DRAIN_S = 3.0


@dataclass(frozen=True)
class GatewaySettings:
    """Limits of one gateway process.

    Attributes:
        keys: the file of API keys; None: whoever reaches the gateway may send.
        body_bytes: the longest body, as sent and as decompressed.
        items: the most events in one request.
        held_bytes: bodies held at once, of all requests; one more is answered 429.
        connections: open connections; one more is answered 503.
        body_s: seconds a client may take for a body.
        durable_s: seconds a durable request waits for Kafka.
        drain_s: seconds from SIGTERM to the end, at most half of them for requests and the rest for Kafka and for leaving.
        head_s: seconds a client may take for a request's head, or for the first byte of it.
        write_s: seconds without progress that a client may leave an answer unread.
    """

    keys: Path | None = None
    body_bytes: int = 8 * MIB
    items: int = 10_000
    held_bytes: int = 64 * MIB
    connections: int = 500
    body_s: float = 30.0
    durable_s: float = 30.0
    drain_s: float = 20.0
    head_s: float = HEAD_S
    write_s: float = WRITE_S

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> GatewaySettings:
        """Settings from HINDCAST_GATEWAY_KEYS, _BODY_BYTES, _ITEMS, _HELD_BYTES, _CONNECTIONS, _BODY_S, _DURABLE_S and _DRAIN_S.

        Raises:
            ConfigError: a value that cannot be one; the message names the variable.
        """
        keys = environment.get("HINDCAST_GATEWAY_KEYS", "")
        found = cls(
            keys=Path(keys) if keys else None,
            body_bytes=_whole(environment, "HINDCAST_GATEWAY_BODY_BYTES", cls.body_bytes),
            items=_whole(environment, "HINDCAST_GATEWAY_ITEMS", cls.items),
            held_bytes=_whole(environment, "HINDCAST_GATEWAY_HELD_BYTES", cls.held_bytes),
            connections=_whole(environment, "HINDCAST_GATEWAY_CONNECTIONS", cls.connections),
            body_s=number(environment, "HINDCAST_GATEWAY_BODY_S", cls.body_s, least=0.1),
            durable_s=number(environment, "HINDCAST_GATEWAY_DURABLE_S", cls.durable_s, least=0.1),
            drain_s=number(environment, "HINDCAST_GATEWAY_DRAIN_S", cls.drain_s, least=LEAST_DRAIN_S),
        )
        if found.held_bytes < 2 * found.body_bytes:
            raise ConfigError(
                f"HINDCAST_GATEWAY_HELD_BYTES is {found.held_bytes}: at least twice HINDCAST_GATEWAY_BODY_BYTES"
                f" ({2 * found.body_bytes}) is wanted, or the longest body finds no room"
            )
        return found


def _whole(environment: Mapping[str, str], name: str, default: int) -> int:
    value = number(environment, name, default, least=1)
    if value != int(value):
        raise ConfigError(f"{name} is {value:g}: a whole number is wanted")
    return int(value)
