"""Settings of the processors and of the read side, from an explicit mapping (usually ``os.environ``)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import unquote, urlsplit

from producers.errors import ConfigError
from producers.settings import KafkaSettings, number

_DATABASE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# it becomes part of a file's name, of group members' and of transactions'
_SLOT = re.compile(r"[A-Za-z0-9_.-]{1,100}")
_YEAR_S = 31_536_000


@dataclass(frozen=True)
class ClickHouseSettings:
    """Where ClickHouse is.

    Attributes:
        url: ``http[s]://user:password@host:port``.
        database: name of the database; letters, digits and underscores.
        cluster: name of a cluster for replicated tables; empty on a single node.
    """

    url: str = "http://default:@127.0.0.1:8123"
    database: str = "hindcast"
    cluster: str = ""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> ClickHouseSettings:
        """Settings from HINDCAST_CLICKHOUSE, HINDCAST_DATABASE and HINDCAST_CLICKHOUSE_CLUSTER.

        Raises:
            ConfigError: a name or address that cannot be one; the message names the variable.
        """
        settings = cls(
            url=environment.get("HINDCAST_CLICKHOUSE") or cls.url,
            database=environment.get("HINDCAST_DATABASE") or cls.database,
            cluster=environment.get("HINDCAST_CLICKHOUSE_CLUSTER", ""),
        )
        for variable, name in (
            ("HINDCAST_DATABASE", settings.database),
            ("HINDCAST_CLICKHOUSE_CLUSTER", settings.cluster),
        ):
            if name and not _DATABASE.fullmatch(name):
                raise ConfigError(f"{variable} is {name!r}: letters, digits and underscores are wanted")
        settings.parts()
        return settings

    @classmethod
    def at(cls, url: str) -> ClickHouseSettings:
        """Settings for an address alone, with the usual database.

        Raises:
            ConfigError: not an http or https address.
        """
        return cls.from_environment({"HINDCAST_CLICKHOUSE": url})

    def with_database(self, database: str) -> ClickHouseSettings:
        """The same server, another database.

        Raises:
            ConfigError: it cannot be the name of one.
        """
        if not isinstance(database, str) or not _DATABASE.fullmatch(database):
            raise ConfigError(f"database {database!r}: letters, digits and underscores are wanted")
        return replace(self, database=database)

    def parts(self) -> dict[str, object]:
        """host, port, secure, username, password, as a client wants them.

        Raises:
            ConfigError: not an http or https address.
        """
        # the message leaves the address out: it has the password in it
        wrong = ConfigError("HINDCAST_CLICKHOUSE: http://user:password@host:port is wanted")
        try:
            split = urlsplit(self.url)
            port = split.port
        except ValueError:
            raise wrong from None
        if split.scheme not in {"http", "https"} or not split.hostname:
            raise wrong
        secure = split.scheme == "https"
        return {
            "host": split.hostname,
            "port": port or (8443 if secure else 8123),
            "secure": secure,
            "username": unquote(split.username or "default"),
            "password": unquote(split.password or ""),
        }


@dataclass(frozen=True)
class ProcessorSettings:
    """What each of the four processors reads.

    Attributes:
        slot: which instance of its role this is; stable over restarts.
        status_dir: where the heartbeat file goes; None: nowhere.
        metrics: ``host:port`` where Prometheus finds the metrics; empty: nowhere.
        batch_messages: how many messages the profiler works on at once, at most.
        batch_bytes: about how many bytes of them.
        flush_interval: seconds between the profiler's flushes, and the grid of the joiner's looks at its input.
        quality_interval: seconds between the joiner's revisions.
        contract_lead: seconds from a contract's append time to its effect, for contracts published here.
        allowed_lateness: seconds by which the watermark must have passed a window's end.
    """

    kafka: KafkaSettings = field(default_factory=KafkaSettings)
    clickhouse: ClickHouseSettings = field(default_factory=ClickHouseSettings)
    slot: str = "0"
    status_dir: Path | None = None
    metrics: str = ""
    batch_messages: int = 20_000
    batch_bytes: int = 16_000_000
    flush_interval: float = 5.0
    quality_interval: float = 10.0
    contract_lead: float = 60.0
    allowed_lateness: float = 30.0

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> ProcessorSettings:
        """Settings from HINDCAST_*; raises `ConfigError` naming the variable at fault."""
        status = environment.get("HINDCAST_STATUS_DIR", "")
        slot = environment.get("HINDCAST_SLOT") or cls.slot
        if not _SLOT.fullmatch(slot):
            raise ConfigError(
                f"HINDCAST_SLOT is {slot[:40]!r}: up to 100 letters, digits, dots, dashes and underscores are wanted"
            )
        return cls(
            kafka=KafkaSettings.from_environment(environment),
            clickhouse=ClickHouseSettings.from_environment(environment),
            slot=slot,
            status_dir=Path(status) if status else None,
            metrics=_address(environment, "HINDCAST_METRICS"),
            batch_messages=int(
                # the client takes no more at once
                number(environment, "HINDCAST_BATCH_MESSAGES", cls.batch_messages, least=100, most=1_000_000)
            ),
            batch_bytes=int(
                number(
                    environment, "HINDCAST_BATCH_BYTES", cls.batch_bytes, least=100_000, most=1_000_000_000
                )
            ),
            # well below the time after which Kafka takes partitions from a member that is silent
            flush_interval=number(
                environment, "HINDCAST_FLUSH_INTERVAL", cls.flush_interval, least=0.05, most=60
            ),
            quality_interval=number(
                environment, "HINDCAST_QUALITY_INTERVAL", cls.quality_interval, least=0.1, most=86_400
            ),
            contract_lead=number(environment, "HINDCAST_CONTRACT_LEAD", cls.contract_lead, most=_YEAR_S),
            allowed_lateness=number(
                environment, "HINDCAST_ALLOWED_LATENESS", cls.allowed_lateness, most=_YEAR_S
            ),
        )


def _address(environment: Mapping[str, str], name: str) -> str:
    text = environment.get(name, "").strip()
    host, _, port = text.rpartition(":")
    if text and not (host and port.isascii() and port.isdecimal() and 0 < int(port) < 65_536):
        raise ConfigError(f"{name} is {text[:60]!r}: host:port is wanted, such as 127.0.0.1:9464")
    return text
