"""The bytes of a body: what its headers say they are, and what they were before compression, within a limit."""

from __future__ import annotations

import sys
import zlib
from collections.abc import Callable, Mapping
from typing import Protocol

from producers.gateway.refusals import Refused

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

JSON = "application/json"
NDJSON = "application/x-ndjson"
_FORMS = {JSON: JSON, NDJSON: NDJSON, "application/ndjson": NDJSON, "application/jsonl": NDJSON}
_ENCODINGS = {"": "", "identity": "", "gzip": "gzip", "x-gzip": "gzip", "zstd": "zstd"}
_GZIP_WINDOW = 31
# RFC 8878, 3.1.1.1.2: decoders should take windows of 8 MB, and need not take larger ones
_ZSTD_WINDOW_LOG = 23
# what follows a part is copied when the part is done: parts without end would cost the square of their number
MOST_PARTS = 200
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def form_of(headers: Mapping[str, str]) -> str:
    """What the body is, by its Content-Type: `JSON` or `NDJSON`.

    Raises:
        Refused: 415, anything else or another charset than UTF-8. Without this a web page could post to a gateway on
            its reader's own machine: for these types a browser asks first.
    """
    media_type, *parameters = headers.get("content-type", "").split(";")
    form = _FORMS.get(media_type.strip().lower())
    if form is None:
        raise Refused(415, f"Content-Type must be {JSON} or {NDJSON}", {"Accept": f"{JSON}, {NDJSON}"})
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "charset" and value.strip(" \"'").lower() not in {"utf-8", "utf8"}:
            raise Refused(415, "the charset must be utf-8")
    return form


def encoding_of(headers: Mapping[str, str]) -> str:
    """How the body is compressed, by its Content-Encoding: empty, ``gzip`` or ``zstd``.

    Raises:
        Refused: 415, anything else.
    """
    encoding = _ENCODINGS.get(headers.get("content-encoding", "").strip().lower())
    if encoding is None:
        raise Refused(
            415, "Content-Encoding must be gzip, zstd or nothing", {"Accept-Encoding": "gzip, zstd"}
        )
    return encoding


def too_long(limit: int) -> Refused:
    """The refusal of a body that is, or becomes when decompressed, longer than the limit."""
    return Refused(413, f"the body is longer than {limit} bytes, as sent or decompressed: send fewer items")


class _Decompressor(Protocol):
    """What zlib and zstd have in common: one gzip member, one zstd frame."""

    @property
    def eof(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


def decompressed(data: bytes, encoding: str, limit: int) -> bytes:
    """The body as it was before compression. Never makes more than ``limit`` + 1 bytes, whatever the data say.

    Raises:
        Refused: 413, it would be longer; 400, the data are not of that encoding.
    """
    if encoding:
        try:
            data = _joined(data, _PARTS[encoding], limit)
        except (zlib.error, zstd.ZstdError, EOFError):
            raise Refused(400, f"the body is not whole {encoding}") from None
    if len(data) > limit:
        raise too_long(limit)
    return data.removeprefix(_BYTE_ORDER_MARK)


def _joined(data: bytes, part: Callable[[], _Decompressor], limit: int) -> bytes:
    """What all parts hold, or its first ``limit`` + 1 bytes."""
    plain = b""
    for _ in range(MOST_PARTS + 1):
        if not data or len(plain) > limit:
            return plain
        one = part()
        plain += one.decompress(data, limit + 1 - len(plain))
        if len(plain) <= limit and not one.eof:
            raise EOFError
        data = one.unused_data
    raise EOFError


def _gzip_member() -> _Decompressor:
    return zlib.decompressobj(_GZIP_WINDOW)


def _zstd_frame() -> _Decompressor:
    return zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: _ZSTD_WINDOW_LOG})


_PARTS = {"gzip": _gzip_member, "zstd": _zstd_frame}
