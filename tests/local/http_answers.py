"""One HTTP exchange with a ClickHouse, by hand: what clients do, without a client in between."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http.client import HTTPConnection
from urllib.parse import quote, unquote, urlencode, urlsplit


@dataclass(frozen=True)
class Exchange:
    """What came back; header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode()


def ask(
    url: str,
    body: bytes | str | Iterator[bytes] = b"",
    *,
    method: str = "POST",
    headers: Mapping[str, str] | None = None,
    path: str = "/",
    **parameters: object,
) -> Exchange:
    """Send one request, with the URL's user and password unless headers or parameters name others; pieces go in chunks."""
    parts = urlsplit(url)
    sent = dict(headers or {})
    if "user" not in parameters and not {"Authorization", "X-ClickHouse-User"} & set(sent):
        user, password = unquote(parts.username or "default"), unquote(parts.password or "")
        sent |= {"X-ClickHouse-User": user, "X-ClickHouse-Key": password}
    link = HTTPConnection(parts.hostname or "", parts.port, timeout=60)
    try:
        target = f"{path}?{urlencode(parameters, quote_via=quote)}"
        chunked = not isinstance(body, bytes | str)
        if chunked:
            sent["Transfer-Encoding"] = "chunked"
        link.request(
            method, target, body.encode() if isinstance(body, str) else body, sent, encode_chunked=chunked
        )
        reply = link.getresponse()
        return Exchange(reply.status, {k.lower(): v for k, v in reply.getheaders()}, reply.read())
    finally:
        link.close()
