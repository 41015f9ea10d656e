"""Compressed bodies of which the end is missing."""

from __future__ import annotations

import gzip
import random
import uuid
import zlib
from collections.abc import Callable

import lz4.frame
import pytest
import zstandard
from http_answers import ask

from hindcast.local.clickhouse_door.frames import is_cut_off

Pieces = tuple[bytes, bytes]


def _by_zstd(first: bytes, second: bytes) -> Pieces:
    packer = zstandard.ZstdCompressor(write_checksum=True).compressobj()
    begun = packer.compress(first) + packer.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)
    return begun, packer.compress(second) + packer.flush()


def _by_lz4(first: bytes, second: bytes) -> Pieces:
    packer = lz4.frame.LZ4FrameCompressor(auto_flush=True)
    begun = packer.begin() + packer.compress(first)
    return begun, packer.compress(second) + packer.flush()


def _by_zlib(wbits: int) -> Callable[[bytes, bytes], Pieces]:
    def packed(first: bytes, second: bytes) -> Pieces:
        packer = zlib.compressobj(wbits=wbits)
        begun = packer.compress(first) + packer.flush(zlib.Z_FULL_FLUSH)
        return begun, packer.compress(second) + packer.flush()

    return packed


@pytest.mark.parametrize(
    ("encoding", "pack"),
    [("zstd", _by_zstd), ("lz4", _by_lz4), ("gzip", _by_zlib(31)), ("deflate", _by_zlib(15))],
)
@pytest.mark.parametrize("where", ["url", "body"])
def test_half_a_body_is_no_insert(
    door: str, encoding: str, pack: Callable[[bytes, bytes], Pieces], where: str
) -> None:
    """Cut off between two blocks, after whole rows: refused, and no row of it is there."""
    table = f"cut_{uuid.uuid4().hex[:8]}"
    ask(door, f"CREATE TABLE {table} (a Int64) ENGINE = MergeTree ORDER BY a")
    statement = f"INSERT INTO {table} FORMAT TSV"
    before, asked = ("", {"query": statement}) if where == "url" else (f"{statement}\n", {})
    rows = ["".join(f"{n}\n" for n in range(start, start + 100)) for start in (0, 100)]
    begun, rest = pack((before + rows[0]).encode(), rows[1].encode())
    said = {"Content-Encoding": encoding}
    refused = ask(door, begun, headers=said, **asked)
    assert refused.status != 200
    assert refused.text.startswith("Code: ")
    assert ask(door, f"SELECT count() FROM {table}").text == "0\n"
    assert ask(door, begun + rest, headers=said, **asked).status == 200
    assert ask(door, f"SELECT count(), sum(a) FROM {table}").text == "200\t19900\n"


def test_an_empty_body_is_whole(door: str) -> None:
    """Nothing was cut off."""
    ask(door, "CREATE TABLE IF NOT EXISTS empty (a Int64) ENGINE = Memory")
    for encoding in ("zstd", "lz4"):
        said = {"Content-Encoding": encoding}
        assert ask(door, b"", headers=said, query="INSERT INTO empty FORMAT TSV").status == 200


_TEXT = random.Random(7).randbytes(300_000) + bytes(400_000) + b"rows\n" * 50_000
_SKIPPED = b"\x53\x2a\x4d\x18\x03\x00\x00\x00abc"


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("zstd", zstandard.ZstdCompressor(write_checksum=True).compress(_TEXT)),
        ("zstd", zstandard.ZstdCompressor(write_content_size=False).compress(_TEXT)),
        ("zstd", zstandard.ZstdCompressor().compress(b"")),
        ("zstd", zstandard.ZstdCompressor().compress(b"small")),
        ("zstd", _SKIPPED + zstandard.ZstdCompressor().compress(bytes(1_000_000))),
        ("lz4", lz4.frame.compress(_TEXT)),
        ("lz4", lz4.frame.compress(_TEXT, content_checksum=True, block_checksum=True, store_size=False)),
        ("lz4", lz4.frame.compress(_TEXT, block_size=lz4.frame.BLOCKSIZE_MAX4MB, block_linked=False)),
        ("lz4", lz4.frame.compress(b"")),
        ("lz4", _SKIPPED + lz4.frame.compress(b"small")),
    ],
)
def test_a_frame_is_whole_with_its_last_byte_alone(encoding: str, body: bytes) -> None:
    """Of every shape, also as one of two; wherever else the body ends, it is cut off."""
    assert not is_cut_off(body, encoding)
    assert not is_cut_off(body * 2, encoding)
    skipped = len(_SKIPPED) if body.startswith(_SKIPPED) else 0
    places = {*range(1, min(len(body), 40)), *range(1, len(body), 997), len(body) - 1} - {skipped}
    assert [place for place in sorted(places) if not is_cut_off(body[:place], encoding)] == []
    assert is_cut_off(body + body[:5], encoding)


def test_what_is_no_frame_is_left_to_the_decompressor() -> None:
    """It says what the bytes are not; other encodings have an end of their own."""
    assert not is_cut_off(b"no such bytes", "zstd")
    assert not is_cut_off(b"", "lz4")
    assert not is_cut_off(gzip.compress(b"x")[:-1], "gzip")
