"""What of their contracts a batch of events breaks. Pure and columnar: Python runs per feature and promise, never per row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from producers.at_source.columns import bucketed, unprotected_texts
from stream_processors.contracts.model import Contract, Feature
from stream_processors.map_columns import MapColumns

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Broken = Iterator[tuple[str, Ints]]
Number = TypeVar("Number", bound=np.generic)

MAX_FEATURES = 1_000
TOO_MANY_FEATURES = "too_many_features"


def violations(batch: pa.RecordBatch, contracts: Sequence[Contract], places: Ints) -> list[tuple[str, Ints]]:
    """What is broken, and the rows (rising) that break it; the texts in rising order, each once.

    The texts are ``missing:<feature>`` (required, and absent or null; not asked of failed predictions, which often have no inputs),
    ``kind:<feature>`` (carried as the other kind), ``range:<feature>``, ``unlisted:<feature>`` and ``unprotected:<feature>`` (personal
    data as it should not have left its service; ``@entity_id`` for the entity id). A feature that its contract drops is missed by nobody.

    Args:
        batch: columns ``numeric_features``, ``categorical_features``, ``entity_id`` and ``status`` of prediction.v1.
        contracts: what was promised.
        places: position in ``contracts`` of each row's contract; -1: nothing was promised.
    """
    found: dict[str, list[Ints]] = {}
    promises = _promises(contracts)
    if promises:
        checks = _Checks(batch, _Rows(places, len(contracts)))
        for promise in promises:
            for text, rows in checks.broken(promise):
                if rows.size:
                    found.setdefault(text, []).append(rows)
    plain = _plain_entities(batch, contracts, places)
    if plain.size:
        found["unprotected:@entity_id"] = [plain]
    return [
        (text, parts[0] if len(parts) == 1 else np.unique(np.concatenate(parts)))
        for text, parts in sorted(found.items())
    ]


@dataclass(slots=True)
class _Promise:
    """The same said of a feature by the contracts in these places, which differ in its limits at most."""

    name: str
    feature: Feature
    places: list[int] = field(default_factory=list)
    limits: list[tuple[float | None, float | None]] = field(default_factory=list)


def _promises(contracts: Sequence[Contract]) -> list[_Promise]:
    found: dict[tuple[object, ...], _Promise] = {}
    for place, contract in enumerate(contracts):
        for name, one in contract.features.items():
            listed = one.values if one.only_listed else None
            said = (name, one.kind, one.required, one.pii, one.bucket, listed)
            promise = found.get(said)
            if promise is None:
                promise = found[said] = _Promise(name, one)
            promise.places.append(place)
            promise.limits.append((one.minimum, one.maximum))
    return list(found.values())


def _plain_entities(batch: pa.RecordBatch, contracts: Sequence[Contract], places: Ints) -> Ints:
    """Rows whose entity id should have been dropped or hashed, and was not."""
    plain = np.zeros(batch.num_rows, dtype=np.bool_)
    for protection in {one.entity_id for one in contracts} - {"none"}:
        # -1 (no contract) takes the last entry
        protected = np.array([*(one.entity_id == protection for one in contracts), False])
        plain |= protected[places] & unprotected_texts(batch.column("entity_id"), protection)
    return np.flatnonzero(plain)


class _Rows:
    """Which rows are under which contracts."""

    def __init__(self, places: Ints, contracts: int) -> None:
        self.count = places.size
        self._places, self._contracts = places, contracts
        self._only = contracts == 1 and bool((places == 0).all())
        self._order: Ints = np.empty(0, np.int64) if self._only else np.argsort(places, kind="stable")
        self._ends = np.searchsorted(places[self._order], np.arange(contracts + 1)).tolist()
        self._under: dict[tuple[int, ...], Ints | None] = {}

    def under(self, contracts: Sequence[int]) -> Ints | None:
        """Rows, rising, under one of these; None: all rows."""
        if self._only:
            return None
        key = tuple(contracts)
        if key not in self._under:
            self._under[key] = self._found(contracts)
        return self._under[key]

    def _found(self, contracts: Sequence[int]) -> Ints | None:
        if len(contracts) == 1:
            start, end = self._ends[contracts[0]], self._ends[contracts[0] + 1]
            rows = self._order[start:end]
        else:
            rows = np.flatnonzero(self._by_place(contracts, np.ones(len(contracts), np.bool_))[self._places])
        return None if rows.size == self.count else rows

    def carry(self, rows: Ints | None, contracts: Sequence[int]) -> Mask | None:
        """Which of these rows (None: all) are under one of these contracts; None: each."""
        if self.under(contracts) is None:
            return None
        places = self._places if rows is None else self._places[rows]
        if len(contracts) == 1:
            under: Mask = places == contracts[0]
        else:
            under = self._by_place(contracts, np.ones(len(contracts), np.bool_))[places]
        return None if under.all() else under

    def limits(self, rows: Ints, contracts: Sequence[int], limits: Floats) -> Floats:
        """For each of these rows the limit of its contract, one of these."""
        return self._by_place(contracts, limits)[self._places[rows]]

    def _by_place(self, contracts: Sequence[int], values: npt.NDArray[Number]) -> npt.NDArray[Number]:
        # the last is for rows without a contract
        found = np.zeros(self._contracts + 1, dtype=values.dtype)
        found[list(contracts)] = values
        return found


class _Checks:
    """The rules, each for all rows that it concerns."""

    def __init__(self, batch: pa.RecordBatch, rows: _Rows) -> None:
        self._rows = rows
        self._columns = {
            "numeric": MapColumns(batch.column("numeric_features")),
            "categorical": MapColumns(batch.column("categorical_features")),
        }
        self._answered = np.asarray(pc.equal(batch.column("status"), "ok").to_numpy(zero_copy_only=False))
        self._marked = np.zeros(batch.num_rows, dtype=np.bool_)

    def broken(self, promise: _Promise) -> Broken:
        """What rows under the promise break of it."""
        name, feature = promise.name, promise.feature
        own = self._columns[feature.kind]
        other = self._columns["categorical" if feature.kind == "numeric" else "numeric"]
        if feature.pii != "none":
            # as the other kind it cannot be a hash or a bucket
            for columns in (own, other) if feature.pii == "drop" else (other,):
                yield f"unprotected:{name}", self._valued(columns, promise)
        if feature.pii == "drop":
            return
        if name in other:
            yield f"kind:{name}", self._carrying(other, promise)[0]
        if feature.required:
            yield f"missing:{name}", self._missing(own, promise)
        if name in own:
            yield from self._bad_categories(own, promise)
            yield from self._bad_numbers(own, promise)

    def _carrying(self, columns: MapColumns, promise: _Promise) -> tuple[Ints, Mask | None]:
        """Rows under the promise that carry the feature, null or not; and which they are of all rows that do (None: each)."""
        rows = columns.rows(promise.name)
        mask = self._rows.carry(rows, promise.places)
        carrying = np.arange(self._rows.count, dtype=np.int64) if rows is None else rows
        return (carrying if mask is None else carrying[mask]), mask

    def _valued(self, columns: MapColumns, promise: _Promise) -> Ints:
        """Rows under the promise that carry a value of the feature, and no null."""
        if promise.name not in columns:
            return np.empty(0, dtype=np.int64)
        rows, mask = self._carrying(columns, promise)
        valid = np.asarray(columns.values(promise.name).is_valid().to_numpy(zero_copy_only=False))
        found: Ints = rows[valid if mask is None else valid[mask]]
        return found

    def _missing(self, columns: MapColumns, promise: _Promise) -> Ints:
        """Rows under the promise that were answered and carry no value."""
        name = promise.name
        if name in columns and columns.rows(name) is None and not columns.has_nulls:
            return np.empty(0, dtype=np.int64)
        under = self._rows.under(promise.places)
        asked = np.flatnonzero(self._answered) if under is None else under[self._answered[under]]
        # marks are taken back: a batch may have many contracts of few rows
        self._marked[asked] = True
        self._marked[self._valued(columns, promise)] = False
        missing = asked[self._marked[asked]]
        self._marked[asked] = False
        return missing

    def _bad_categories(self, columns: MapColumns, promise: _Promise) -> Broken:
        name, feature = promise.name, promise.feature
        if feature.kind == "numeric" or not (feature.pii == "hash" or feature.only_listed):
            return
        rows, mask = self._carrying(columns, promise)
        values = columns.values(name)
        if mask is not None:
            values = values.filter(pa.array(mask))
        if feature.pii == "hash":
            yield f"unprotected:{name}", rows[unprotected_texts(values, "hash")]
        else:
            listed = pc.is_in(values, pa.array(feature.values, pa.string()))
            unlisted = pc.and_(pc.invert(listed), values.is_valid())
            yield f"unlisted:{name}", rows[np.asarray(unlisted.to_numpy(zero_copy_only=False))]

    def _bad_numbers(self, columns: MapColumns, promise: _Promise) -> Broken:
        name, bucket = promise.name, promise.feature.bucket
        distinct = set(promise.limits)
        if promise.feature.kind != "numeric" or (bucket is None and distinct == {(None, None)}):
            return
        rows, mask = self._carrying(columns, promise)
        numbers, _ = columns.numbers(name)
        if mask is not None:
            numbers = numbers[mask]
        if bucket is not None:
            yield f"unprotected:{name}", rows[~np.isnan(numbers) & (bucketed(numbers, bucket) != numbers)]
        # none is NaN, which no number is beyond; nor is a null, which becomes NaN
        limits = np.array([promise.limits[0]] if len(distinct) == 1 else promise.limits, dtype=np.float64).T
        if bucket is not None:
            # a number within the range is in a bucket that begins within the range of buckets
            limits = np.stack([bucketed(limit, bucket) for limit in limits])
        if len(distinct) > 1:
            limits = np.stack([self._rows.limits(rows, promise.places, limit) for limit in limits])
        least, most = limits
        yield f"range:{name}", rows[(numbers < least) | (numbers > most)]
