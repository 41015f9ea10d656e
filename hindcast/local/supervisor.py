"""Talking to the supervisord of a stack: start, stop, kill and ask after its programs."""

from __future__ import annotations

import fcntl
import http.client
import re
import xmlrpc.client
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hindcast.local.ports import LOOPBACK
from producers.errors import ConfigError, TransientError

_LINE = re.compile(
    r"^\S+ \S+ \w+ (spawned|exited): '?([\w-]+)'?(?: with pid \d+| \((.*?)(?:; (?:not )?expected)?\))"
)
_TIMEOUT_S = 10.0
# supervisord's argument `wait`.
_AT_ONCE, _AT_ITS_END = False, True


@dataclass(frozen=True)
class ProcessState:
    """One program as supervisord sees it: its state in supervisord's words, pid (0: none), start, and when it last ended."""

    name: str
    state: str
    pid: int
    started_at: datetime | None
    ended_at: datetime | None = None


@dataclass
class History:
    """How often a program was started since the stack came up, and how it last ended."""

    starts: int = 0
    last_exit: str = ""


class _Transport(xmlrpc.client.Transport):
    def make_connection(self, host: object) -> http.client.HTTPConnection:
        link = super().make_connection(host)  # type: ignore[arg-type]  # typeshed names a private type
        link.timeout = _TIMEOUT_S
        return link


class Supervisor:
    """A running supervisord, by its loopback control port."""

    def __init__(self, port: int, password: str) -> None:
        self._rpc = xmlrpc.client.ServerProxy(
            f"http://hindcast:{password}@{LOOPBACK}:{port}/RPC2", transport=_Transport()
        ).supervisor

    def answers(self) -> bool:
        """Whether it is there and takes orders."""
        try:
            return bool(self._rpc.getState())
        except (OSError, http.client.HTTPException, xmlrpc.client.Error):
            return False

    def processes(self) -> dict[str, ProcessState]:
        """Every program by name.

        Raises:
            TransientError: supervisord does not answer.
        """
        return {
            info["name"]: ProcessState(
                info["name"],
                info["statename"].lower(),
                info["pid"],
                datetime.fromtimestamp(info["start"], UTC) if info["pid"] else None,
                datetime.fromtimestamp(info["stop"], UTC) if info["stop"] else None,
            )
            for info in self._ask("getAllProcessInfo")
        }

    def start(self, name: str) -> None:
        """Start a program that does not run; returns at once."""
        self._ask("startProcess", name, _AT_ONCE)

    def stop(self, name: str) -> None:
        """Stop a program, which then stays stopped; returns when it ended."""
        self._ask("stopProcess", name, _AT_ITS_END)

    def shutdown(self) -> None:
        """Stop every program, last started first, and then supervisord; returns at once."""
        self._ask("shutdown")

    def _ask(self, call: str, *arguments: object) -> Any:
        try:
            return getattr(self._rpc, call)(*arguments)
        except xmlrpc.client.Fault as fault:
            raise TransientError(f"the supervisor refuses {call}: {fault.faultString}") from None
        except (OSError, http.client.HTTPException, xmlrpc.client.Error):
            raise TransientError("the supervisor does not answer") from None


def is_held(lock: Path) -> bool:
    """Whether a living supervisor holds the lock."""
    try:
        with lock.open("r") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except BlockingIOError:
        return True
    except OSError as problem:
        raise ConfigError(f"{lock} cannot be read: {problem.strerror}") from None
    return False


def histories(log: str) -> dict[str, History]:
    """Starts and exits of each program, from the text of supervisord's log."""
    found: dict[str, History] = {}
    for line in log.splitlines():
        match = _LINE.match(line)
        if match is None:
            continue
        what, name, how = match.groups()
        history = found.setdefault(name, History())
        if what == "spawned":
            history.starts += 1
        else:
            history.last_exit = how
    return found
