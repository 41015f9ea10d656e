"""Receiving a body: within its time, its length, and what all requests together may hold."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from starlette.requests import Request

from producers.gateway.body import too_long
from producers.gateway.deadlines import Deadlines
from producers.gateway.refusals import Refused, later

SOON_S = 1


class Held:
    """The bytes of bodies that are in memory.

    Args:
        limit: how many there may be, of all requests.
    """

    def __init__(self, limit: int) -> None:
        self.bytes = 0
        self._limit = limit

    @contextmanager
    def share(self) -> Iterator[Share]:
        """One request's share, given back at the end."""
        share = Share(self)
        try:
            yield share
        finally:
            self.bytes -= share.bytes

    def has_room(self, count: int) -> bool:
        """Whether so many bytes more may be held."""
        return self.bytes + count <= self._limit


class Share:
    """What one request holds."""

    def __init__(self, held: Held) -> None:
        self.bytes = 0
        self._held = held

    def add(self, count: int) -> None:
        """Hold so many bytes more; raises `Refused` (429) where there is no room for them."""
        if not self._held.has_room(count):
            raise later(429, "more is being sent at once than the gateway holds: send again later", SOON_S)
        self.bytes += count
        self._held.bytes += count


async def read_body(
    request: Request, limit: int, seconds: float, deadlines: Deadlines, share: Share
) -> bytes:
    """The body as it was sent.

    Raises:
        Refused: 400, a Content-Length that is none; 408, not within so many seconds; 413, longer than ``limit``; 429, more than may be held.
        ClientDisconnect: the client has gone.
    """
    stated = request.headers.get("content-length", "0")
    if not stated.isdecimal():
        raise Refused(400, "Content-Length is no number")
    if int(stated) > limit:
        raise too_long(limit)
    received = bytearray()
    try:
        async with deadlines.within(seconds):
            async for chunk in request.stream():
                if len(received) + len(chunk) > limit:
                    raise too_long(limit)
                share.add(len(chunk))
                received += chunk
    except TimeoutError:
        raise Refused(408, f"the body did not arrive within {seconds:g} s", {"Connection": "close"}) from None
    return bytes(received)
