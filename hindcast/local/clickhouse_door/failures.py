"""ClickHouse's exceptions as HTTP: text, code header and status.

The mapping follows `exceptionCodeToHTTPStatus` of ClickHouse's server.
"""

from __future__ import annotations

import re

_CODE = re.compile(r"Code: (\d+)\.")
_UNKNOWN_EXCEPTION = 1002
# clients look for the whole block in the last 16 KiB
_LONGEST_WITHIN = 15 * 1024

_STATUS_OF_CODE = {
    **dict.fromkeys((192, 193, 497, 516), 403),
    # What the client wrote cannot be understood.
    **dict.fromkeys(
        (6, 26, 27, 34, 36, 38, 41, 53, 62, 69, 70, 72, 73, 117, 130, 131, 386, 441, 456, 457), 400
    ),
    # What the client named is not there.
    **dict.fromkeys((16, 36, 46, 47, 50, 56, 60, 63, 78, 81, 115, 141), 404),
    36: 400,
    48: 501,
    78: 404,
    159: 408,
    164: 403,
    223: 413,
    194: 401,
    209: 503,
    210: 503,
    373: 409,
}

BAD_ARGUMENTS = 36
NOT_IMPLEMENTED = 48
AUTHENTICATION_FAILED = 516
INTO_OUTFILE_NOT_ALLOWED = 358
READONLY = 164
CANNOT_WRITE_TO_FILE_DESCRIPTOR = 75
SYNTAX_ERROR = 62
SESSION_IS_LOCKED = 373
CANNOT_DECOMPRESS = 271
QUERY_WITH_SAME_ID_IS_ALREADY_RUNNING = 216

_NAMES = {
    BAD_ARGUMENTS: "BAD_ARGUMENTS",
    NOT_IMPLEMENTED: "NOT_IMPLEMENTED",
    AUTHENTICATION_FAILED: "AUTHENTICATION_FAILED",
    INTO_OUTFILE_NOT_ALLOWED: "INTO_OUTFILE_NOT_ALLOWED",
    READONLY: "READONLY",
    CANNOT_WRITE_TO_FILE_DESCRIPTOR: "CANNOT_WRITE_TO_FILE_DESCRIPTOR",
    SYNTAX_ERROR: "SYNTAX_ERROR",
    SESSION_IS_LOCKED: "SESSION_IS_LOCKED",
    CANNOT_DECOMPRESS: "CANNOT_DECOMPRESS",
    QUERY_WITH_SAME_ID_IS_ALREADY_RUNNING: "QUERY_WITH_SAME_ID_IS_ALREADY_RUNNING",
}


class QueryFailed(Exception):
    """A query that did not succeed, as ClickHouse would say it: `code` and the full text."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text

    @property
    def status(self) -> int:
        """The HTTP status ClickHouse's server answers with for this code."""
        return _STATUS_OF_CODE.get(self.code, 500)


def refused(code: int, why: str) -> QueryFailed:
    """A failure that this door itself states, in ClickHouse's form."""
    return QueryFailed(code, f"Code: {code}. DB::Exception: {why}. ({_NAMES[code]})")


def from_engine(said: str, version: str) -> QueryFailed:
    """The engine's exception text as a server of that version would send it."""
    match = _CODE.search(said)
    code = int(match.group(1)) if match else _UNKNOWN_EXCEPTION
    text = said[match.start() :] if match else f"Code: {code}. DB::Exception: {said}"
    if "(version " not in text:
        text = f"{text.rstrip()} (version {version} (official build))"
    return QueryFailed(code, text)


def within_an_answer(failure: QueryFailed, tag: str) -> bytes:
    """The failure as it ends an answer that has begun; `tag` is the answer's `X-ClickHouse-Exception-Tag`.

    Source: ClickHouse's documentation of the HTTP interface, "HTTP response codes caveats".
    """
    text = failure.text.encode()[:_LONGEST_WITHIN] + b"\n"
    said = f"{len(text)} {tag}\r\n__exception__\r\n".encode()
    return f"\r\n__exception__\r\n{tag}\r\n".encode() + text + said
