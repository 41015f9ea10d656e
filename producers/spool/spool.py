"""The spool of one process: messages go to segments on disk while Kafka does not take them, and come back in order."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from producers.errors import ConfigError, SpoolUnavailable
from producers.spool.container import AROUND_BYTES, HEADER_BYTES
from producers.spool.descriptors import Descriptors
from producers.spool.message import Spooled, pack
from producers.spool.names import OWNER, REFUSED, SEGMENT, bytes_of, paths
from producers.spool.segment import FOREIGN, Segment, header_of
from producers.spool.writing import POLICIES, SEGMENT_END, SegmentWriter, new_segment

GIBIBYTE = 1 << 30
LIMIT_BYTES = GIBIBYTE
SEGMENT_BYTES = 8 << 20
# a full spool looks no more often for room that others made
LOOK_S = 1.0
_DISK_FULL = {errno.ENOSPC, errno.EDQUOT}


class SpoolFull(Exception):
    """The limit is reached or the disk is full; nothing of this call was kept."""


class Spool:
    """Segments in a directory that several processes may share. One thread at a time uses it.

    Nothing is created before the first append. A forked child goes on with `for_child`.

    Args:
        directory: created, for its owner alone, if it is not there. A relative one is looked for where the process is now, and
            stays there: a daemon changes its own directory.
        limit_bytes: what the segments of all processes may take. It is exact for one process; of several, each may go
            beyond by what is left of the segment that it writes.
        segment_bytes: a segment that would become larger is sealed and another one begun; one append is never divided.
        sync: when data are forced to the disk, which a power cut asks for and a crash of the process does not: ``never``;
            ``segment``, when one is sealed; ``always``, before `append` returns.
        owner: names the process in file names; letters, digits and dashes. Random unless said.
        clock: nanoseconds since 1970.
        seconds: seconds that only grow.

    Raises:
        ConfigError: an argument that cannot be one.
    """

    def __init__(
        self,
        directory: Path,
        *,
        limit_bytes: int = LIMIT_BYTES,
        segment_bytes: int = SEGMENT_BYTES,
        sync: str = SEGMENT_END,
        owner: str | None = None,
        clock: Callable[[], int] = time.time_ns,
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        self.directory = _placed(directory)
        self.owner = os.urandom(4).hex() if owner is None else owner
        if sync not in POLICIES:
            raise ConfigError(f"the spool's sync is {sync!r}: say {', '.join(POLICIES)}")
        if limit_bytes < 1 or segment_bytes < 1:
            raise ConfigError("the spool's limit_bytes and segment_bytes are wanted to be at least 1")
        if not OWNER.fullmatch(self.owner):
            raise ConfigError("the spool's owner is wanted to be 1 to 64 letters, digits and dashes")
        self._limit = limit_bytes
        self._segment_bytes = segment_bytes
        self._sync = sync
        self._clock = clock
        self._seconds = seconds
        self._process = os.getpid()
        self._descriptors = Descriptors()
        self._writers: dict[str, SegmentWriter] = {}
        self._claimed: set[Segment] = set()
        self._last_began = 0
        self._others = 0  # bytes of all segments but the one being written, when last looked
        self._looked = -LOOK_S
        self._not_again: set[Path] = set()

    def open(self) -> None:
        """Prove now that segments can be written.

        Raises:
            ConfigError: the directory cannot be made or written.
        """
        try:
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(f"the spool {self.directory} cannot be made: {error.strerror}") from None
        if not os.access(self.directory, os.R_OK | os.W_OK | os.X_OK):
            raise ConfigError(f"the spool {self.directory} may not be read and written by this user")

    def append(self, messages: Sequence[Spooled]) -> None:
        """Keep messages: when this returns, all of them survive the end of this process, however it comes.

        Raises:
            SpoolFull: there is no room; none of them is kept.
            SpoolUnavailable: the system refuses for another reason; none of them is kept.
        """
        self._append(SEGMENT, messages)

    def set_aside(self, messages: Sequence[Spooled]) -> None:
        """Keep messages that Kafka refused for good, in a file that is not claimed as a segment. The limit is not asked.

        Raises:
            SpoolFull: the disk is full; none of them is kept.
            SpoolUnavailable: the system refuses for another reason; none of them is kept.
        """
        self._append(REFUSED, messages)

    def claim(self, *, refused: bool = False) -> Segment | None:
        """The oldest segment that no living process holds, for this one to deliver; None if there is none.

        The segment being written counts as the last of them, and is sealed for it. What is no segment, or cannot be read, is passed over.

        Args:
            refused: of the files with messages that Kafka refused for good, instead, which others set aside.

        Raises:
            SpoolUnavailable: the directory cannot be read.
        """
        self._in_own_process()
        kind = REFUSED if refused else SEGMENT
        claimed = self._claim_oldest(kind)
        if claimed is None and kind == SEGMENT and kind in self._writers:
            self._seal(kind)
            claimed = self._claim_oldest(kind)
        return claimed

    def close(self) -> None:
        """Seal what is being written, and release what is claimed. A later append begins anew."""
        self._in_own_process()
        for kind in list(self._writers):
            self._seal(kind)
        for segment in list(self._claimed):
            segment.release()

    def for_child(self, owner: str | None = None) -> Spool:
        """In a forked child: a spool like this one. The parent keeps its segments, and this one is not used again there."""
        if os.getpid() != self._process:
            self._descriptors.close_inherited()
        return Spool(
            self.directory,
            limit_bytes=self._limit,
            segment_bytes=self._segment_bytes,
            sync=self._sync,
            owner=owner,
            clock=self._clock,
            seconds=self._seconds,
        )

    def _in_own_process(self) -> None:
        # two processes that append to one descriptor would cut back each other's blocks
        if os.getpid() != self._process:
            raise RuntimeError("a forked child uses Spool.for_child()")

    def _append(self, kind: str, messages: Sequence[Spooled]) -> None:
        self._in_own_process()
        if not messages:
            return
        records = [pack(message) for message in messages]
        try:
            self._writer_for(kind, sum(map(len, records)) + AROUND_BYTES).write(records)
        except OSError as error:
            self._after_failure(kind, error)
            # EFBIG: the process has a limit for the size of a file
            if error.errno in _DISK_FULL or error.errno == errno.EFBIG:
                raise SpoolFull(f"disk full: the spool {self.directory} takes no more") from None
            raise SpoolUnavailable(
                f"the spool {self.directory} cannot be written: {error.strerror}"
            ) from None

    def _writer_for(self, kind: str, size: int) -> SegmentWriter:
        """The file to append so much to; raises SpoolFull, SpoolUnavailable or OSError."""
        writer = self._writers.get(kind)
        if writer is not None and (writer.size + size > self._segment_bytes or not writer.is_whole()):
            self._seal(kind)
            writer = None
        if kind == SEGMENT:
            self._need_room(size, beginning=writer is None)
        if writer is None:
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            # in order, even if the clock is set back
            began = max(self._clock() // 1000, self._last_began + 1)
            writer, self._last_began = new_segment(
                self.directory, kind, self.owner, began, self._descriptors, self._sync
            )
            self._writers[kind] = writer
        return writer

    def _need_room(self, size: int, *, beginning: bool) -> None:
        own = self._writers[SEGMENT].size if SEGMENT in self._writers else 0
        wanted = own + size + (HEADER_BYTES if beginning else 0)
        fits = self._others + wanted <= self._limit
        now = self._seconds()
        if (fits and beginning) or (not fits and now - self._looked >= LOOK_S):
            self._others, self._looked = bytes_of(self.directory) - own, now
            fits = self._others + wanted <= self._limit
        if not fits:
            raise SpoolFull(f"the spool {self.directory} has reached its limit of {self._limit} bytes")

    def _after_failure(self, kind: str, error: OSError) -> None:
        writer = self._writers.get(kind)
        # a disk that is full now and then must not leave a segment for each time
        if writer is not None and (error.errno not in _DISK_FULL or writer.size == 0 or writer.broken):
            self._seal(kind)

    def _seal(self, kind: str) -> None:
        writer = self._writers.pop(kind)
        writer.seal()
        self._others += writer.size

    def _claim_oldest(self, kind: str) -> Segment | None:
        for path in paths(self.directory, kind):
            # what this process set aside, it has just tried
            left = path in self._not_again or (kind == REFUSED and path.stem.endswith(f"-{self.owner}"))
            descriptor = None if left else self._descriptors.lock(path)
            if descriptor is None:
                continue
            if _is_foreign(descriptor):
                self._descriptors.close(descriptor)
                continue
            segment = Segment(path, descriptor, self._descriptors, self._settled)
            self._claimed.add(segment)
            return segment
        return None

    def _settled(self, segment: Segment) -> None:
        self._claimed.discard(segment)
        self._looked = -LOOK_S  # there may be room now
        if not segment.again:
            self._not_again.add(segment.path)


def _is_foreign(descriptor: int) -> bool:
    try:
        return header_of(descriptor) == FOREIGN
    except OSError:
        return True


def _placed(directory: Path) -> Path:
    try:
        return directory.absolute()
    except OSError as error:
        raise ConfigError(
            f"the spool {directory} is relative to a directory that is not there: {error.strerror}"
        ) from None
