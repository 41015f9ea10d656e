"""Parts that the engine took for written while the disk was full, and what is done about them.

chDB-core 26.9 passes over a small write that fails for want of room (seen with strace): an insert or merge that was under way when others filled the
disk then leaves a part all of whose files are empty, and every query that reads it fails. A merge's sources lie beside it for eight minutes
(`engine.xml`). An engine that opens the directory puts an empty part aside, as `broken-on-start`, and takes the sources back: so the process ends,
and whoever supervises it starts it again.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from time import monotonic

# The engine begins nothing with less than 256 MiB left: until here only what was under way can have come
_LOW = 64 * 2**20
# Merges that began before there was room again may end so much later
_LATER_S = 60.0
_EVERY_S = 5.0


def unwritten_parts(data: Path) -> list[str]:
    """Names of parts that stand with an empty list of checksums: their other files came before it, and are empty too."""
    found = []
    for checksums in data.glob("store/*/*/*/checksums.txt"):
        name = checksums.parent.name
        try:
            empty = checksums.stat().st_size == 0
        except OSError:
            continue
        # under way, or on its way out
        if empty and not name.startswith(("tmp", "delete_tmp")):
            found.append(name)
    return sorted(found)


class UnwrittenParts:
    """Looks for them while the disk is full, and for a minute after; else only at how much room there is.

    Args:
        data: the engine's directory.
        free: bytes that are left there.
        clock: seconds.
    """

    def __init__(
        self,
        data: Path,
        *,
        free: Callable[[Path], int] = lambda data: shutil.disk_usage(data).free,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._data, self._free, self._clock = data, free, clock
        self._until = self._next = float("-inf")

    def look(self) -> str:
        """What there is to say before the process ends; empty when it may go on. To be called once a second."""
        now = self._clock()
        if self._free(self._data) < _LOW:
            self._until = now + _LATER_S
        if now > self._until or now < self._next:
            return ""
        self._next = now + _EVERY_S
        parts = unwritten_parts(self._data)
        if not parts:
            return ""
        return f"disk full: {', '.join(parts[:5])} could not be written in {self._data}; starting again from what was merged, if it is there"
