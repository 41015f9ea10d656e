"""The one directory of a local stack: where everything lies, and the record that lets others find the stack."""

from __future__ import annotations

import json
import secrets
import shlex
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from hindcast.local.directories import explain
from producers.errors import ConfigError

DEFAULT_DIRECTORY = Path(".hindcast")


def told(command: str, directory: Path) -> str:
    """What to type for the stack of a directory, such as `hindcast down`; names the directory where it is not the usual one."""
    if directory.absolute() == DEFAULT_DIRECTORY.absolute():
        return f"hindcast {command}"
    return f"hindcast {command} --directory {shlex.quote(str(directory))}"


@dataclass(frozen=True)
class Layout:
    """Paths below the stack's directory."""

    directory: Path

    @property
    def record(self) -> Path:
        """Addresses and passwords, readable by the owner alone."""
        return self.directory / "stack.json"

    @property
    def lock(self) -> Path:
        """Held by the supervisor for as long as it lives."""
        return self.directory / "supervisor.lock"

    @property
    def end_request(self) -> Path:
        """There while `hindcast down` waits for a start to end."""
        return self.directory / "end.requested"

    @property
    def supervisor_pid(self) -> Path:
        """The supervisor's process id, written by itself soon after its start."""
        return self.directory / "supervisord.pid"

    @property
    def supervisor_settings(self) -> Path:
        """What supervisord is started with."""
        return self.directory / "supervisord.conf"

    @property
    def supervisor_log(self) -> Path:
        """What supervisord did."""
        return self.directory / "supervisord.log"

    @property
    def status(self) -> Path:
        """The processors' heartbeats."""
        return self.directory / "status"

    @property
    def work(self) -> Path:
        """Working directory of the processors."""
        return self.directory / "work"

    def log(self, name: str) -> Path:
        """The output of one process."""
        return self.directory / "logs" / f"{name}.log"


@dataclass(frozen=True)
class Record:
    """What a running stack tells those who look for it."""

    kafka: str
    clickhouse: str
    password: str
    analyst_password: str
    topic_prefix: str
    database: str
    control_port: int
    control_password: str

    def environment(self, layout: Layout) -> dict[str, str]:
        """The variables with which any part of Hindcast finds this stack."""
        return {
            "HINDCAST_KAFKA": self.kafka,
            "HINDCAST_CLICKHOUSE": self.clickhouse,
            "HINDCAST_TOPIC_PREFIX": self.topic_prefix,
            "HINDCAST_DATABASE": self.database,
            "HINDCAST_STATUS_DIR": str(layout.status),
            # whoever publishes a contract to this stack waits a second, not a minute
            "HINDCAST_CONTRACT_LEAD": "1",
        }


def mark(layout: Layout) -> None:
    """Make the directory known as a stack's from the first moment on, to those who would clear it.

    Raises:
        ConfigError: it cannot be written.
    """
    try:
        layout.lock.touch(mode=0o600)
    except OSError as problem:
        raise ConfigError(explain(layout.directory, problem)) from None


def write_record(layout: Layout, record: Record) -> None:
    """Leave the record where `read_record` finds it.

    Raises:
        ConfigError: it cannot be written.
    """
    try:
        layout.record.touch(mode=0o600, exist_ok=True)
        layout.record.write_text(json.dumps(asdict(record), indent=1))
    except OSError as problem:
        raise ConfigError(explain(layout.directory, problem)) from None


def read_record(layout: Layout) -> Record | None:
    """The record of the last start in this directory, or None when there was none.

    Raises:
        ConfigError: it cannot be read, or is damaged.
    """
    try:
        known = json.loads(layout.record.read_text())
        return Record(**{field.name: known[field.name] for field in fields(Record)})
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as problem:
        raise ConfigError(explain(layout.directory, problem)) from None
    except (ValueError, KeyError, TypeError):
        down = told("down", layout.directory)
        raise ConfigError(f"{layout.record} is damaged: `{down}`, then remove it; the data stay") from None


def new_password() -> str:
    """A password that needs no quoting anywhere."""
    return secrets.token_hex(16)
