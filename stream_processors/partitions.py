"""Kafka's partition numbers as columns. Pure."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def distinct(partitions: npt.NDArray[np.int64]) -> list[int]:
    """Which partitions occur, rising: they are few small numbers, and counting them is ten times faster than telling any numbers apart."""
    found: list[int] = np.flatnonzero(np.bincount(partitions)).tolist()
    return found
