"""Segments are Avro object container files: what stands around the records (Avro 1.11 specification, "Object Container Files").

Every segment's header is the same but for its marker, so it is compared, not parsed. Blocks are not compressed: see docs/spool.md.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from producers.avro_writer import whole_bytes
from producers.spool.message import SCHEMA, read_long

MARKER = 16
_HEAD = 20  # two Avro longs, at most
_CHUNK = 1 << 20


def _entry(key: str, value: str) -> bytes:
    return b"".join(whole_bytes(len(text.encode())) + text.encode() for text in (key, value))


# all of the header but the marker that ends it
HEADER = (
    b"Obj\x01"
    + whole_bytes(2)
    + _entry("avro.codec", "null")
    + _entry("avro.schema", SCHEMA)
    + whole_bytes(0)
)
HEADER_BYTES = len(HEADER) + MARKER
# what a block takes beside its records, at most
AROUND_BYTES = _HEAD + MARKER
Read = Callable[[int, int], bytes]
"""``read(size, place)``: the bytes there, fewer at the end."""


def block(records: Sequence[bytes], marker: bytes) -> bytes:
    """One block with all of these records."""
    size = sum(map(len, records))
    return b"".join([whole_bytes(len(records)), whole_bytes(size), *records, marker])


@dataclass
class Damage:
    """What of a segment is not to be had.

    Attributes:
        blocks: blocks with something wrong in them, each at least one.
        bytes: bytes passed over in and between them.
        torn: bytes of a last block that was never written to its end: an append that did not return.
    """

    blocks: int = 0
    bytes: int = 0
    torn: int = 0

    def add(self, lost: int) -> None:
        """Count one more damaged block, of which so many bytes are lost."""
        self.blocks += 1
        self.bytes += lost


@dataclass(frozen=True)
class Block:
    """Where the records of one block stand, and how many it says that they are."""

    count: int
    start: int
    size: int

    @property
    def behind(self) -> int:
        """Where the next block begins."""
        return self.start + self.size + MARKER


class Blocks:
    """One pass over the blocks of a segment's first ``size`` bytes; what cannot be one is passed over up to the next marker.

    Attributes:
        damage: what was passed over so far.
    """

    def __init__(self, read: Read, size: int) -> None:
        self.damage = Damage()
        self._read = read
        self._size = size
        self._marker = read(MARKER, len(HEADER))
        self._next = HEADER_BYTES

    def __iter__(self) -> Iterator[Block]:
        self._next = HEADER_BYTES
        while self._next < self._size:
            found = self._at(self._next)
            if found is not None and self._ends_well(found):
                self._next = found.behind
                yield found
            else:
                self._next = self._pass_over(self._next, found)

    def records(self, block: Block) -> bytes:
        """The bytes of the records of the block that was yielded last."""
        data = self._read(block.size, block.start)
        inside = data.find(self._marker)
        if inside < 0:
            return data
        # its size is damaged, and leads to the end of a later block
        self._next = block.start + inside + MARKER
        return data[:inside]

    def _at(self, place: int) -> Block | None:
        """The block that begins there if it says so itself, wherever it ends."""
        head = self._read(_HEAD, place)
        try:
            count, inside = read_long(head, 0)
            size, inside = read_long(head, inside)
        except ValueError:
            return None
        return Block(count, place + inside, size) if count > 0 and size > 0 else None

    def _ends_well(self, found: Block) -> bool:
        if self._is_marked(found):
            return True
        if found.behind > self._size:
            return False
        # only the marker may be damaged: then the file ends behind it, or another block stands there
        after = self._at(found.behind)
        well = found.behind == self._size or (after is not None and self._is_marked(after))
        if well:
            self.damage.add(MARKER)
        return well

    def _is_marked(self, found: Block) -> bool:
        end = found.start + found.size
        return found.behind <= self._size and self._read(MARKER, end) == self._marker

    def _pass_over(self, place: int, found: Block | None) -> int:
        """Where to go on behind something that is no block, counted."""
        behind = self._behind_next_marker(place)
        if behind is not None:
            self.damage.add(behind - place)
            return behind
        cut_off = self._size - place < _HEAD if found is None else found.behind > self._size
        if cut_off:
            self.damage.torn += self._size - place
        else:
            self.damage.add(self._size - place)
        return self._size

    def _behind_next_marker(self, place: int) -> int | None:
        while place < self._size:
            chunk = self._read(min(_CHUNK, self._size - place), place)
            found = chunk.find(self._marker)
            if found >= 0:
                return place + found + MARKER
            if len(chunk) < MARKER:
                return None
            place += len(chunk) - (MARKER - 1)
        return None


def reading(descriptor: int) -> Read:
    """``read`` of an open file, whose own position is not touched."""
    return lambda size, place: os.pread(descriptor, size, place)
