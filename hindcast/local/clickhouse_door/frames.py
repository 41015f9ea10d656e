"""Whether a compressed body ends where its last frame does, by the lengths that stand in it: nothing is decompressed.

The engine takes a zstd or LZ4 body that was cut off between two blocks for a whole one. Sources: RFC 8878, section 3,
and the LZ4 frame format, version 1.6.4.
"""

from __future__ import annotations

from collections.abc import Callable
from mmap import mmap

Buffer = bytes | mmap

_ZSTD_MAGIC, _LZ4_MAGIC = 0xFD2FB528, 0x184D2204
_SKIPPED = range(0x184D2A50, 0x184D2A60)


def is_cut_off(data: Buffer, encoding: str) -> bool:
    """Whether the body ends within a frame; bytes that are no frame are for the decompressor to refuse."""
    ends = _ENDS.get(encoding)
    at = 0
    while ends is not None and at < len(data):
        magic = _number(data, at, 4)
        if magic in _SKIPPED:
            at += 8 + _number(data, at + 4, 4)
        elif magic == ends[0]:
            at = ends[1](data, at + 4)
        else:
            return len(data) - at < 4
    return at > len(data)


def _after_zstd(data: Buffer, at: int) -> int:
    """Where the frame ends whose descriptor is here: beyond the data, if they break off."""
    descriptor = _number(data, at, 1)
    single = descriptor >> 5 & 1
    at += 2 - single + (0, 1, 2, 4)[descriptor & 3] + (single, 2, 4, 8)[descriptor >> 6]
    last = 0
    while not last and at < len(data):
        block = _number(data, at, 3)
        last, repeated = block & 1, block >> 1 & 3 == 1
        at += 3 + (1 if repeated else block >> 3)
    return at + 4 * (descriptor >> 2 & 1) if last else len(data) + 1


def _after_lz4(data: Buffer, at: int) -> int:
    """The same of LZ4, whose frame ends with a block of no length."""
    flags = _number(data, at, 1)
    at += 3 + 8 * (flags >> 3 & 1) + 4 * (flags & 1)
    while at + 4 <= len(data):
        size = _number(data, at, 4) & 0x7FFFFFFF
        at += 4
        if not size:
            return at + 4 * (flags >> 2 & 1)
        at += size + 4 * (flags >> 4 & 1)
    return len(data) + 1


def _number(data: Buffer, at: int, size: int) -> int:
    return int.from_bytes(data[at : at + size], "little")


_ENDS: dict[str, tuple[int, Callable[[Buffer, int], int]]] = {
    "zstd": (_ZSTD_MAGIC, _after_zstd),
    "lz4": (_LZ4_MAGIC, _after_lz4),
}
