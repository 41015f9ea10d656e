"""Why a request, or one item of it, is not taken: in words for whoever wrote the client, never with a value of the event."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

LONGEST_NAME = 100


class Refused(Exception):
    """A request of which nothing is taken.

    Args:
        status: of HTTP.
        why: one sentence.
        headers: of the answer.
    """

    def __init__(self, status: int, why: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(why)
        self.status = status
        self.why = why
        self.headers = dict(headers or {})


class Problem(msgspec.Struct, frozen=True):
    """An item that is not taken.

    Attributes:
        index: its place in the request, from 0.
        field: the field at fault, such as ``features.age``; empty where it is the whole item.
        reason: what is wrong with it.
    """

    index: int
    field: str
    reason: str


def later(status: int, why: str, seconds: int) -> Refused:
    """A request that may succeed later: 429 where clients send too much at once, 503 where the gateway can take nothing."""
    return Refused(status, why, {"Retry-After": str(seconds)})


def shortened(name: str) -> str:
    """A client's own name for a field, of a length that can be said."""
    return name if len(name) <= LONGEST_NAME else name[:LONGEST_NAME] + "…"
