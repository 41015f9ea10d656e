"""A table of predictions under its contract: what `SourceContract.admit` does with a record, by columns. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from producers.at_source.checks import MAX_FEATURES, refusal, too_many
from producers.at_source.columns import bucketed_column, digit_texts, pseudonymised, settled, whole_rows
from producers.at_source.promises import FeaturePromise, SourcePromises
from producers.at_source.protection import Protection
from producers.at_source.sampling import FIELDS, Sampling
from producers.errors import InvalidEvent
from producers.rows import Rows

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class AdmittedTable:
    """What became of a table.

    Attributes:
        rows: the rows that may be sent, protected.
        sampled: model, environment and event_time of the rows that the sample leaves out.
        invalid: the same of the rows that break a contract which says reject.
        problem: what the first of those breaks; None where there is none.
    """

    rows: Rows
    sampled: pa.Table
    invalid: pa.Table
    problem: InvalidEvent | None


def admit_table(
    rows: Rows, promises: SourcePromises, protection: Protection, sampling: Sampling
) -> AdmittedTable:
    """`SourceContract.admit` for every row; ``rows``, made with the contract's kinds, are changed in place.

    A column is of one kind. So where the contract warns, a column of numbers some of which have decimals does not become categories,
    and one with texts does not become numbers, not even in its nulls. Hashing and sampling cost Python's time per distinct value and id.
    """
    table = _Table(rows, promises)
    left_out = table.sampled_out(sampling)
    refused, problem = table.refused(left_out)
    facts = pa.table({name: rows.fields[name] for name in ("model", "environment", "event_time")})
    table.keep(~(left_out | refused))
    table.settle(frozenset(protection.hashed))
    table.protect(protection)
    return AdmittedTable(rows, facts.filter(pa.array(left_out)), facts.filter(pa.array(refused)), problem)


class _Table:
    """The columns of a table, changed step by step; what is found out about rows is a mask of all of them."""

    def __init__(self, rows: Rows, promises: SourcePromises) -> None:
        self._rows, self._promises = rows, promises
        self._numbers = dict(rows.maps["numeric_features"])
        self._categories = dict(rows.maps["categorical_features"])
        self._n = len(rows.fields["prediction_id"])
        self._answered = _mask(pc.equal(rows.fields["status"], "ok"))
        self._applies = np.ones(self._n, dtype=np.bool_)
        if promises.environment is not None:
            self._applies = _mask(pc.equal(rows.fields["environment"], promises.environment))

    def sampled_out(self, sampling: Sampling) -> Mask:
        """Rows that the sample leaves out; the rates of those that it keeps are changed."""
        if sampling.rate >= 1:
            return np.zeros(self._n, dtype=np.bool_)
        fields = self._rows.fields
        drawn = self._applies & (self._answered | (not sampling.keep_errors))
        given = [fields[name] for name in FIELDS if name in fields]
        there = [pc.if_else(pc.equal(one, ""), pa.scalar(None, pa.string()), one) for one in given]
        ids = pc.fill_null(pc.coalesce(*there), "")
        distinct = pc.unique(ids)
        kept = pa.array([sampling.keeps(one) for one in distinct.to_pylist()], pa.bool_())
        stated = np.asarray(fields["sampling_rate"], dtype=np.float64)
        fields["sampling_rate"] = _chunked(pa.array(np.where(drawn, stated * sampling.rate, stated)))
        return drawn & ~_mask(kept.take(pc.index_in(ids, value_set=distinct)))

    def refused(self, left_out: Mask) -> tuple[Mask, InvalidEvent | None]:
        """Rows that break a contract which says reject, and what the first of them breaks."""
        refused = np.zeros(self._n, dtype=np.bool_)
        if self._promises.on_violation != "reject":
            return refused, None
        problem = None
        for broken, error in self._broken():
            found = broken & self._applies & ~left_out
            if found.any() and (problem is None or found.argmax() < refused.argmax()):
                problem = error
            refused |= found
        return refused, problem

    def _broken(self) -> Iterator[tuple[Mask, InvalidEvent]]:
        if len(self._numbers) + len(self._categories) > MAX_FEATURES:
            yield np.ones(self._n, dtype=np.bool_), too_many()
        for name, promise in self._promises.features.items():
            find = self._broken_number if promise.kind == "numeric" else self._broken_category
            for word, broken in find(name, promise):
                yield broken, refusal(word, name)

    def _broken_number(self, name: str, promise: FeaturePromise) -> Iterator[tuple[str, Mask]]:
        own, other = self._numbers.get(name), self._categories.get(name)
        if other is not None:
            yield "kind", _mask(other.is_valid())
        if promise.required:
            yield "missing", self._missing(own)
        if own is None:
            return
        numbers = own.to_numpy()
        if promise.minimum is not None:
            yield "range", numbers < promise.minimum
        if promise.maximum is not None:
            yield "range", numbers > promise.maximum

    def _broken_category(self, name: str, promise: FeaturePromise) -> Iterator[tuple[str, Mask]]:
        own, other = self._categories.get(name), self._numbers.get(name)
        if other is not None:
            yield "kind", ~whole_rows(other)
            own = _chunked(digit_texts(other)) if own is None else own
        if promise.required:
            yield "missing", self._missing(own)
        if promise.only_listed and own is not None:
            listed = pc.is_in(own, pa.array(promise.values, pa.string()))
            yield "unlisted", _mask(own.is_valid()) & ~_mask(listed)

    def _missing(self, own: pa.ChunkedArray | None) -> Mask:
        return self._answered & (True if own is None else _mask(own.is_null()))

    def keep(self, kept: Mask) -> None:
        """Leave out all other rows."""
        if kept.all():
            return
        mask, rows = pa.array(kept), self._rows
        rows.fields.update({name: column.filter(mask) for name, column in rows.fields.items()})
        rows.maps.update(
            {
                name: [(key, column.filter(mask)) for key, column in columns]
                for name, columns in rows.maps.items()
            }
        )
        self._numbers, self._categories = (
            dict(rows.maps["numeric_features"]),
            dict(rows.maps["categorical_features"]),
        )

    def settle(self, hashed: frozenset[str]) -> None:
        """Put each column to its kind where it can be of it; a column that is hashed becomes a category by that."""
        for name, promise in self._promises.features.items():
            own, other = self._numbers, self._categories
            if name in other:
                own, other = other, own
            if name in own and name not in hashed:
                column = settled(own[name], promise.kind)
                if column.type != own[name].type:
                    del own[name]
                    other[name] = _chunked(column)

    def protect(self, protection: Protection) -> None:
        """As `Protection.apply`."""
        numbers, categories, rows = self._numbers, self._categories, self._rows
        for name in protection.dropped:
            numbers.pop(name, None)
            categories.pop(name, None)
        for name in protection.hashed:
            column = numbers.pop(name, categories.get(name))
            if column is not None:
                categories[name] = _chunked(pseudonymised(column, protection.pseudonyms))
        for name, bucket in protection.bucketed:
            if name in numbers:
                numbers[name] = _chunked(bucketed_column(numbers[name], bucket))
            if name in categories:
                categories[name] = _chunked(pa.nulls(len(categories[name]), pa.string()))
        rows.maps["numeric_features"] = list(numbers.items())
        rows.maps["categorical_features"] = list(categories.items())
        rows.maps["segments"] = [
            (
                name,
                _chunked(pseudonymised(column, protection.pseudonyms))
                if name in protection.hashed
                else column,
            )
            for name, column in rows.maps["segments"]
            if name not in protection.protected or name in protection.hashed
        ]
        entities = rows.fields.get("entity_id")
        if entities is not None and protection.entity_id == "hash":
            rows.fields["entity_id"] = _chunked(pseudonymised(entities, protection.pseudonyms))
        if entities is not None and protection.entity_id == "drop":
            rows.fields["entity_id"] = _chunked(pa.nulls(len(entities), pa.string()))


def _chunked(column: pa.Array | pa.ChunkedArray) -> pa.ChunkedArray:
    return column if isinstance(column, pa.ChunkedArray) else pa.chunked_array([column])


def _mask(truths: pa.Array | pa.ChunkedArray) -> Mask:
    return np.asarray(truths, dtype=np.bool_)
