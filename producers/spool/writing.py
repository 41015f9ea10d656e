"""Writing one segment: whole blocks at its end, or nothing."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path

from producers.spool.container import HEADER, MARKER, block
from producers.spool.descriptors import Descriptors
from producers.spool.names import Name

NEVER, SEGMENT_END, ALWAYS = "never", "segment", "always"
POLICIES = (NEVER, SEGMENT_END, ALWAYS)
_ATTEMPTS = 10


class SegmentWriter:
    """The segment that a process appends to, locked until it is sealed.

    Args:
        path: of the new file.
        descriptor: of the new, locked, empty file.
        sync: when the disk itself must have it: one of POLICIES.

    Attributes:
        size: bytes of it that are whole.
        broken: it cannot be brought back to whole blocks; seal it.
    """

    def __init__(self, path: Path, descriptor: int, descriptors: Descriptors, sync: str) -> None:
        self.path = path
        self.size = 0
        self.broken = False
        self._descriptor = descriptor
        self._descriptors = descriptors
        self._sync = sync
        self._marker = os.urandom(MARKER)

    def write(self, records: Sequence[bytes]) -> None:
        """Append one block; it is written to its end, or the file is as it was.

        Raises:
            OSError: whatever the system says.
        """
        data = block(records, self._marker)
        if self.size == 0:
            data = HEADER + self._marker + data
        try:
            _write_all(self._descriptor, data)
            if self._sync == ALWAYS:
                os.fsync(self._descriptor)
                if self.size == 0:
                    _sync_directory(self.path.parent)
        except OSError:
            self._cut_back()
            raise
        self.size += len(data)

    def is_whole(self) -> bool:
        """Whether the file is still there and as long as it was left."""
        found = os.fstat(self._descriptor)
        return not self.broken and found.st_nlink > 0 and found.st_size == self.size

    def seal(self) -> None:
        """Let go of it: from now on any process may deliver it. One without a block is deleted."""
        if self.size == 0:
            with contextlib.suppress(OSError):
                self.path.unlink()
        elif self._sync != NEVER:
            with contextlib.suppress(OSError):
                os.fsync(self._descriptor)
                _sync_directory(self.path.parent)
        self._descriptors.close(self._descriptor)

    def _cut_back(self) -> None:
        try:
            os.ftruncate(self._descriptor, self.size)
        except OSError:
            self.broken = True


def new_segment(
    directory: Path, kind: str, owner: str, began: int, descriptors: Descriptors, sync: str
) -> tuple[SegmentWriter, int]:
    """A segment of this kind that is begun at ``began`` (µs since 1970) or as soon after as there is a free name, and when that is.

    Raises:
        OSError: whatever the system says.
    """
    for moment in range(began, began + _ATTEMPTS):
        path = directory / str(Name(kind, moment, owner))
        try:
            descriptor = descriptors.create(path)
        except FileExistsError:
            continue
        if descriptor is not None:
            return SegmentWriter(path, descriptor, descriptors, sync), moment
    raise FileExistsError(f"{_ATTEMPTS} names are taken")


def _write_all(descriptor: int, data: bytes) -> None:
    # one write takes it all, unless the disk ends in the middle: then the next one says so
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
