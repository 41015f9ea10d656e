"""Stops a partition of which more than a tenth of the last 10,000 messages are dead letters. Pure.

A bad deploy must not drain a topic into dead letters: the partition waits for a person (`hindcast resume`).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Mask = npt.NDArray[np.bool_]

WINDOW = 10_000
LIMIT = WINDOW // 10


class Brake:
    """One partition's last messages: which became dead letters.

    A partition with fewer messages than the window is judged as if good ones had come before: a handful of bad
    messages on a quiet topic stops nobody.
    """

    def __init__(self) -> None:
        self._last: Mask = np.zeros(0, dtype=np.bool_)

    @property
    def dead(self) -> int:
        """Dead letters among the last messages."""
        return int(self._last.sum())

    def pressed_at(self, dead: Mask) -> int | None:
        """The place in ``dead`` (the next messages in order) at which the limit is passed; None: all may be taken.

        Remembers the messages up to and including that place.
        """
        seen = np.concatenate([self._last, dead])
        total = np.concatenate([[0], np.cumsum(seen)])
        ends = np.arange(len(self._last) + 1, len(seen) + 1)
        over = np.flatnonzero(total[ends] - total[np.maximum(ends - WINDOW, 0)] > LIMIT)
        place = int(over[0]) if len(over) else None
        taken = len(dead) if place is None else place + 1
        self._last = seen[: len(self._last) + taken][-WINDOW:]
        return place

    def refused(self, count: int) -> bool:
        """Count that many of the last messages, taken for good, as dead letters after all; whether that passes the limit."""
        good = np.flatnonzero(~self._last)
        self._last[good[len(good) - min(count, len(good)) :]] = True
        return self.dead > LIMIT

    def release(self) -> None:
        """Forget: a person has let the partition go on."""
        self._last = np.zeros(0, dtype=np.bool_)
