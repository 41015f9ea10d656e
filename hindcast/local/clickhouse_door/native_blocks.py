"""ClickHouse's own compression, `compress=1` and `decompress=1`, as the Java and Go clients use it.

A block is 16 bytes of CityHash128 (of version 1.0.2), one byte of method, the length with these nine bytes and the
length before compression, both 32 bits, and the data. Source: ClickHouse's CompressedReadBufferBase and
CompressionInfo.h.
"""

from __future__ import annotations

import struct

import lz4.block
import zstandard
from clickhouse_cityhash.cityhash import CityHash128

from hindcast.local.clickhouse_door.failures import CANNOT_DECOMPRESS, refused

_LZ4, _ZSTD, _NONE = 0x82, 0x90, 0x02
_HEAD = struct.Struct("<BII")
_SUM = 16
# as large as a server makes them, and as it takes them
_BLOCK = 1024 * 1024
_LARGEST = 1024 * 1024 * 1024


class NativeEncoder:
    """An answer as blocks of LZ4."""

    def compress(self, data: bytes, /) -> bytes:
        """The piece's blocks."""
        pieces = range(0, len(data), _BLOCK)
        return b"".join(_packed(data[start : start + _BLOCK]) for start in pieces)

    def flush(self) -> bytes:
        """Nothing is held back."""
        return b""


def unpack_blocks(data: bytes) -> bytes:
    """The body that these blocks hold.

    Raises:
        QueryFailed: a block is cut off or damaged.
    """
    at, parts = 0, []
    while at < len(data):
        start = at + _SUM
        if len(data) < start + _HEAD.size:
            raise refused(CANNOT_DECOMPRESS, "the body ends within a compressed block")
        method, packed, plain = _HEAD.unpack_from(data, start)
        block = data[start : start + packed]
        if packed < _HEAD.size or len(block) < packed or plain > _LARGEST:
            raise refused(CANNOT_DECOMPRESS, "the body ends within a compressed block")
        if data[at:start] != _checksum(block):
            raise refused(CANNOT_DECOMPRESS, "a compressed block's checksum does not match")
        parts.append(_plain(method, block[_HEAD.size :], plain))
        at = start + packed
    return b"".join(parts)


def _packed(data: bytes) -> bytes:
    packed = bytes(lz4.block.compress(data, store_size=False))
    block = _HEAD.pack(_LZ4, len(packed) + _HEAD.size, len(data)) + packed
    return _checksum(block) + block


def _plain(method: int, data: bytes, size: int) -> bytes:
    try:
        if method == _LZ4:
            return bytes(lz4.block.decompress(data, uncompressed_size=size))
        if method == _ZSTD:
            return bytes(zstandard.ZstdDecompressor().decompress(data, max_output_size=size))
    except (lz4.block.LZ4BlockError, zstandard.ZstdError):
        raise refused(CANNOT_DECOMPRESS, "a compressed block is damaged") from None
    if method == _NONE:
        return bytes(data)
    raise refused(CANNOT_DECOMPRESS, f"compression method {method:#x} is none of LZ4, ZSTD and NONE")


def _checksum(block: bytes) -> bytes:
    both = int(CityHash128(block))
    return struct.pack("<QQ", both >> 64, both & 0xFFFF_FFFF_FFFF_FFFF)
