"""How long requests may wait, which becomes less when the gateway is told to end."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Deadlines:
    """The time limits of the requests that run. Used by the event loop only."""

    def __init__(self) -> None:
        self._end = math.inf
        self._running: set[asyncio.Timeout] = set()

    @property
    def hurried(self) -> bool:
        """Whether the gateway is about to end."""
        return self._end < math.inf

    @asynccontextmanager
    async def within(self, seconds: float) -> AsyncIterator[None]:
        """Raise TimeoutError in what is inside when it has taken so long, or the end has come."""
        limit = asyncio.timeout_at(min(asyncio.get_running_loop().time() + seconds, self._end))
        async with limit:
            self._running.add(limit)
            try:
                yield
            finally:
                self._running.discard(limit)

    def hurry(self, seconds: float) -> None:
        """Let nothing wait for more than so many seconds from now on."""
        self._end = min(self._end, asyncio.get_running_loop().time() + seconds)
        for limit in self._running:
            limit.reschedule(min(limit.when() or math.inf, self._end))
