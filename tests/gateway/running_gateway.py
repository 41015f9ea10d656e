"""A gateway that runs in this process, on a thread, with a channel to memory; and what a client of it needs."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import Any

from waiting import eventually

from producers.channel import Channel
from producers.gateway.server import GatewayServer, listen, server_of
from producers.gateway.settings import GatewaySettings
from producers.limits import Limits
from producers.testing import MemorySink

JSON = {"Content-Type": "application/json"}
NDJSON = {"Content-Type": "application/x-ndjson"}
GOOD = {"model": "churn", "model_version": "3"}


@dataclass(frozen=True)
class Reply:
    """What came back; header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def content(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


def reply_of(link: HTTPConnection) -> Reply:
    """Read one answer."""
    reply = link.getresponse()
    return Reply(reply.status, {name.lower(): value for name, value in reply.getheaders()}, reply.read())


def rest(link: socket.socket) -> bytes:
    """All that comes until the other side ends."""
    found = b""
    while chunk := link.recv(65_536):
        found += chunk
    return found


@dataclass
class RunningGateway:
    """A gateway's address, its server, and where its events go."""

    port: int
    sink: MemorySink
    channel: Channel
    server: GatewayServer

    def ask(
        self, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None
    ) -> Reply:
        """One request on a connection of its own; what is no bytes is sent as JSON."""
        link = HTTPConnection("127.0.0.1", self.port, timeout=90)
        try:
            sent = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
            link.request(method, path, sent, dict(headers if headers is not None else JSON if sent else {}))
            return reply_of(link)
        finally:
            link.close()

    def send(self, stream: str, body: object, headers: Mapping[str, str] | None = None) -> Reply:
        """Post items."""
        return self.ask("POST", f"/v1/{stream}", body, headers)

    def connect(self) -> socket.socket:
        """A connection on which nothing is said yet."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=90)

    def recorded(self, stream: str, ids: Collection[str | None]) -> list[dict[str, Any]]:
        """The records that have these ids, in the order of arrival, when all have come."""
        name = {"predictions": "prediction_id", "labels": "label_id"}[stream]

        def found() -> list[dict[str, Any]]:
            records = [record for record in self.sink.records(stream) if record[name] in ids]
            assert len(records) >= len(ids), len(records)
            return records

        return eventually(found, saying=f"{len(ids)} {stream}") if ids else []


@contextmanager
def running_gateway(
    settings: GatewaySettings | None = None,
    *,
    sink: MemorySink | None = None,
    limits: Limits | None = None,
    channel: Channel | None = None,
) -> Iterator[RunningGateway]:
    """A gateway that lives as long as the context, and ends in order."""
    sink = sink or MemorySink()
    channel = channel or Channel(sink, None, limits)
    channel.open()
    server = server_of(settings or GatewaySettings(), channel)
    bound = listen("127.0.0.1", 0)
    thread = threading.Thread(target=server.run, args=([bound],), daemon=True)
    thread.start()
    try:
        eventually(lambda: server.started, saying="the gateway listens")
        yield RunningGateway(bound.getsockname()[1], sink, channel, server)
    finally:
        server.should_exit = True
        thread.join(60)
        assert not thread.is_alive()
