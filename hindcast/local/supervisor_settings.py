"""supervisord's settings file, rendered from the programs it is to watch over."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from hindcast.local.layout import Layout
from hindcast.local.ports import LOOPBACK
from hindcast.local.program import Program

_LOG_BYTES = "10MB"
_LOG_FILES = 2
# supervisord waits one second longer before each further attempt; it never gives up by itself.
_RETRIES = 1_000_000
# A program that ends sooner did not start: it waits before its next attempt instead of looping.
_STARTED_AFTER_S = 5


@dataclass(frozen=True)
class Watched:
    """A program and how it is to be stopped: lower priorities start first and stop last."""

    program: Program
    priority: int
    stop_within_s: int


def render_supervisor_settings(
    layout: Layout, programs: Iterable[Watched], *, control_port: int, control_password: str
) -> str:
    """The settings file: control on loopback behind a password, nothing started by itself."""
    control = f"{LOOPBACK}:{control_port}"
    sections = {
        "supervisord": {
            "nodaemon": "true",
            "logfile": str(layout.supervisor_log),
            "logfile_maxbytes": _LOG_BYTES,
            "logfile_backups": "1",
            "pidfile": str(layout.supervisor_pid),
            "directory": str(layout.work),
            "loglevel": "info",
        },
        "inet_http_server": {"port": control, "username": "hindcast", "password": control_password},
        "rpcinterface:supervisor": {
            "supervisor.rpcinterface_factory": "supervisor.rpcinterface:make_main_rpcinterface"
        },
    }
    for watched in programs:
        sections[f"program:{watched.program.name}"] = _program(watched)
    return "\n".join(_section(name, settings) for name, settings in sections.items())


def _program(watched: Watched) -> dict[str, str]:
    program = watched.program
    # Parent 0: whoever starts it, which is supervisord.
    command = [sys.executable, "-m", "hindcast.local.leash", "0", *program.command]
    settings = {
        "command": _joined(command),
        "priority": str(watched.priority),
        "autostart": "false",
        "autorestart": "true",
        "startsecs": str(_STARTED_AFTER_S),
        "startretries": str(_RETRIES),
        "stopwaitsecs": str(watched.stop_within_s),
        "stopsignal": "TERM",
        "stopasgroup": "false",
        "killasgroup": "true",
        "redirect_stderr": "true",
        "stdout_logfile": str(program.log),
        "stdout_logfile_maxbytes": _LOG_BYTES,
        "stdout_logfile_backups": str(_LOG_FILES),
    }
    if program.environment:
        settings["environment"] = _environment(program.environment)
    return settings


def _joined(command: list[str]) -> str:
    # A blank and a hash or semicolon begin a comment, in quotes too, where alone they stand: so the quotes end between the two.
    return re.sub(r"(\s)([;#])", r"\1''\2", shlex.join(command))


def _environment(variables: Mapping[str, str]) -> str:
    return ",".join(f'{name}="{_quoted(value)}"' for name, value in variables.items())


def _quoted(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"')


def _section(name: str, settings: Mapping[str, str]) -> str:
    # supervisord expands %(names)s everywhere.
    lines = [f"{key}={value.replace('%', '%%')}" for key, value in settings.items()]
    return "\n".join([f"[{name}]", *lines, ""])
