"""Identifiers: UUID version 7 (RFC 9562), whose own timestamp lets ClickHouse find a prediction in a few granules."""

from __future__ import annotations

import functools
import hashlib
import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from uuid_utils import reseed_rng, uuid7

from producers.forks import in_child

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

_RANDOM_BITS = 74
_LENGTH = 36
# where the digits of each two bytes stand in the text
_PLACES = (0, 4, 9, 14, 19, 24, 28, 32)
# texts that stay in a processor's cache while they are written
_BLOCK = 4_096
_HEX = "{:08x}-{:04x}-7{:03x}-{:04x}-{:012x}"

# a child that goes on with its parent's random numbers makes the ids that its siblings make
in_child(reseed_rng)


def prediction_id_at(event_time: int) -> str:
    """A new id that carries the time ``event_time`` (µs since 1970; earlier times count as 1970)."""
    return str(uuid7(nanoseconds=event_time * 1000 if event_time > 0 else 0))


def new_id() -> str:
    """A new id of this moment, greater than every one this process made before."""
    return str(uuid7())


def content_id(time: int, content: bytes) -> str:
    """The id of a fact made from the fact itself: equal facts get equal ids, so a resumed load repeats nothing.

    Args:
        time: what its timestamp says, in µs since 1970; earlier times count as 1970.
        content: everything that makes the fact what it is. The other 74 bits are its BLAKE2b digest.
    """
    digest = int.from_bytes(hashlib.blake2b(content, digest_size=10).digest(), "big") >> (80 - _RANDOM_BITS)
    milliseconds = max(time, 0) // 1000
    return _HEX.format(
        milliseconds >> 16,
        milliseconds & 0xFFFF,
        digest >> 62,
        0x8000 | (digest >> 48 & 0x3FFF),
        digest & 0xFFFF_FFFF_FFFF,
    )


def prediction_ids_at(event_times: np.ndarray, entropy: Callable[[int], bytes] = os.urandom) -> pa.Array:
    """New ids for a column of times, as `prediction_id_at` makes one.

    Args:
        event_times: int64, µs since 1970, shape (n,).
        entropy: gives that many random bytes.

    Returns:
        pyarrow string array of length n.
    """
    import numpy as np  # a service that logs single predictions has no numpy
    import pyarrow as pa  # the same

    rows = len(event_times)
    raw = np.frombuffer(entropy(16 * rows), dtype=np.uint8).reshape(rows, 16).copy()
    milliseconds = np.maximum(event_times, 0) // 1000
    raw[:, :6] = milliseconds.astype(">i8").view(np.uint8).reshape(rows, 8)[:, 2:]
    raw[:, 6] = raw[:, 6] & 0x0F | 0x70
    raw[:, 8] = raw[:, 8] & 0x3F | 0x80
    text, pairs, digits = (
        np.full((rows, _LENGTH), ord("-"), dtype=np.uint8),
        raw.view(np.uint16),
        _four_digits(),
    )
    for start in range(0, rows, _BLOCK):
        block = text[start : start + _BLOCK]
        for pair, place in enumerate(_PLACES):
            written = np.ndarray((len(block),), np.uint32, block, place, (_LENGTH,))
            written[:] = digits[pairs[start : start + _BLOCK, pair]]
    offsets = np.arange(rows + 1, dtype=np.int64) * _LENGTH
    large = pa.Array.from_buffers(pa.large_string(), rows, [None, pa.py_buffer(offsets), pa.py_buffer(text)])
    return large.cast(pa.string())


@functools.cache
def _four_digits() -> np.ndarray:
    """The four hexadecimal digits of every two bytes, by the number that these bytes are in memory."""
    import numpy as np  # as above

    pairs = np.arange(1 << 16, dtype=np.uint16).view(np.uint8).reshape(-1, 2)
    nibbles = np.stack([pairs[:, 0] >> 4, pairs[:, 0] & 0xF, pairs[:, 1] >> 4, pairs[:, 1] & 0xF], axis=1)
    digits: np.ndarray = np.frombuffer(b"0123456789abcdef", dtype=np.uint8)[nibbles].view(np.uint32)[:, 0]
    return digits
