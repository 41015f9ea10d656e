"""Messages that Faust has fetched and not yet handed over: its position is past them, and nobody has seen them."""

from __future__ import annotations

# A rebalance may drop what was fetched; what has not landed for so long was dropped.
_DROPPED_AFTER_S = 5.0


class Flight:
    """Counted anew with every assignment, at which nothing is in the air. Times are a steady clock's seconds; counts are since the start."""

    def __init__(self, now: float, fetched: int, handled: int) -> None:
        self._dropped = fetched - handled
        self._handled, self._since = handled, now

    def messages(self, now: float, fetched: int, handled: int) -> int:
        """How many are in the air, at least 0."""
        if handled != self._handled or fetched - handled <= self._dropped:
            self._handled, self._since = handled, now
        elif now - self._since > _DROPPED_AFTER_S:
            self._dropped, self._since = fetched - handled, now
        return max(0, fetched - handled - self._dropped)
