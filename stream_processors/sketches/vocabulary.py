"""Values that stand by name in sketches, as small integers, and which of them stand on which column's list."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice

import numpy as np

from stream_processors.sketches.bins import Ints
from stream_processors.sketches.hashing import Hashes, hashes

_HALF = 32


class Vocabulary:
    """Numbers values from 0, in the order in which they first came."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._hashes: Hashes = np.zeros(0, dtype=np.uint64)

    @property
    def names(self) -> list[str]:
        """Every value, by number."""
        return list(self._numbers)

    @property
    def hashes(self) -> Hashes:
        """Hash of every value, by number."""
        return self._hashes

    def known(self, values: Sequence[str]) -> Ints:
        """The number of each value; -1 where it has none."""
        find = self._numbers.get
        return np.fromiter((find(value, -1) for value in values), np.int64, len(values))

    def numbers(self, values: Iterable[str]) -> Ints:
        """The number of each value; what has none gets the next."""
        numbers = self._numbers
        found = [numbers.setdefault(value, len(numbers)) for value in values]
        if len(numbers) > self._hashes.size:
            new = islice(numbers, self._hashes.size, None)
            self._hashes = np.concatenate([self._hashes, hashes(new)])
        return np.array(found, dtype=np.int64)

    def rank(self) -> Ints:
        """The place of every value among all in rising order, by number."""
        names = self.names
        rank = np.empty(len(names), dtype=np.int64)
        rank[sorted(range(len(names)), key=names.__getitem__)] = np.arange(len(names))
        return rank


class Lists:
    """The listed values of columns, by numbers of both."""

    def __init__(self) -> None:
        self._lists: dict[int, Ints] = {}
        self._pairs: Ints | None = None
        self._places: Ints = np.zeros(0, dtype=np.int64)

    def add(self, column: int, values: Ints) -> None:
        """A column's values, in the order of their names."""
        self._lists[column] = values
        self._pairs = None

    def of(self, column: int) -> Ints:
        """A column's values, in the order of their names."""
        return self._lists[column]

    def places(self, columns: Ints, values: Ints) -> Ints:
        """The place of each value on its column's list; -1 where it is not on it."""
        pairs, wanted = self._sorted(), (columns << _HALF) + values
        if not pairs.size:
            return np.full(values.size, -1, dtype=np.int64)
        at = np.searchsorted(pairs, wanted)
        at[at == pairs.size] = 0
        return np.where((pairs[at] == wanted) & (values >= 0), self._places[at], -1)

    def _sorted(self) -> Ints:
        if self._pairs is None:
            nothing = np.zeros(0, dtype=np.int64)
            lists = self._lists.items()
            pairs = np.concatenate([nothing, *((column << _HALF) + values for column, values in lists)])
            places = np.concatenate([nothing, *(np.arange(values.size) for _, values in lists)])
            order = np.argsort(pairs)
            self._pairs, self._places = pairs[order], places[order]
        return self._pairs
