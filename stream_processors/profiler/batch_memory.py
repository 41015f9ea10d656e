"""Memory of batches of messages, kept from one batch to the next, and what counting leaves behind, given back."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence

import pyarrow as pa

# far less than one arena's share of messages
_EVERY = 64


def give_back() -> None:
    """Give memory that nothing lives in back to the system: Arrow's, and the C library's where it can (glibc). Takes some milliseconds.

    Both keep what batches of a thousand models took while they were counted, and a flush of all these models' columns comes on top of it.
    """
    pa.default_memory_pool().release_unused()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


class BatchMemory:
    """Holds the memory in which batches of messages live.

    Python keeps small objects in arenas of 1 MiB and gives an arena back to the system once nothing in it lives: all of them whenever a
    batch is dropped, and each page is faulted in again for the next one. That took an eighth of the profiler's time. Now a few
    messages of the largest batch so far are kept, so that each of its arenas holds something; the process needs no more memory than it
    needed for that batch.
    """

    def __init__(self) -> None:
        self._kept: Sequence[object] = ()
        self._largest = 0

    def hold(self, messages: Sequence[object]) -> None:
        """Keep the arenas of this batch, if it is the largest so far."""
        if len(messages) > self._largest:
            self._kept, self._largest = messages[::_EVERY], len(messages)
