"""Small integers for the pairs of a column and a key that are counted, given as they come."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from stream_processors.sketches.bins import Ints
from stream_processors.sketches.entries import Entries

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
        places, known = self._find(pairs)
        if not known.all():
            new = np.unique(pairs[~known])
            at = np.searchsorted(self._pairs, new)
            self._numbers = np.insert(self._numbers, at, np.arange(self.size, self.size + new.size))
            self._pairs = np.insert(self._pairs, at, new)
            places, _ = self._find(pairs)
        return self._numbers[places]

    def _find(self, pairs: Ints) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.bool_]]:
        """Where each pair stands, and whether it does."""
        places = np.searchsorted(self._pairs, pairs)
        if not self.size:
            return places, np.zeros(pairs.size, dtype=np.bool_)
        places[places == self.size] = 0
        return places, self._pairs[places] == pairs

    def all(self) -> tuple[Ints, Ints]:
        """The column and the key of every number."""
        pairs = np.empty(self.size, dtype=np.int64)
        pairs[self._numbers] = self._pairs
        columns = pairs >> _HALF
        return columns, pairs - (columns << _HALF)


class SeriesTotals:
    """What running sketches of columns under keys are held in: entries by series.

    What is held grows with the pairs of a column and a key that were counted, not with columns times keys.
    """

    def __init__(self) -> None:
        self._series = Series()
        self._entries = Entries()

    @property
    def entries(self) -> int:
        """Bins, values and buckets held, of all series."""
        return self._entries.size

    @property
    def series(self) -> int:
        """Pairs of a column and a key."""
        return self._series.size
