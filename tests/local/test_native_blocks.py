"""ClickHouse's own block compression."""

from __future__ import annotations

import struct
import uuid

import pytest
import zstandard
from clickhouse_cityhash.cityhash import CityHash128
from http_answers import ask

from hindcast.local.clickhouse_door.failures import QueryFailed
from hindcast.local.clickhouse_door.native_blocks import NativeEncoder, unpack_blocks


def block(method: int, packed: bytes, plain: int) -> bytes:
    """One block with its checksum."""
    body = struct.pack("<BII", method, len(packed) + 9, plain) + packed
    both = CityHash128(body)
    return struct.pack("<QQ", both >> 64, both & (2**64 - 1)) + body


@pytest.mark.parametrize("size", [0, 1, 5_000_000])
def test_blocks_come_back_as_they_went(size: int) -> None:
    """Nothing, one byte, and more than one block."""
    data = bytes(range(256)) * (size // 256 + 1)
    assert unpack_blocks(NativeEncoder().compress(data[:size])) == data[:size]


def test_every_method_of_clients_is_read() -> None:
    """LZ4, ZSTD and none, one after the other."""
    zstd = block(0x90, zstandard.ZstdCompressor().compress(b"two "), 4)
    body = NativeEncoder().compress(b"one ") + zstd + block(0x02, b"three", 5)
    assert unpack_blocks(body) == b"one two three"


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (NativeEncoder().compress(b"whole")[:-1], "ends within"),
        (NativeEncoder().compress(b"whole")[:20], "ends within"),
        (b"\x00" + NativeEncoder().compress(b"whole")[1:], "checksum"),
        (block(0x82, b"\xff\xff\xff", 100), "damaged"),
        (block(0x90, b"no zstd", 100), "damaged"),
        (block(0x94, b"x", 1), "0x94"),
    ],
)
def test_a_damaged_block_is_refused(body: bytes, why: str) -> None:
    """A body that is cut off, changed on its way or of another method is never taken for data."""
    with pytest.raises(QueryFailed, match=why):
        unpack_blocks(body)


def test_the_door_reads_and_writes_blocks(door: str) -> None:
    """`decompress=1` of an insert, `compress=1` of a short answer and of one that is sent in pieces."""
    table = f"n_{uuid.uuid4().hex[:8]}"
    ask(door, f"CREATE TABLE {table} (a Int64) ENGINE = MergeTree ORDER BY a")
    rows = NativeEncoder().compress(b"1\n2\n")
    assert ask(door, rows, query=f"INSERT INTO {table} FORMAT TSV", decompress=1).status == 200
    assert unpack_blocks(ask(door, f"SELECT a FROM {table} ORDER BY a", compress=1).body) == b"1\n2\n"
    long = "SELECT number FROM numbers(400000)"
    assert unpack_blocks(ask(door, long, compress=1).body) == ask(door, long).body
    assert ask(door, rows[:-1], query=f"INSERT INTO {table} FORMAT TSV", decompress=1).status != 200
