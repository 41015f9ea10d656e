"""A segment that this process has to itself, to deliver."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from producers.errors import SpoolUnavailable
from producers.spool.container import HEADER, HEADER_BYTES, Block, Blocks, Damage, reading
from producers.spool.descriptors import Descriptors
from producers.spool.message import Spooled, Unpacker
from producers.spool.names import DAMAGED, parsed

WHOLE, TORN, FOREIGN = "whole", "torn", "foreign"


class Segment:
    """One segment, locked by this process until it is done or released.

    Attributes:
        path: where it lies.
        size: its bytes.
        fault: why the system stopped reading it; empty when it did not.
        again: whether this process may claim it again.
    """

    def __init__(
        self, path: Path, descriptor: int, descriptors: Descriptors, settled: Callable[[Segment], None]
    ) -> None:
        self.path = path
        self.again = True
        self.size = os.fstat(descriptor).st_size
        self.fault = ""
        self._descriptor = descriptor
        self._descriptors = descriptors
        self._settled = settled
        self._blocks: Blocks | None = None

    @property
    def damaged(self) -> Damage:
        """What `messages` has passed over so far."""
        return Damage() if self._blocks is None else self._blocks.damage

    def messages(self) -> Iterator[Spooled]:
        """Every message in order, as far as it is intact; never raises.

        The block of an append that did not return ends it; what is damaged before is passed over and counted in
        `damaged`; where the system does not go on reading, `fault` says why.
        """
        self.fault = ""
        try:
            if header_of(self._descriptor) == WHOLE:
                blocks = self._blocks = Blocks(reading(self._descriptor), self.size)
                for block in blocks:
                    yield from intact(block, blocks.records(block), blocks.damage)
        except OSError as error:
            self.fault = error.strerror or "unreadable"

    def done(self) -> None:
        """Everything was delivered: delete the file. A damaged one is kept beside, and one with a `fault` where it is.

        Raises:
            SpoolUnavailable: it cannot be deleted. It will not be claimed again by this process.
        """
        name = parsed(self.path.name)
        try:
            if self.fault:
                self.again = False
            elif self.damaged.blocks and name is not None:
                self.path.rename(self.path.with_name(str(replace(name, kind=DAMAGED))))
            else:
                self.path.unlink()
        except FileNotFoundError:
            pass  # somebody cleared the directory
        except OSError as error:
            self.again = False
            raise SpoolUnavailable(f"{self.path} cannot be deleted: {error.strerror}") from None
        finally:
            self.release()

    def release(self) -> None:
        """Give it back as it is, for this or another process to claim."""
        if self._descriptor >= 0:
            self._descriptors.close(self._descriptor)
            self._descriptor = -1
            self._settled(self)


def intact(block: Block, data: bytes, damage: Damage) -> Iterator[Spooled]:
    """The messages of a block whose checksums are right; what is wrong with the others is added to ``damage``."""
    unpack = Unpacker().unpack
    place = good = good_bytes = 0
    try:
        while place < len(data):
            message, behind = unpack(data, place)
            if message is not None:
                good, good_bytes = good + 1, good_bytes + behind - place
                yield message
            place = behind
    except ValueError:
        pass  # a damaged length: where the next one begins is not known
    if good != block.count or good_bytes != block.size:
        damage.add(len(data) - good_bytes)


def header_of(descriptor: int) -> str:
    """WHOLE, or TORN where a crash came before the first append returned, or FOREIGN: not written by this version."""
    found = os.pread(descriptor, HEADER_BYTES, 0)
    if len(found) == HEADER_BYTES and found.startswith(HEADER):
        return WHOLE
    return TORN if len(found) < HEADER_BYTES and found[: len(HEADER)] == HEADER[: len(found)] else FOREIGN
