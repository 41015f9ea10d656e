"""The items of one request on their way into the queue, and what is answered of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from producers.gateway.answers import Taken
from producers.gateway.examining import FORBIDDEN, examine
from producers.gateway.items import Event, Stream
from producers.gateway.outlet import KEPT, Outlet, Receipt
from producers.gateway.refusals import Problem
from producers.ledger import CLOSED, INVALID, OVERSIZE, QUEUE_FULL

MaySpeakFor = Callable[[str], bool]
"""Whether a client may speak for a model."""

REFUSED = "refused"
# so many items are examined before other requests get a turn
TURN = 200
# why an item that was queued is refused all the same: no other attempt would change it
_NEVER = {OVERSIZE: "is larger than Kafka takes", INVALID: "cannot be encoded"}
_SETTLED = KEPT | {REFUSED}


class Taking:
    """One request's items.

    Args:
        stream: what they are.
        outlet: where the good ones go; places are kept for them.
        may_speak_for: whether the sender may speak for a model.
        durable: whether the answer says what Kafka did with each.

    Attributes:
        receipt: what became of each, of a durable request once it is taken.
    """

    def __init__(self, stream: Stream, outlet: Outlet, may_speak_for: MaySpeakFor, *, durable: bool) -> None:
        self.receipt: Receipt | None = None
        self._stream = stream
        self._outlet = outlet
        self._may_speak_for = may_speak_for
        self._durable = durable
        self._ids: list[str | None] = []
        self._problems: list[Problem] = []

    async def take(self, items: Sequence[Any], now: int) -> None:
        """Examine every item, and queue the good ones. ``now`` is µs since 1970."""
        self.receipt = Receipt(len(items)) if self._durable else None
        for index, found in enumerate(examine(self._stream, items, now, self._may_speak_for)):
            problem = found if isinstance(found, Problem) else self._say(index, found)
            if problem is not None:
                self._problems.append(problem)
                self._ids.append(None)
                if self.receipt is not None:
                    self.receipt.settles(index)(REFUSED)
            if index % TURN == TURN - 1:
                await asyncio.sleep(0)

    def result(self) -> tuple[int, Taken]:
        """The HTTP status, and what is answered."""
        # a copy: what settles later must not change an answer
        outcomes = [] if self.receipt is None else list(self.receipt.outcomes)
        never = [
            Problem(index, "", _NEVER[outcome]) for index, outcome in enumerate(outcomes) if outcome in _NEVER
        ]
        ids, problems = list(self._ids), sorted([*self._problems, *never], key=lambda one: one.index)
        for problem in never:
            ids[problem.index], outcomes[problem.index] = None, REFUSED
        taken = Taken(len(ids) - len(problems), len(problems), errors=problems)
        if self._stream.name != "deployments":
            taken.ids = ids
        if self.receipt is not None:
            taken.outcomes = outcomes
        return _status(taken), taken

    def _say(self, index: int, event: Event) -> Problem | None:
        settled = None if self.receipt is None else self.receipt.settles(index)
        reason = self._outlet.say(self._stream.name, event, settled)
        if reason is not None:
            return Problem(index, "", reason)
        self._ids.append(event.id)
        return None


def _status(taken: Taken) -> int:
    if isinstance(taken.outcomes, msgspec.UnsetType):
        good = 202
    else:
        good = 200 if _SETTLED.issuperset(taken.outcomes) else 503
    if taken.accepted:
        return good
    reasons = {problem.reason for problem in taken.errors}
    if reasons & {QUEUE_FULL, CLOSED}:
        return 503
    return 403 if reasons == {FORBIDDEN} else 422
