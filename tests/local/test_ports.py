"""Choosing ports."""

from __future__ import annotations

import socket
import threading

import pytest

from hindcast.local.ports import free_port, is_free, require_free, same_port
from producers.errors import ConfigError


def test_a_free_port_is_not_one_of_outgoing_connections() -> None:
    """So that no client can take a server's port while it restarts."""
    assert all(20_000 <= free_port() < 32_768 for _ in range(50))


def test_a_taken_port_is_seen() -> None:
    """While somebody listens it is not free; afterwards it is again, though connections linger."""
    port = free_port()
    with socket.socket() as server:
        # As servers do, so that they can come back while old connections linger.
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind(("127.0.0.1", port))
        server.listen()
        with socket.create_connection(("127.0.0.1", port)):
            accepted, _ = server.accept()
            accepted.close()
        assert not is_free(port)
        with pytest.raises(ConfigError, match=f"port {port} for Kafka is in use"):
            require_free(port, wanted_by="Kafka")
    assert require_free(port, wanted_by="Kafka") == port


def test_the_port_of_last_time_is_waited_for_and_replaced_if_it_stays_taken() -> None:
    """A server that is just being killed lets it go; another program does not."""
    port = free_port()
    with socket.socket() as server:
        server.bind(("127.0.0.1", port))
        server.listen()
        assert same_port(port) != port
        threading.Timer(0.3, server.close).start()
        assert same_port(port) == port
