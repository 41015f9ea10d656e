"""The hash that orders and buckets categorical values: xxHash64 with seed 0 of the UTF-8 bytes.

ClickHouse computes the same by ``xxHash64(value)``, and its bucket by ``xxHash64(value) % 64``. The low bits choose the bucket; the whole
number decides which values are kept by name, so the two are independent.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
from xxhash import xxh64_intdigest

Hashes = npt.NDArray[np.uint64]

BUCKETS = 64


def hashes(values: Iterable[str]) -> Hashes:
    """Hash each value, uint64.

    >>> hashes(["abc"]).tolist()
    [4952883123889572249]
    """
    return np.fromiter((xxh64_intdigest(value.encode()) for value in values), dtype=np.uint64)


def bucket(value_hashes: Hashes) -> npt.NDArray[np.int64]:
    """Bucket, 0 to 63, of each hash."""
    return (value_hashes % np.uint64(BUCKETS)).astype(np.int64)
