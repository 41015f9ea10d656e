"""The gateway's web application: a request in, its items examined and queued, an answer with what became of each."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from producers.channel import Channel
from producers.complaints import Complaints
from producers.gateway.answers import Failed, answer, refusal
from producers.gateway.body import decompressed, encoding_of, form_of
from producers.gateway.deadlines import Deadlines
from producers.gateway.examining import split
from producers.gateway.items import STREAMS, Stream
from producers.gateway.keys import KeyRing
from producers.gateway.metrics import CONTENT_TYPE, Metrics
from producers.gateway.openapi import document
from producers.gateway.outlet import Outlet
from producers.gateway.page import page
from producers.gateway.reading import Held, read_body
from producers.gateway.refusals import Refused, later
from producers.gateway.settings import GatewaySettings
from producers.gateway.taking import MaySpeakFor, Taking

LATER_S = 5
# what closing the channel may take beyond its time, and the process to be gone
_LEAVING_S = 1.0 + 1.0
_TRUTHS = {"true": True, "1": True, "false": False, "0": False}
_log = logging.getLogger("hindcast.gateway")


class Gateway:
    """One gateway process.

    Args:
        settings: its limits.
        channel: of this process.
        clock: nanoseconds since 1970.
        connections: how many are open.

    Attributes:
        app: the ASGI application; it opens the channel at its start and closes it at its end.

    Raises:
        ConfigError: the key file cannot be read.
    """

    def __init__(
        self,
        settings: GatewaySettings,
        channel: Channel,
        *,
        clock: Callable[[], int] = time.time_ns,
        connections: Callable[[], int] = lambda: 0,
    ) -> None:
        self._settings = settings
        self._channel = channel
        self._clock = clock
        self._outlet = Outlet(channel)
        self._held = Held(settings.held_bytes)
        self._deadlines = Deadlines()
        self._end: float | None = None
        self._complaints = Complaints(_log)
        self._ring = (
            KeyRing(settings.keys, time.monotonic, partial(self._complaints.say, "keys"))
            if settings.keys
            else None
        )
        self._metrics = Metrics(channel.stats, lambda: self._held.bytes, connections)
        self.app = Starlette(
            routes=[
                *(
                    Route(f"/v1/{stream.name}", self._route(stream), methods=["POST"])
                    for stream in STREAMS.values()
                ),
                Route("/", self._page),
                Route("/healthz", self._healthy),
                Route("/metrics", self._measured),
                Route("/openapi.json", self._described),
                Route("/readyz", self._ready),
            ],
            lifespan=self._life,
            exception_handlers={HTTPException: _not_here},
        )

    def hurry(self) -> None:
        """Answer what runs, and soon: the end has been asked for."""
        self._end = time.monotonic() + self._settings.drain_s
        # requests that would wait longer are answered a moment before the server would cut them off
        self._deadlines.hurry(max(0.5, self._settings.drain_s / 2 - 1))

    @asynccontextmanager
    async def _life(self, _app: Starlette) -> AsyncIterator[None]:
        yield
        waiting = await asyncio.to_thread(self._channel.close, self._left())
        if waiting:
            _log.warning(
                "%d events were sent and not acknowledged: nobody knows whether they arrived", waiting
            )

    def _left(self) -> float:
        """Seconds for what Kafka has not acknowledged: what requests left of the time to the end."""
        end = time.monotonic() + self._settings.drain_s if self._end is None else self._end
        return max(0.0, end - _LEAVING_S - time.monotonic())

    def _route(self, stream: Stream) -> Callable[[Request], Awaitable[Response]]:
        async def post(request: Request) -> Response:
            started = time.perf_counter()
            try:
                response = await self._taken(request, stream)
            except Refused as refused:
                if (
                    "expect" in request.headers
                ):  # its body may never come, and the next request must not be taken for it
                    refused.headers["Connection"] = "close"
                response = refusal(refused)
            except ClientDisconnect:
                response = answer(400, Failed("the client has gone"))
            except Exception as error:  # noqa: BLE001 - a traceback's last line could show what a client sent
                self._complaints.say("request", f"a request failed: {_where(error)}")
                response = answer(500, Failed("the gateway failed; its log says where"))
            self._metrics.answered(stream.name, response.status_code, time.perf_counter() - started)
            return response

        return post

    async def _taken(self, request: Request, stream: Stream) -> Response:
        """Examine a request's items and queue the good ones; of a request that is `Refused` nothing is queued."""
        may_speak_for = self._sender(request)
        durable = _durable(request)
        form, encoding = form_of(request.headers), encoding_of(request.headers)
        limits = self._settings
        if self._deadlines.hurried:
            raise later(503, "the gateway is about to end", LATER_S)
        with self._held.share() as share:
            sent = await read_body(request, limits.body_bytes, limits.body_s, self._deadlines, share)
            body = decompressed(sent, encoding, limits.body_bytes)
            if encoding:
                share.add(len(body))
            items = split(body, form, limits.items)
            taking = Taking(stream, self._outlet, may_speak_for, durable=durable)
            with self._outlet.keep(len(items)) as kept:
                if not kept:
                    raise later(
                        503, "no room for so many events now: nothing was taken, send it again", LATER_S
                    )
                await taking.take(items, self._clock() // 1000)
        if taking.receipt is not None:
            try:
                async with self._deadlines.within(limits.durable_s):
                    await taking.receipt.complete.wait()
            except TimeoutError:
                pass  # what is not settled is answered as pending
        status, taken = taking.result()
        self._metrics.looked_at(stream.name, taken.accepted, taken.refused, len(sent))
        return answer(status, taken, {"Retry-After": str(LATER_S)} if status == 503 else None)

    def _sender(self, request: Request) -> MaySpeakFor:
        """Which models this client may speak for; raises `Refused` where it may not send at all."""
        if self._ring is None:
            if "origin" in request.headers:
                raise Refused(403, "without keys nothing is taken from web pages")
            return lambda _model: True
        scheme, _, secret = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not secret:
            raise Refused(
                401, "an API key is wanted, as `Authorization: Bearer KEY`", {"WWW-Authenticate": "Bearer"}
            )
        key = self._ring.find(secret.strip())
        if key is None:
            raise Refused(401, "this API key is not known", {"WWW-Authenticate": "Bearer"})
        return key.may_speak_for

    async def _healthy(self, _request: Request) -> Response:
        """The process lives."""
        return PlainTextResponse("ok\n")

    async def _ready(self, _request: Request) -> Response:
        """Whether an event would be taken now."""
        trouble = "the gateway is about to end" if self._deadlines.hurried else self._outlet.trouble()
        return PlainTextResponse(f"{trouble or 'ready'}\n", 503 if trouble else 200)

    async def _measured(self, _request: Request) -> Response:
        return Response(self._metrics.text(), media_type=CONTENT_TYPE)

    async def _described(self, _request: Request) -> Response:
        return answer(200, document(self._settings))

    async def _page(self, _request: Request) -> Response:
        return HTMLResponse(
            page(document(self._settings)),
            headers={"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"},
        )


def _durable(request: Request) -> bool:
    unknown = set(request.query_params) - {"durable"}
    if unknown:
        raise Refused(400, "the only parameter is durable=true")
    said = request.query_params.getlist("durable") or ["false"]
    durable = _TRUTHS.get(said[0].lower())
    if durable is None or len(said) > 1:
        raise Refused(400, "durable is true or false, said once")
    return durable


async def _not_here(_request: Request, error: Exception) -> Response:
    """Paths and methods that there are not, in the same form as every other refusal."""
    assert isinstance(error, HTTPException)
    return answer(error.status_code, Failed(error.detail.lower()), error.headers)


def _where(error: Exception) -> str:
    """The kind of an error and the line that raised it, without its message."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = f" at {trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace else ""
    return f"{type(error).__name__}{place}"
