"""What the gateway answers, as JSON."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from starlette.responses import Response

from producers.gateway.refusals import Problem, Refused

JSON_UTF8 = "application/json"
_encode = msgspec.json.Encoder().encode


class Taken(msgspec.Struct, omit_defaults=True):
    """The answer to a request whose items were looked at.

    Attributes:
        accepted: how many items were taken.
        refused: how many were not; each stands in ``errors``.
        ids: of each item in order, null for a refused one; predictions and labels only.
        outcomes: durable requests only: of each item in order, ``delivered``, ``spooled``, ``pending``, ``refused`` or
            why it was lost.
        errors: what is wrong with each refused item.
    """

    accepted: int
    refused: int
    ids: list[str | None] | msgspec.UnsetType = msgspec.UNSET
    outcomes: list[str] | msgspec.UnsetType = msgspec.UNSET
    errors: list[Problem] = []


class Failed(msgspec.Struct):
    """The answer to a request of which nothing was taken.

    Attributes:
        error: why, in one sentence.
    """

    error: str


def answer(status: int, content: object, headers: Mapping[str, str] | None = None) -> Response:
    """A response with this content as JSON."""
    return Response(_encode(content), status, headers=dict(headers or {}), media_type=JSON_UTF8)


def refusal(refused: Refused) -> Response:
    """The response that says why nothing was taken."""
    return answer(refused.status, Failed(refused.why), refused.headers)
