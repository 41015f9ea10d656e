"""uvicorn's connections, with limits where uvicorn has none: how many, how long a head, how slow a client."""

from __future__ import annotations

import asyncio
import enum
from typing import ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from producers.gateway.settings import HEAD_BYTES, GatewaySettings

# what a client that goes on sending a body may take beyond its time: the application has answered by then
GRACE_S = 5.0
_REFUSAL = (
    "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n"
    "{more}connection: close\r\n\r\n{body}"
)


class Phase(enum.Enum):
    """What a connection waits for: a request's head, the rest of its body, or its answer and the next request."""

    HEAD = enum.auto()
    BODY = enum.auto()
    ANSWER = enum.auto()


class LimitedConnection(HttpToolsProtocol):
    """One connection. `overdue` is to be called about once a second.

    Attributes:
        limits: set by `limited`.
    """

    limits: ClassVar[GatewaySettings] = GatewaySettings()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Begin, or refuse one connection too many."""
        super().connection_made(transport)
        self._phase = Phase.HEAD
        self._since = self.loop.time()
        self._head_bytes = 0
        self._unread = 0
        self._unread_since = 0.0
        if len(self.connections) > self.limits.connections:
            self._refuse("503 Service Unavailable", "too many connections", "retry-after: 1\r\n")

    def data_received(self, data: bytes) -> None:
        """Take what has come; a head that grows too long is refused."""
        if self.transport.is_closing():
            return
        super().data_received(data)
        if self._phase is Phase.HEAD and not self.transport.is_closing():
            self._head_bytes += len(data)
            if self._head_bytes > HEAD_BYTES:
                self._refuse("431 Request Header Fields Too Large", f"a head has at most {HEAD_BYTES} bytes")

    def on_message_begin(self) -> None:
        """A request's first byte is here."""
        self._enter(Phase.HEAD)
        self._head_bytes = 0
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header, or a trailer, which nobody here reads."""
        # what comes behind a body in chunks would be kept without end
        if self._phase is Phase.HEAD:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The head is here."""
        self._enter(Phase.BODY)
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The body is here."""
        self._enter(Phase.ANSWER)
        super().on_message_complete()

    def overdue(self) -> None:
        """End the connection if its client has let more time pass than it has."""
        now, limits = self.loop.time(), self.limits
        if self._unread_for(now) > limits.write_s:
            self.transport.abort()
        elif self._phase is Phase.HEAD and not self._works() and now - self._since > limits.head_s:
            self._refuse("408 Request Timeout", f"a request's head did not arrive within {limits.head_s:g} s")
        elif self._phase is Phase.BODY and now - self._since > limits.body_s + GRACE_S:
            self.transport.abort()

    def _enter(self, phase: Phase) -> None:
        self._phase = phase
        self._since = self.loop.time()

    def _works(self) -> bool:
        """Whether an earlier request of this connection is not answered yet: what came behind it waits."""
        return self.cycle is not None and not self.cycle.response_complete

    def _unread_for(self, now: float) -> float:
        """Seconds for which the client has read nothing of an answer that is not all read."""
        unread = self.transport.get_write_buffer_size()
        if not unread or unread != self._unread:
            self._unread, self._unread_since = unread, now
        return now - self._unread_since

    def _refuse(self, status: str, why: str, more: str = "") -> None:
        body = f'{{"error":"{why}"}}'
        self.transport.write(
            _REFUSAL.format(status=status, length=len(body), more=more, body=body).encode("ascii")
        )
        self.transport.close()


def limited(settings: GatewaySettings) -> type[LimitedConnection]:
    """Connections with these limits; uvicorn makes them from a class."""
    return type("Connection", (LimitedConnection,), {"limits": settings})
