"""Choosing ports."""

from __future__ import annotations

import socket

import pytest

from hindcast.local.ports import free_port, is_free, require_free
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
