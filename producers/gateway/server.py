"""The process: a socket, uvicorn with our connections, and an orderly end at SIGTERM."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import ssl
from dataclasses import dataclass
from types import FrameType

import uvicorn

from producers.channel import Channel
from producers.errors import ConfigError
from producers.gateway.app import Gateway
from producers.gateway.connections import LimitedConnection, limited
from producers.gateway.settings import KEEP_ALIVE_S, GatewaySettings

_SWEEP_S = 1.0
_BACKLOG = 2048


@dataclass(frozen=True)
class Tls:
    """uvicorn's options of the same names; empty: plain HTTP.

    Attributes:
        ssl_certfile: certificate and chain, PEM.
        ssl_keyfile: its key, PEM, if not in the same file.
        ssl_keyfile_password: of the key.
        ssl_ca_certs: PEM of who signs clients' certificates; with it a client must have one.
    """

    ssl_certfile: str | None = None
    ssl_keyfile: str | None = None
    ssl_keyfile_password: str | None = None
    ssl_ca_certs: str | None = None


class GatewayServer(uvicorn.Server):
    """uvicorn, which sweeps out slow clients, and ends without sending itself the signal again.

    Args:
        gateway: told that the end is near.
        config: of uvicorn.
    """

    def __init__(self, gateway: Gateway, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._gateway = gateway
        self._sweeper: asyncio.Task[None] | None = None

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """End in order; at a second Ctrl-C, at once."""
        self.force_exit = self.should_exit and sig == signal.SIGINT
        self.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen, and to sweep."""
        await super().startup(sockets)
        self._sweeper = asyncio.create_task(self._sweep())

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen no more, answer what runs, let the channel send what waits."""
        self._gateway.hurry()
        await super().shutdown(sockets)
        if self._sweeper is not None:
            self._sweeper.cancel()

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(_SWEEP_S)
            for connection in list(self.server_state.connections):
                if isinstance(connection, LimitedConnection):
                    connection.overdue()


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes a free one.

    Raises:
        ConfigError: the address is in use, or is none of this machine.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        found = socket.socket(family, kind, protocol)
    except OSError as error:
        raise ConfigError(f"cannot listen on {host}: {error.strerror}") from None
    try:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind(address)
        found.listen(_BACKLOG)
    except OSError as error:
        found.close()
        raise ConfigError(f"cannot listen on {host} port {port}: {error.strerror}") from None
    return found


def server_of(settings: GatewaySettings, channel: Channel, tls: Tls | None = None) -> GatewayServer:
    """A server that is ready to run.

    Raises:
        ConfigError: the key file or a TLS file cannot be read.
    """
    tls = tls or Tls()

    def connections() -> int:
        return len(server.server_state.connections)

    gateway = Gateway(settings, channel, connections=connections)
    config = uvicorn.Config(
        gateway.app,
        http=limited(settings),
        # not whatever is installed
        loop="asyncio",
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        # behind a proxy nothing here depends on who the client is
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=int(settings.drain_s / 2),
        ssl_certfile=tls.ssl_certfile,
        ssl_keyfile=tls.ssl_keyfile,
        ssl_keyfile_password=tls.ssl_keyfile_password,
        ssl_ca_certs=tls.ssl_ca_certs,
        ssl_cert_reqs=ssl.CERT_REQUIRED if tls.ssl_ca_certs else ssl.CERT_NONE,
    )
    # what a client sends wrong is its own business, and would fill the log
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
    try:
        config.load()
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(f"TLS: {error.strerror or error} ({tls.ssl_certfile}, {tls.ssl_keyfile})") from None
    server = GatewayServer(gateway, config)
    return server
