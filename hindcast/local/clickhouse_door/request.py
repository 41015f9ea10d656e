"""One HTTP request of ClickHouse's interface, read: query, bound parameters, settings, and how to answer."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from hindcast.local.clickhouse_door.failures import BAD_ARGUMENTS, NOT_IMPLEMENTED, refused

# Parameters of the transport that mean nothing to an engine in the same process.
_TRANSPORT = frozenset(
    {
        "user",
        "password",
        "quota_key",
        "role",
        "stacktrace",
        "buffer_size",
        "client_protocol_version",
        "send_progress_in_http_headers",
        "http_headers_progress_interval_ms",
        "add_http_cors_header",
        "http_zlib_compression_level",
        "http_native_compression_disable_checksumming_on_decompress",
        "http_write_exception_in_output_format",
        "cancel_http_readonly_queries_on_client_close",
        "send_timeout",
        "receive_timeout",
        "log_comment",
    }
)
_UNSUPPORTED = {
    "session_check": "session_check=1: a session begins with the first statement that leaves something in it",
}
_SETTING = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*\Z")
_FALSE = frozenset({"", "0", "false"})
# a server's max_session_timeout
_LONGEST_SESSION_S = 3600
# DBMS_MIN_REVISION_WITH_CUSTOM_SERIALIZATION
_SERIALIZATION_REVISION = 54454
_DIGITS = 9
DEFAULT_FORMAT = "TabSeparated"


@dataclass(frozen=True)
class QueryRequest:
    """What a client asked for, apart from the body."""

    query: str
    parameters: Mapping[str, str]
    settings: Mapping[str, str]
    database: str
    default_format: str
    query_id: str
    session_id: str
    session_timeout_s: int
    compress_answer: bool
    wait_for_end: bool
    blocks_out: bool
    blocks_in: bool


def read_request(pairs: Iterable[tuple[str, str]], headers: Mapping[str, str]) -> QueryRequest:
    """The request from its URL's parameters and headers (names in lower case).

    Raises:
        QueryFailed: a parameter that this door refuses, by name.
    """
    given = dict(pairs)
    parameters = {name[6:]: value for name, value in given.items() if name.startswith("param_")}
    taken = _take_known(given)
    _refuse_native_revision(given, taken, headers)
    return QueryRequest(
        query=given.get("query", ""),
        parameters=parameters,
        settings=_settings(given),
        database=taken["database"] or headers.get("x-clickhouse-database", ""),
        default_format=_format(taken["default_format"] or headers.get("x-clickhouse-format", "")),
        query_id=_query_id(taken["query_id"] or headers.get("x-clickhouse-query-id", "")),
        session_id=taken["session_id"],
        session_timeout_s=_whole("session_timeout", taken["session_timeout"] or "60", _LONGEST_SESSION_S),
        compress_answer=taken["enable_http_compression"] not in _FALSE,
        wait_for_end=taken["wait_end_of_query"] not in _FALSE,
        blocks_out=taken["compress"] not in _FALSE,
        blocks_in=taken["decompress"] not in _FALSE,
    )


_KNOWN = (
    "database",
    "default_format",
    "query_id",
    "session_id",
    "session_timeout",
    "enable_http_compression",
    "wait_end_of_query",
    "compress",
    "decompress",
)


def _refuse_native_revision(
    given: Mapping[str, str], taken: Mapping[str, str], headers: Mapping[str, str]
) -> None:
    """From this revision on, clients such as clickhouse-go do not look which form of Native they got."""
    form = taken["default_format"] or headers.get("x-clickhouse-format", "")
    revision = given.get("client_protocol_version", "")
    known = re.fullmatch(rf"[0-9]{{1,{_DIGITS}}}", revision)
    if form.lower() == "native" and known and int(revision) >= _SERIALIZATION_REVISION:
        raise refused(
            NOT_IMPLEMENTED,
            f"this door does not serve Native of client_protocol_version={revision}, which clickhouse-go asks for: "
            "the engine writes it of version 0 alone",
        )


def _take_known(given: Mapping[str, str]) -> dict[str, str]:
    for name, why in _UNSUPPORTED.items():
        if given.get(name, "") not in _FALSE:
            raise refused(NOT_IMPLEMENTED, f"this door does not serve {why}")
    return {name: given.get(name, "") for name in _KNOWN}


def _settings(given: Mapping[str, str]) -> dict[str, str]:
    settings = {}
    for name, value in given.items():
        if name in _TRANSPORT or name in _UNSUPPORTED or name in _KNOWN or name == "query":
            continue
        if name.startswith("param_"):
            continue
        if not _SETTING.match(name):
            raise refused(BAD_ARGUMENTS, "a URL parameter is no name of a setting")
        settings[name] = value
    return settings


def _format(name: str) -> str:
    if not re.fullmatch(r"\w*", name, re.ASCII):
        raise refused(BAD_ARGUMENTS, "default_format is no name of a format")
    return name or DEFAULT_FORMAT


def _query_id(text: str) -> str:
    if not (text.isascii() and text.isprintable()):
        raise refused(
            BAD_ARGUMENTS, "query_id must be of printable ASCII characters: it is a header of the answer"
        )
    return text or str(uuid.uuid4())


def _whole(name: str, text: str, most: int) -> int:
    # int() itself refuses thousands of digits
    if not (text.isascii() and text.isdigit()) or len(text) > _DIGITS or int(text) > most:
        raise refused(BAD_ARGUMENTS, f"{name} must be a whole number of at most {most}")
    return int(text)
