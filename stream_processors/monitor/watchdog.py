"""Notices that Faust has silently ceased: it has been known to stop fetching, or to leave agents without messages, and to say nothing.

Issues 175, 523, 629 and 640 of faust-streaming. The supervisor's restart is the cure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from producers.errors import TransientError

PATIENCE_S = 60.0


class FaustCeased(TransientError):
    """Faust lives and does nothing; a new process goes on where this one stopped."""


@dataclass(slots=True)
class _Fetched:
    position: int
    since: float


@dataclass(slots=True)
class _Handled:
    messages: int
    received: int
    since: float


class Watchdog:
    """Compares what there is with what was fetched, and what was fetched with what reached the agent. Times are a steady clock's seconds."""

    def __init__(self, patience: float = PATIENCE_S) -> None:
        self._patience = patience
        self._fetched: dict[int, _Fetched] = {}
        self._handled: _Handled | None = None

    def look(
        self,
        now: float,
        positions: Mapping[int, int],
        ends: Mapping[int, int],
        *,
        received: int,
        handled: int,
    ) -> None:
        """Look at the partitions that are ours.

        Args:
            now: when.
            positions: what Faust's consumer will fetch next, per partition.
            ends: where each partition ends.
            received: messages that Faust has fetched in all.
            handled: messages that have reached the agent in all.

        Raises:
            FaustCeased: nothing was fetched of a partition that has more, or nothing that was fetched reached the agent, for the whole patience.
        """
        if positions.keys() != self._fetched.keys():
            # a rebalance drops what was fetched and not handled: counted from here anew
            self._fetched, self._handled = {}, None
        for partition, position in positions.items():
            self._look_at_fetching(now, partition, position, ends.get(partition, 0))
        self._look_at_handling(now, received, handled)

    def _look_at_fetching(self, now: float, partition: int, position: int, end: int) -> None:
        seen = self._fetched.setdefault(partition, _Fetched(position, now))
        if position != seen.position or position >= end:
            self._fetched[partition] = _Fetched(position, now)
        elif now - seen.since > self._patience:
            raise FaustCeased(f"nothing fetched of sketches-{partition} for {self._patience:g} s")

    def _look_at_handling(self, now: float, received: int, handled: int) -> None:
        last = self._handled
        if last is None or handled != last.messages or received == last.received:
            self._handled = _Handled(handled, received, now)
        elif now - last.since > self._patience:
            raise FaustCeased(f"nothing fetched reached the agent for {self._patience:g} s")
