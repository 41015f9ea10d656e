"""Where Kafka is and how to speak to it, read once from an explicit mapping (usually ``os.environ``)."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from producers.errors import ConfigError

_SERVERS = "bootstrap.servers"
# host, host:port or [v6]:port, with or without a protocol, as librdkafka takes them
_SERVER = re.compile(r"(\w+://)?([^\s,:/\[\]]+|\[[0-9A-Fa-f:.%]+\])(:(?P<port>\d{1,5}))?")
_LAST_PORT = 65_535
# hosts of this machine, which no proxy of the environment reaches
LOOPBACK_HOSTS = frozenset(["127.0.0.1", "::1", "localhost"])
# Kafka takes names of up to 249 such letters; a topic's own name follows the prefix and its dot
_PREFIX = re.compile(r"[A-Za-z0-9._-]{1,200}")


def number(
    environment: Mapping[str, str], name: str, default: float, *, least: float = 0.0, most: float = math.inf
) -> float:
    """The number in a variable, finite, at least ``least`` and at most ``most``.

    Raises:
        ConfigError: not such a number; the message names the variable.
    """
    text = environment.get(name, "").strip()
    if not text:
        return default
    try:
        value = float(text)
    except ValueError:
        raise ConfigError(f"{name} is {text!r}: a number is wanted") from None
    if not math.isfinite(value):
        raise ConfigError(f"{name} is {text}: a finite number is wanted")
    if value < least:
        raise ConfigError(f"{name} is {text}: at least {least:g} is wanted")
    if value > most:
        raise ConfigError(f"{name} is {text}: at most {most:,.10g} is wanted")
    return value


@dataclass(frozen=True)
class KafkaSettings:
    """How to reach Kafka.

    Attributes:
        bootstrap: ``host:port``, several separated by commas.
        topic_prefix: topics are ``<prefix>.<name>``.
        schema_registry: URL of a Confluent-compatible registry; empty: single-object framing.
        properties: librdkafka properties (TLS, SASL, anything), from a file of ``key=value`` lines.
    """

    bootstrap: str = "127.0.0.1:9092"
    topic_prefix: str = "hindcast"
    schema_registry: str = ""
    properties: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> KafkaSettings:
        """Settings from HINDCAST_KAFKA, _TOPIC_PREFIX, _SCHEMA_REGISTRY and _KAFKA_PROPERTIES (a file).

        ``bootstrap.servers`` of the properties file counts where HINDCAST_KAFKA is not set.

        Raises:
            ConfigError: an address, URL or prefix that cannot be one, or a properties file that cannot be read or has a line without ``=``;
                the message names the variable.
        """
        path = environment.get("HINDCAST_KAFKA_PROPERTIES", "")
        properties = read_properties(Path(path)) if path else {}
        servers = properties.pop(_SERVERS, "")
        prefix = environment.get("HINDCAST_TOPIC_PREFIX") or cls.topic_prefix
        if not _PREFIX.fullmatch(prefix):
            raise ConfigError(
                f"HINDCAST_TOPIC_PREFIX is {prefix[:40]!r}: up to 200 letters, digits, dots, dashes and underscores are wanted"
            )
        return cls(
            bootstrap=_checked_servers(environment.get("HINDCAST_KAFKA") or servers or cls.bootstrap),
            topic_prefix=prefix,
            schema_registry=_checked_registry(environment.get("HINDCAST_SCHEMA_REGISTRY", "")),
            properties=properties,
        )

    def topic(self, name: str) -> str:
        """The full name of one of our topics, such as ``hindcast.predictions``."""
        return f"{self.topic_prefix}.{name}"


def _checked_servers(text: str) -> str:
    for one in text.split(","):
        server = _SERVER.fullmatch(one.strip())
        if server is None or int(server["port"] or 1) not in range(1, _LAST_PORT + 1):
            raise ConfigError(
                f"HINDCAST_KAFKA is {text[:80]!r}: host:port is wanted, several separated by commas"
            )
    return text


def _checked_registry(url: str) -> str:
    if url:
        http_address(url)
    return url


def http_address(url: str) -> SplitResult:
    """The parts of a schema registry's URL.

    Raises:
        ConfigError: it is no http address; the URL, which may hold a password, is not repeated.
    """
    try:
        parts = urlsplit(url)
        if parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0:
            return parts
    except ValueError:
        pass
    raise ConfigError("HINDCAST_SCHEMA_REGISTRY: http://host:port is wanted")


def read_properties(path: Path) -> dict[str, str]:
    """The ``key=value`` lines of a librdkafka properties file; ``#`` begins a comment line.

    Raises:
        ConfigError: unreadable, or a line without ``=``; the message names the line's number, never its text.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "not text"
        raise ConfigError(f"HINDCAST_KAFKA_PROPERTIES: cannot read {path}: {why}") from None
    properties = {}
    for place, line in enumerate(lines, start=1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        key, equals, value = text.partition("=")
        if not equals:
            raise ConfigError(f"HINDCAST_KAFKA_PROPERTIES: {path} line {place}: key=value is wanted")
        properties[key.strip()] = value.strip()
    return properties
