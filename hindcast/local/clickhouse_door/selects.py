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
from hindcast.local.clickhouse_door.compression import Encoder, encoder
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
            begun = await unless(gone, pipe.read_up_to(_HEAD))
            if begun is None:
                return self._left(running)
            head, ended = begun.result()
            if ended:
                pipe.abandon()
                return whole(replace(await asyncio.wrap_future(running.done), data=head))
            if wait_for_end:
                kept = await self._kept(running, gone, head, packing[0])
                return _of_known_length(kept, headers, packing[1]) if kept else self._left(running)
            return self._streamed(running, head, packing=packing, headers=headers)
        except BaseException:
            self._end(running)
            raise
        finally:
            gone.cancel()

    async def _kept(
        self, running: Running, gone: asyncio.Future[None], head: bytes, packer: Encoder
    ) -> IO[bytes] | None:
        """The whole answer in a file, as it is sent; None when the client went first."""
        with contextlib.ExitStack() as open_files:
            kept = open_files.enter_context(tempfile.TemporaryFile(dir=self._incoming))
            kept.write(packer.compress(head))
            while piece := await unless(gone, running.pipe.read()):
                if piece.result():
                    kept.write(packer.compress(piece.result()))
                    continue
                await asyncio.wrap_future(running.done)
                kept.write(packer.flush())
                kept.flush()
                running.pipe.abandon()
                open_files.pop_all()
                return kept
        return None

    def _streamed(
        self, running: Running, head: bytes, *, packing: tuple[Encoder, str], headers: dict[str, str]
    ) -> Response:
        tag = "".join(secrets.choice(string.ascii_lowercase) for _ in range(16))
        packer, encoding = packing
        more = {"X-ClickHouse-Exception-Tag": tag} | ({"Content-Encoding": encoding} if encoding else {})
        running.step_aside()
        return StreamedAnswer(
            _of_pipe(head, running), headers | more, encoder=packer, tag=tag, ended=lambda: self._end(running)
        )

    def _left(self, running: Running) -> Response:
        self._end(running)
        return Response(status_code=GONE)

    def _end(self, running: Running) -> None:
        running.pipe.abandon()
        if not running.done.cancel() and not running.done.done():
            self._cancelling.submit(running.cancel)


async def _of_pipe(head: bytes, running: Running) -> AsyncIterator[bytes]:
    yield head
    while piece := await running.pipe.read():
        yield piece
    await asyncio.wrap_future(running.done)


def _of_known_length(kept: IO[bytes], headers: dict[str, str], encoding: str) -> Response:
    length = {"Content-Length": str(kept.tell())}
    kept.seek(0)
    more = length | ({"Content-Encoding": encoding} if encoding else {})
    return StreamedAnswer(_of_file(kept), headers | more, encoder=encoder("")[0], tag="", ended=kept.close)


async def _of_file(kept: IO[bytes]) -> AsyncIterator[bytes]:
    while piece := kept.read(CHUNK):
        yield piece
