"""The ClickHouse door as a program: how it is started, where it answers, and whether it does."""

from __future__ import annotations

import sys
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path
from urllib.parse import quote, urlsplit

from hindcast.local.directories import prepare_directory
from hindcast.local.ports import LOOPBACK, free_port, require_free, same_port
from hindcast.local.program import Program
from producers.errors import ConfigError

NEEDED_MIB = 256
USER = "default"


def prepare_clickhouse(
    directory: Path, *, port: int | None = None, password: str = "", analyst_password: str = ""
) -> tuple[str, Program]:
    """The URL, as `HINDCAST_CLICKHOUSE` takes it, and the program that serves the data below `directory`.

    The same directory gives the same port again, unless another is given or somebody took it.

    Raises:
        ConfigError: port in use, directory unusable, disk full.
    """
    directory = prepare_directory(directory, free_mib=NEEDED_MIB)
    chosen = require_free(port, wanted_by="ClickHouse") if port else _port_of_last_time(directory)
    (directory / "port").write_text(f"{chosen}\n")
    command = (sys.executable, "-m", "hindcast.local.clickhouse_door", "--directory", str(directory))
    program = Program(
        name="clickhouse",
        command=(*command, "--port", str(chosen)),
        log=directory / "clickhouse.log",
        # By environment, since everybody on the machine may read a command line.
        environment={
            "HINDCAST_DOOR_PASSWORD": password,
            "HINDCAST_DOOR_ANALYST_PASSWORD": analyst_password,
        },
    )
    return f"http://{USER}:{quote(password, safe='')}@{LOOPBACK}:{chosen}", program


def pings(url: str, *, timeout: float = 1.0) -> bool:
    """Whether a ClickHouse, the door or a server, answers at this URL's host and port."""
    parts = urlsplit(url)
    secure = parts.scheme == "https"
    link = (HTTPSConnection if secure else HTTPConnection)(parts.hostname or "", parts.port, timeout=timeout)
    try:
        link.request("GET", "/ping")
        return bool(link.getresponse().read() == b"Ok.\n")
    except (OSError, HTTPException):
        return False
    finally:
        link.close()


def _port_of_last_time(directory: Path) -> int:
    try:
        port = int((directory / "port").read_text())
    except FileNotFoundError:
        return free_port()
    except (OSError, ValueError):
        raise ConfigError(f"{directory / 'port'} is damaged: remove it") from None
    return same_port(port)
