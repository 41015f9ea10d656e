"""Small integers for the pairs of a column and a key that are counted, given as they come."""

from __future__ import annotations

import numpy as np

from stream_processors.sketches.bins import Ints

_HALF = 32


class Series:
    """Numbers the pairs of a column number and a key number (each below 2^31) from 0, in the order in which they first came."""

    def __init__(self) -> None:
        # in rising order, and the number of each
        self._pairs = np.zeros(0, dtype=np.int64)
        self._numbers = np.zeros(0, dtype=np.int64)

    @property
    def size(self) -> int:
        """How many there are."""
        return self._pairs.size

    def numbers(self, columns: Ints, keys: Ints) -> Ints:
        """The number of each pair; what has none gets the next."""
        pairs = (columns << _HALF) + keys
        places = self._find(pairs)
        if places is None:
            new = np.setdiff1d(pairs, self._pairs)
            at = np.searchsorted(self._pairs, new)
            self._numbers = np.insert(self._numbers, at, np.arange(self.size, self.size + new.size))
            self._pairs = np.insert(self._pairs, at, new)
            places = self._find(pairs)
            assert places is not None
        return self._numbers[places]

    def _find(self, pairs: Ints) -> Ints | None:
        if not self.size:
            return None if pairs.size else pairs
        places = np.searchsorted(self._pairs, pairs)
        places[places == self.size] = 0
        return places if (self._pairs[places] == pairs).all() else None

    def all(self) -> tuple[Ints, Ints]:
        """The column and the key of every number."""
        pairs = np.empty(self.size, dtype=np.int64)
        pairs[self._numbers] = self._pairs
        columns = pairs >> _HALF
        return columns, pairs - (columns << _HALF)
