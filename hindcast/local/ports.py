"""Loopback ports: find a free one, or say in one line that a given one is taken."""

from __future__ import annotations

import errno
import socket

from producers.errors import ConfigError

LOOPBACK = "127.0.0.1"


def free_port() -> int:
    """A loopback port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


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
