"""How rows under several contracts, or under none, are counted: what each contract says, by its place. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from stream_processors.contracts.model import Contract, Windows
from stream_processors.sketches import DEFAULT_PRECISION

Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
Said = TypeVar("Said", bound="int | tuple[str, ...] | None")


class Treatments:
    """What contracts say of how events are counted.

    A place is the position of a row's contract in ``contracts``; the one behind the last is that of rows without a contract. What is
    said of a row depends on its own contract only, never on the others.

    Args:
        contracts: each with the digest of its shape.
        places: per row.
    """

    def __init__(self, contracts: Sequence[tuple[Contract, str]], places: Ints) -> None:
        self.contracts = contracts
        self._places = places
        # the place of all rows, if they have one
        self._only = int(places[0]) if places.size and (places == places[0]).all() else None
        said = [contract for contract, _ in contracts]
        self._precisions: dict[str, dict[int, int]] = {}
        self._lists: dict[str, dict[int, tuple[str, ...]]] = {}
        for place, contract in enumerate(said):
            for name, feature in contract.features.items():
                if feature.kind == "numeric":
                    self._precisions.setdefault(name, {})[place] = feature.precision
                elif feature.values is not None:
                    self._lists.setdefault(name, {})[place] = feature.values
        self._score_precisions = {
            place: contract.prediction.score_precision for place, contract in enumerate(said)
        }
        digests = [*(shape for _, shape in contracts), ""]
        self.shapes = list(dict.fromkeys(digests))
        number = {shape: place for place, shape in enumerate(self.shapes)}
        numbers = np.array([number[one] for one in digests], dtype=np.int64)
        bases = np.array([*(one.windows.base for one in said), Windows().base], dtype=np.int64)
        self.shape_of_rows: Ints = numbers[places]
        self.base_of_rows: Ints = bases[places]

    def precisions(self, feature: str, rows: Ints | None) -> list[tuple[int, Mask | None]]:
        """Precision of a numeric feature in these rows (None: all), with the rows that each is of (None: all of them)."""
        return self._told_apart(self._precisions.get(feature, {}), DEFAULT_PRECISION, rows)

    def score_precisions(self, rows: Ints | None) -> list[tuple[int, Mask | None]]:
        """The same of the score and of probabilities."""
        return self._told_apart(self._score_precisions, DEFAULT_PRECISION, rows)

    def lists(self, feature: str, rows: Ints | None) -> list[tuple[tuple[str, ...] | None, Mask | None]]:
        """The same of the values by which a categorical feature is counted; None where none are listed."""
        return self._told_apart(self._lists.get(feature, {}), None, rows)

    def _told_apart(
        self, said: Mapping[int, Said], default: Said, rows: Ints | None
    ) -> list[tuple[Said, Mask | None]]:
        if not said:
            return [(default, None)]
        if self._only is not None:
            return [(said.get(self._only, default), None)]
        variants = list(dict.fromkeys([default, *said.values()]))
        number_of = {one: number for number, one in enumerate(variants)}
        numbers = np.zeros(len(self.contracts) + 1, dtype=np.int64)
        for place, one in said.items():
            numbers[place] = number_of[one]
        of_rows = numbers[self._places if rows is None else self._places[rows]]
        found = np.flatnonzero(np.bincount(of_rows, minlength=len(variants))).tolist()
        if len(found) == 1:
            return [(variants[found[0]], None)]
        return [(variants[number], of_rows == number) for number in found]
