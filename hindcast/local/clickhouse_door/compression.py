"""Bodies and answers in the compressions of HTTP that ClickHouse's clients use."""

from __future__ import annotations

import gzip
import os
import re
import zlib
from collections.abc import Callable
from mmap import ACCESS_READ, mmap
from typing import IO, Protocol

import lz4.frame
import zstandard

from hindcast.local.clickhouse_door.failures import CANNOT_DECOMPRESS, NOT_IMPLEMENTED, QueryFailed, refused
from hindcast.local.clickhouse_door.frames import is_cut_off

_SMALLEST = 256


def _compress_zstd(data: bytes) -> bytes:
    return zstandard.ZstdCompressor(level=1).compress(data)


def _decompress_zstd(data: bytes) -> bytes:
    with zstandard.ZstdDecompressor().stream_reader(data, read_across_frames=True) as reader:
        return bytes(reader.read())


def _compress_gzip(data: bytes) -> bytes:
    return gzip.compress(data, compresslevel=3)


def _compress_lz4(data: bytes) -> bytes:
    return bytes(lz4.frame.compress(data))


def _decompress_lz4(data: bytes) -> bytes:
    return bytes(lz4.frame.decompress(data))


def _compress_deflate(data: bytes) -> bytes:
    return zlib.compress(data, level=3)


# In the order in which an answer's encoding is chosen.
_COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    "lz4": _compress_lz4,
    "zstd": _compress_zstd,
    "gzip": _compress_gzip,
    "deflate": _compress_deflate,
}
_DECOMPRESS: dict[str, Callable[[bytes], bytes]] = {
    "lz4": _decompress_lz4,
    "zstd": _decompress_zstd,
    "gzip": gzip.decompress,
    "deflate": zlib.decompress,
}
# What `FROM INFILE … COMPRESSION` calls them: the engine decompresses files itself.
INFILE_METHODS = {"": "none", "identity": "none"} | {name: name for name in _DECOMPRESS}


def check_encoding(encoding: str) -> str:
    """The body's encoding, in lower case.

    Raises:
        QueryFailed: an encoding nobody here can read.
    """
    name = encoding.strip().lower()
    if name not in INFILE_METHODS:
        raise refused(NOT_IMPLEMENTED, f"Content-Encoding must be one of {', '.join(_DECOMPRESS)}")
    return name


def decompress(data: bytes, encoding: str) -> bytes:
    """The body as it was before compression.

    Raises:
        QueryFailed: the bytes are not in that encoding, or cut off.
    """
    if INFILE_METHODS[encoding] == "none":
        return data
    if is_cut_off(data, encoding):
        raise _cut_off(encoding)
    try:
        return _DECOMPRESS[encoding](data)
    except (OSError, EOFError, RuntimeError, zlib.error, zstandard.ZstdError):
        raise refused(CANNOT_DECOMPRESS, f"the body is not {encoding}") from None


def check_whole(file: IO[bytes], encoding: str) -> None:
    """Return when the file, which the engine decompresses, was not cut off.

    Raises:
        QueryFailed: it ends within a frame.
    """
    if INFILE_METHODS[encoding] == "none" or not os.fstat(file.fileno()).st_size:
        return
    with mmap(file.fileno(), 0, access=ACCESS_READ) as data:
        if is_cut_off(data, encoding):
            raise _cut_off(encoding)


def _cut_off(encoding: str) -> QueryFailed:
    return refused(CANNOT_DECOMPRESS, f"the body ends within a {encoding} frame")


class Encoder(Protocol):
    """Compresses an answer piece by piece."""

    def compress(self, data: bytes, /) -> bytes:
        """What can be sent after this piece, maybe nothing yet."""

    def flush(self) -> bytes:
        """The rest."""


class _Lz4Encoder:
    """LZ4's frame, which begins before the first piece."""

    def __init__(self) -> None:
        self._frame = lz4.frame.LZ4FrameCompressor()
        self._begun = self._frame.begin()

    def compress(self, data: bytes, /) -> bytes:
        begun, self._begun = self._begun, b""
        return bytes(begun + self._frame.compress(data))

    def flush(self) -> bytes:
        return bytes(self._begun + self._frame.flush())


class _Plain:
    """As it is."""

    def compress(self, data: bytes, /) -> bytes:
        return data

    def flush(self) -> bytes:
        return b""


_ENCODERS: dict[str, Callable[[], Encoder]] = {
    "lz4": _Lz4Encoder,
    "zstd": lambda: zstandard.ZstdCompressor(level=1).compressobj(),
    "gzip": lambda: zlib.compressobj(3, wbits=31),
    "deflate": lambda: zlib.compressobj(3),
}


def encoder(accepted: str) -> tuple[Encoder, str]:
    """For an answer sent in pieces: its encoder and its Content-Encoding ("" for none), by what the client accepts."""
    offered = _offered(accepted)
    for name, made in _ENCODERS.items():
        if name in offered:
            return made(), name
    return _Plain(), ""


def _offered(accepted: str) -> set[str]:
    found = set()
    for part in accepted.split(","):
        name, _, weight = part.partition(";")
        # a weight of 0 says "not this one"
        if not re.fullmatch(r"\s*q\s*=\s*0(?:\.0*)?\s*", weight, re.IGNORECASE):
            found.add(name.strip().lower())
    return found


def encode_answer(data: bytes, accepted: str) -> tuple[bytes, str]:
    """The answer and its Content-Encoding ("" for none), by what the client accepts."""
    offered = _offered(accepted)
    if len(data) >= _SMALLEST:
        for name, compress in _COMPRESS.items():
            if name in offered:
                return compress(data), name
    return data, ""
