"""An answer too long to be held: sent as the engine makes it, and ended by force where the engine fails on the way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, TypeVar

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from hindcast.local.clickhouse_door.compression import Encoder
from hindcast.local.clickhouse_door.failures import QueryFailed, within_an_answer

R = TypeVar("R")

# as long as a server's http_send_timeout: whoever takes nothing for so long would hold a query for ever
SEND_S = 30.0


class StreamedAnswer(Response):
    """Sends pieces until they end, the client goes, or takes nothing for half a minute; then calls `ended`.

    A `QueryFailed` among the pieces is written as ClickHouse writes it, and the body is left without its end, so that
    no client takes it for whole. Without a Content-Length among the headers it goes in chunks.
    """

    def __init__(
        self,
        pieces: AsyncIterator[bytes],
        headers: Mapping[str, str],
        *,
        encoder: Encoder,
        tag: str,
        ended: Callable[[], None],
    ) -> None:
        super().__init__(headers=headers)
        if "Content-Length" not in headers:
            del self.headers["content-length"]
        self._pieces, self._encoder, self._tag, self._ended = pieces, encoder, tag, ended

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        gone = asyncio.ensure_future(disconnected(receive))
        try:
            await send(
                {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
            )
            whole = await self._send_pieces(send, gone)
            if not gone.done():
                await _send(send, self._encoder.flush(), more=not whole)
        except TimeoutError:
            return
        finally:
            gone.cancel()
            self._ended()

    async def _send_pieces(self, send: Send, gone: asyncio.Future[None]) -> bool:
        """Whether it went well to the end."""
        while (piece := await unless(gone, self._next())) is not None:
            try:
                data = piece.result()
            except StopAsyncIteration:
                return True
            except QueryFailed as failure:
                await _send(send, self._encoder.compress(within_an_answer(failure, self._tag)), more=True)
                return False
            if packed := self._encoder.compress(data):
                await _send(send, packed, more=True)
        return False

    async def _next(self) -> bytes:
        return await anext(self._pieces)


async def _send(send: Send, body: bytes, *, more: bool) -> None:
    await asyncio.wait_for(send({"type": "http.response.body", "body": body, "more_body": more}), SEND_S)


async def disconnected(receive: Receive) -> None:
    """Returns when the client has gone; its request has been read."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def unless(gone: asyncio.Future[None], work: Awaitable[R]) -> asyncio.Future[R] | None:
    """The finished work, or None when the client went first."""
    task = asyncio.ensure_future(work)
    either: set[asyncio.Future[Any]] = {task, gone}
    try:
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
    finally:
        if not task.done():
            task.cancel()
    return task if task.done() and not task.cancelled() else None


def watch(request: Request) -> asyncio.Future[None]:
    """Done when the request's client has gone."""
    return asyncio.ensure_future(disconnected(request.receive))
