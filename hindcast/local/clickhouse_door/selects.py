"""SELECTs: answered whole where that is little, else while they run; ended when nobody waits for them any more."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import string
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import IO

from starlette.requests import Request
from starlette.responses import Response

from hindcast.local.clickhouse_door.answer_pipe import CHUNK, AnswerPipe
from hindcast.local.clickhouse_door.compression import Encoder
from hindcast.local.clickhouse_door.engine import Answer, Engine, Job
from hindcast.local.clickhouse_door.streamed_answer import StreamedAnswer, unless, watch
from hindcast.local.clickhouse_door.turns import Turns

# as much as a server gathers before it sends
_HEAD = 1024 * 1024
_AGAIN_S = 0.1
# nginx's status for a client that has gone; nobody reads it
GONE = 499


class Running:
    """A SELECT in line or under way, and the pipe it writes to."""

    def __init__(self, engine: Engine, job: Job, pipe: AnswerPipe, turns: Turns) -> None:
        self._engine, self._job, self.pipe, self._turns = engine, job, pipe, turns
        self._turn = turns.take(lambda: engine.run(job))
        self.done.add_done_callback(lambda _: pipe.written())

    @property
    def done(self) -> Future[Answer]:
        """What it cost, when it has ended."""
        return self._turn.done

    def step_aside(self) -> None:
        """From now on its reader sets the pace."""
        self._turns.step_aside(self._turn)

    def cancel(self) -> None:
        """Ask until it has ended: it may not have begun in the engine when it is asked first."""
        while not self.done.done():
            self._engine.cancel(self._job.query_id)
            time.sleep(_AGAIN_S)


class Selects:
    """Runs SELECTs; bodies that wait for the query's end lie in the directory `incoming`."""

    def __init__(self, engine: Engine, incoming: Path) -> None:
        self._engine, self._incoming = engine, incoming
        # not in the pool, which may be full of what is to be cancelled
        self._cancelling = ThreadPoolExecutor(4, thread_name_prefix="cancel")

    async def answer(
        self,
        request: Request,
        job: Callable[[str], Job],
        *,
        turns: Turns,
        wait_for_end: bool,
        packing: tuple[Encoder, str],
        whole: Callable[[Answer], Response],
        headers: dict[str, str],
    ) -> Response:
        """The answer to the job that writes to a path.

        Raises:
            QueryFailed: before anything was sent.
        """
        pipe = await AnswerPipe.open()
        running = Running(self._engine, job(pipe.path), pipe, turns)
        gone = watch(request)
        try:
            kept = await self._until(running, gone, wait_for_end=wait_for_end)
        except BaseException:
            self._end(running)
            raise
        finally:
            gone.cancel()
        if kept is None:
            self._end(running)
            return Response(status_code=GONE)
        head, rest, ended = kept
        if ended:
            pipe.abandon()
            answer = await asyncio.wrap_future(running.done)
            if rest is None:
                return whole(replace(answer, data=head))
        running.step_aside()
        return self._streamed(running, head, rest, packing=packing, headers=headers)

    async def _until(
        self, running: Running, gone: asyncio.Future[None], *, wait_for_end: bool
    ) -> tuple[bytes, IO[bytes] | None, bool] | None:
        """The answer's beginning, the file with what follows where the end is waited for, and whether it has ended."""
        ended = False

        async def read() -> bytes:
            nonlocal ended
            head, ended = await running.pipe.read_up_to(_HEAD)
            return head

        first = await unless(gone, read())
        if first is None:
            return None
        if ended or not wait_for_end:
            return first.result(), None, ended
        rest = tempfile.TemporaryFile(dir=self._incoming)  # noqa: SIM115 - the streamed answer closes it
        while piece := await unless(gone, running.pipe.read()):
            if not piece.result():
                rest.seek(0)
                return first.result(), rest, True
            rest.write(piece.result())
        rest.close()
        return None

    def _streamed(
        self,
        running: Running,
        head: bytes,
        rest: IO[bytes] | None,
        *,
        packing: tuple[Encoder, str],
        headers: dict[str, str],
    ) -> Response:
        tag = "".join(secrets.choice(string.ascii_lowercase) for _ in range(16))
        packer, encoding = packing
        more = {"X-ClickHouse-Exception-Tag": tag} | ({"Content-Encoding": encoding} if encoding else {})
        pieces = _of_file(head, rest) if rest else _of_pipe(head, running)
        return StreamedAnswer(
            pieces, headers | more, encoder=packer, tag=tag, ended=lambda: self._end(running)
        )

    def _end(self, running: Running) -> None:
        running.pipe.abandon()
        if not running.done.cancel() and not running.done.done():
            self._cancelling.submit(running.cancel)


async def _of_pipe(head: bytes, running: Running) -> AsyncIterator[bytes]:
    yield head
    while piece := await running.pipe.read():
        yield piece
    await asyncio.wrap_future(running.done)


async def _of_file(head: bytes, rest: IO[bytes]) -> AsyncIterator[bytes]:
    with contextlib.closing(rest):
        yield head
        while piece := rest.read(CHUNK):
            yield piece
