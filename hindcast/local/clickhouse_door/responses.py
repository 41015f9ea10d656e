"""Answers as HTTP: their headers, compressed as the client likes, and failures in ClickHouse's form."""

from __future__ import annotations

import json
from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from hindcast.local.clickhouse_door.compression import Encoder, encode_answer, encoder
from hindcast.local.clickhouse_door.engine import Answer
from hindcast.local.clickhouse_door.failures import QueryFailed
from hindcast.local.clickhouse_door.native_blocks import NativeEncoder
from hindcast.local.clickhouse_door.request import QueryRequest

_SERVER = {"X-ClickHouse-Server-Display-Name": "hindcast"}
_CONTENT_TYPES = {
    "json": "application/json; charset=UTF-8",
    "csv": "text/csv; charset=UTF-8; header=absent",
    "tabseparated": "text/tab-separated-values; charset=UTF-8",
    "tsv": "text/tab-separated-values; charset=UTF-8",
    "pretty": "text/plain; charset=UTF-8",
    "vertical": "text/plain; charset=UTF-8",
}


def succeeded(request: Request, asked: QueryRequest, answer: Answer, headers: Mapping[str, str]) -> Response:
    """The whole answer, with what the query cost."""
    data, encoding = answer.data, ""
    if asked.blocks_out:
        data = NativeEncoder().compress(data)
    elif asked.compress_answer:
        data, encoding = encode_answer(data, request.headers.get("accept-encoding", ""))
    said = {**headers, "X-ClickHouse-Summary": _summary(answer)}
    return Response(data, headers=said | ({"Content-Encoding": encoding} if encoding else {}))


def failed(failure: QueryFailed, asked: QueryRequest | None) -> Response:
    """The failure; `asked` is None where the request could not even be read."""
    headers = {"X-ClickHouse-Exception-Code": str(failure.code), **_SERVER}
    if asked is not None:
        headers["X-ClickHouse-Query-Id"] = asked.query_id
    return PlainTextResponse(failure.text + "\n", status_code=failure.status, headers=headers)


def answer_headers(asked: QueryRequest, form: str, timezone: str) -> dict[str, str]:
    """What every answer in this format says of itself."""
    return {
        "X-ClickHouse-Query-Id": asked.query_id,
        **_SERVER,
        "X-ClickHouse-Timezone": timezone,
        "X-ClickHouse-Format": form,
        "Content-Type": _content_type(form),
    }


def packing(request: Request, asked: QueryRequest) -> tuple[Encoder, str]:
    """The encoder of an answer that is sent in pieces, and its Content-Encoding ("" for none)."""
    if asked.blocks_out:
        return NativeEncoder(), ""
    return encoder(request.headers.get("accept-encoding", "") if asked.compress_answer else "")


def _content_type(form: str) -> str:
    lowered = form.lower()
    for start, content_type in _CONTENT_TYPES.items():
        if lowered.startswith(start):
            return content_type
    return "application/octet-stream"


def _summary(answer: Answer) -> str:
    return json.dumps(
        {
            "read_rows": str(answer.read_rows),
            "read_bytes": str(answer.read_bytes),
            "written_rows": str(answer.written_rows),
            "written_bytes": str(answer.written_bytes),
            "total_rows_to_read": "0",
            "result_rows": str(answer.result_rows),
            "result_bytes": str(len(answer.data)),
            "elapsed_ns": str(round(answer.elapsed_s * 1e9)),
        }
    )
