"""The web application: requests in, engine's answers out, bodies of inserts by way of a file."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import ParamSpec, TypeVar

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from hindcast.local.clickhouse_door.access import User, Users
from hindcast.local.clickhouse_door.admission import admit
from hindcast.local.clickhouse_door.body_file import body_file
from hindcast.local.clickhouse_door.compression import (
    INFILE_METHODS,
    check_encoding,
    check_whole,
    decompress,
)
from hindcast.local.clickhouse_door.engine import Answer, Engine, Job, literal
from hindcast.local.clickhouse_door.failures import (
    BAD_ARGUMENTS,
    CANNOT_WRITE_TO_FILE_DESCRIPTOR,
    QueryFailed,
    refused,
)
from hindcast.local.clickhouse_door.form import form_fields
from hindcast.local.clickhouse_door.native_blocks import unpack_blocks
from hindcast.local.clickhouse_door.query_ids import find_by_chosen_id
from hindcast.local.clickhouse_door.request import QueryRequest, read_request
from hindcast.local.clickhouse_door.responses import answer_headers, failed, packing, succeeded
from hindcast.local.clickhouse_door.selects import GONE, Selects
from hindcast.local.clickhouse_door.statement import (
    Insert,
    answering_into,
    output_format,
    split_insert,
)
from hindcast.local.clickhouse_door.turns import Turns

P = ParamSpec("P")
R = TypeVar("R")


class Door:
    """ClickHouse's HTTP interface over one engine; `threads` of the owner's queries run at once, the rest wait.

    Readers share half as many of their own, and inserts have theirs: whatever is asked, the processors go on writing.
    """

    def __init__(self, engine: Engine, users: Users, incoming: Path, *, threads: int) -> None:
        self._engine = engine
        self._users = users
        self._incoming = incoming
        self._inserts = ThreadPoolExecutor(threads, thread_name_prefix="insert")
        self._owners = Turns(threads, name="query")
        self._readers = Turns(max(1, threads // 2), name="reader")
        self._selects = Selects(engine, incoming)
        self.app = Starlette(
            routes=[
                Route("/ping", self.ping, methods=["GET", "HEAD"]),
                Route("/replicas_status", self.ping, methods=["GET", "HEAD"]),
                Route("/", self.query, methods=["GET", "HEAD", "POST"]),
            ]
        )

    async def ping(self, request: Request) -> Response:
        """Alive: the engine is open."""
        return PlainTextResponse("Ok.\n")

    async def query(self, request: Request) -> Response:
        """One query, answered as ClickHouse's server would."""
        asked = None
        try:
            user = self._users.authenticate(request.query_params, request.headers)
            form = await _form(request)
            asked = read_request([*request.query_params.multi_items(), *form], request.headers)
            if request.method != "POST" and not asked.query:
                return PlainTextResponse("Ok.\n")
            return await self._answer(request, asked, user, is_form=bool(form))
        except QueryFailed as failure:
            return failed(failure, asked)
        except OSError as problem:
            # a body or an answer that waits for its end fills the disk: nothing of it was written or sent
            why = f"Cannot write to file: errno: {problem.errno}, strerror: {problem.strerror}"
            return failed(refused(CANNOT_WRITE_TO_FILE_DESCRIPTOR, why), asked)
        except ClientDisconnect:
            # before its body was whole: nothing was run
            return Response(status_code=GONE)

    async def _answer(self, request: Request, asked: QueryRequest, user: User, *, is_form: bool) -> Response:
        encoding = check_encoding(request.headers.get("content-encoding", ""))
        if is_form:
            return await self._run_text(request, asked, user, b"", "")
        query = asked.query.encode()
        insert = _split_insert(query)
        if insert is not None and insert.data_at >= len(query) and not asked.blocks_in:
            admit(query, asked.parameters, reading_only=_reading_only(request, user))
            answer = await self._insert_stream(request, asked, user, insert, encoding)
            return self._succeeded(request, asked, answer, asked.default_format)
        body = await request.body()
        if asked.blocks_in:
            body, encoding = await self._beside(_unpacked, body, encoding), ""
        return await self._run_text(request, asked, user, body, encoding)

    async def _insert_stream(
        self, request: Request, asked: QueryRequest, user: User, insert: Insert, encoding: str
    ) -> Answer:
        """The statement stands in the URL and the body is its data, which the engine decompresses itself."""
        with body_file(request, self._incoming) as (spool, path):
            async for chunk in request.stream():
                spool.write(chunk)
            spool.flush()
            job = self._insert_job(asked, user, insert, path, INFILE_METHODS[encoding])

            def run() -> Answer:
                check_whole(spool, encoding)
                return self._engine.run(job)

            return await self._beside(run)

    async def _run_text(
        self, request: Request, asked: QueryRequest, user: User, body: bytes, encoding: str
    ) -> Response:
        """The statement stands in the body, or in both."""
        plain = await self._beside(decompress, body, encoding)
        text = asked.query.encode() + b"\n" + plain if asked.query else plain
        insert = _split_insert(text)
        statement = text[: insert.data_at] if insert else text
        admit(statement, asked.parameters, reading_only=_reading_only(request, user))
        if insert is not None:
            with body_file(request, self._incoming) as (spool, path):
                spool.write(memoryview(text)[insert.data_at :])
                spool.flush()
                job = self._insert_job(asked, user, insert, path, "none")
                answer = await self._beside(self._engine.run, job)
            return self._succeeded(request, asked, answer, asked.default_format)
        sql = find_by_chosen_id(_decode(text))
        form = output_format(text, asked.default_format)
        if answering_into(text, "", form) is not None:
            return await self._select(request, asked, user, sql, form)
        job = self._job(asked, user, sql)
        turn = self._turns_of(user).take(lambda: self._engine.run(job))
        answer = await asyncio.wrap_future(turn.done)
        return self._succeeded(request, asked, answer, form)

    async def _select(
        self, request: Request, asked: QueryRequest, user: User, sql: str, form: str
    ) -> Response:
        def job(path: str) -> Job:
            written = answering_into(sql.encode(), path, asked.default_format)
            assert written is not None
            return self._job(asked, user, written.decode())

        return await self._selects.answer(
            request,
            job,
            turns=self._turns_of(user),
            wait_for_end=asked.wait_for_end or request.scope["http_version"] == "1.0",
            packing=packing(request, asked),
            whole=lambda answer: self._succeeded(request, asked, answer, form),
            headers=answer_headers(asked, form, self._engine.timezone),
        )

    def _insert_job(
        self, asked: QueryRequest, user: User, insert: Insert, path: str, compression: str
    ) -> Job:
        source = f"FROM INFILE {literal(path)} COMPRESSION '{compression}'"
        sql = f"{insert.head} {source} {insert.tail} FORMAT {insert.data_format}"
        return self._job(asked, user, sql)

    def _job(self, asked: QueryRequest, user: User, sql: str) -> Job:
        return Job(
            sql=sql,
            output_format=asked.default_format,
            parameters=asked.parameters,
            settings=asked.settings,
            forced=user.forced,
            database=asked.database,
            query_id=asked.query_id,
            session_id=asked.session_id,
            session_timeout_s=asked.session_timeout_s,
        )

    def _turns_of(self, user: User) -> Turns:
        return self._owners if user.may_write else self._readers

    async def _beside(self, work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """What an insert, or the reading of a body, takes."""
        return await asyncio.get_running_loop().run_in_executor(self._inserts, partial(work, *args, **kwargs))

    def _succeeded(self, request: Request, asked: QueryRequest, answer: Answer, form: str) -> Response:
        return succeeded(request, asked, answer, answer_headers(asked, form, self._engine.timezone))


def _unpacked(body: bytes, encoding: str) -> bytes:
    return unpack_blocks(decompress(body, encoding))


def _reading_only(request: Request, user: User) -> bool:
    # Whatever lies between may repeat a GET.
    return request.method != "POST" or not user.may_write


async def _form(request: Request) -> list[tuple[str, str]]:
    content_type = request.headers.get("content-type", "")
    if request.method != "POST" or not content_type.startswith("multipart/"):
        return []
    return form_fields(content_type, await request.body())


def _decode(text: bytes) -> str:
    try:
        return text.decode()
    except UnicodeDecodeError:
        raise _not_utf_8() from None


def _split_insert(text: bytes) -> Insert | None:
    try:
        return split_insert(text)
    except UnicodeDecodeError:
        raise _not_utf_8() from None


def _not_utf_8() -> QueryFailed:
    return refused(BAD_ARGUMENTS, "the statement is not UTF-8")
