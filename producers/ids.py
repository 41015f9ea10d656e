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
    # eight groups of 16 bits, as a UUID is written in: the first three are the time
    groups = np.frombuffer(entropy(16 * rows), dtype=">u2").reshape(rows, 8).astype(np.uint16)
    milliseconds = np.maximum(event_times, 0) // 1000
    for group, shift in enumerate((32, 16, 0)):
        groups[:, group] = milliseconds >> shift & 0xFFFF
    groups[:, 3] = groups[:, 3] & 0x0FFF | 0x7000
    groups[:, 4] = groups[:, 4] & 0x3FFF | 0x8000
    digits = _four_digits()[groups].view(np.uint8).reshape(rows, 32)
    text = np.full((rows, _LENGTH), ord("-"), dtype=np.uint8)
    for start, end, dashes in ((0, 8, 0), (8, 12, 1), (12, 16, 2), (16, 20, 3), (20, 32, 4)):
        text[:, start + dashes : end + dashes] = digits[:, start:end]
    offsets = np.arange(rows + 1, dtype=np.int64) * _LENGTH
    large = pa.Array.from_buffers(pa.large_string(), rows, [None, pa.py_buffer(offsets), pa.py_buffer(text)])
    return large.cast(pa.string())


@functools.cache
def _four_digits() -> np.ndarray:
    """The hexadecimal digits of every 16 bits, as the four bytes of a number."""
    import numpy as np  # as above

    nibbles = np.arange(1 << 16)[:, None] >> np.array([12, 8, 4, 0]) & 0xF
    digits: np.ndarray = np.frombuffer(b"0123456789abcdef", dtype=np.uint8)[nibbles].view(np.uint32)[:, 0]
    return digits
