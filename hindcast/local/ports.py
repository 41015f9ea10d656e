"""Loopback ports: find a free one, or say in one line that a given one is taken."""

from __future__ import annotations

import errno
import secrets
import socket
import time

from producers.errors import ConfigError

LOOPBACK = "127.0.0.1"
# Linux gives 32768 to 60999 to outgoing connections, other systems 49152 to 65535 (RFC 6335).
_FIRST_PORT, _LAST_PORT = 20_000, 32_767
_ATTEMPTS = 200
# what a killed server may take to let its port go
_LETTING_GO_S, _LOOK_S = 2.0, 0.05


def free_port() -> int:
    """A loopback port that nobody listens on at this moment, and that no system gives to outgoing connections.

    A port of that range could be taken while its server restarts, even by a client that connects to itself in trying
    to reach the server (TCP's simultaneous open).

    Raises:
        ConfigError: none was found.
    """
    for _ in range(_ATTEMPTS):
        port = _FIRST_PORT + secrets.randbelow(_LAST_PORT - _FIRST_PORT)
        if is_free(port):
            return port
    raise ConfigError(f"no free port between {_FIRST_PORT} and {_LAST_PORT}")


def is_free(port: int) -> bool:
    """Whether a server could bind this loopback port now.

    Raises:
        ConfigError: this user may not bind the port at all.
    """
    with socket.socket() as probe:
        # Servers set it too: a port in TIME_WAIT after a restart is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError as problem:
            if problem.errno == errno.EADDRINUSE:
                return False
            raise ConfigError(f"port {port} cannot be used: {problem.strerror}") from None
    return True


def require_free(port: int, *, wanted_by: str) -> int:
    """The port itself, when it is free.

    Raises:
        ConfigError: another process listens there, with the name of who wanted it.
    """
    if not is_free(port):
        raise ConfigError(f"port {port} for {wanted_by} is in use: stop what listens there or choose another")
    return port


def same_port(port: int) -> int:
    """The port of last time, so that clients find the server again; another one where somebody has taken it.

    A server that was killed a moment ago holds its port until all of its threads have ended; it is waited for.
    """
    limit = time.monotonic() + _LETTING_GO_S
    while not is_free(port):
        if time.monotonic() > limit:
            return free_port()
        time.sleep(_LOOK_S)
    return port
