"""Which prediction a label fact belongs to. Pure and columnar: one pass over all pairs of a batch.

The rule (design, "The join"), for each version and environment that used the fact's id and that the fact does not exclude:

- candidates are the predictions appended no later than the fact; among several, the latest whose event time lies before the fact's
  ``true_at`` (its ``reported_at`` where it has none) is taken, or the earliest if none does, and the match is ambiguous;
- without candidates it is the first prediction appended after the fact, if it came within the label horizon.

Looked at are event times within an hour of the fact's hint (``predicted_at``, or the time in a UUIDv7 id). Only where no candidate of that
version and environment lies there all others of it are: a single candidate matches whatever the clocks say, and so does that of a shadow which
scored the id another day. As nothing here depends on when the question is asked, once every prediction appended before the fact is recorded,
the answer never changes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stream_processors.joiner.micros import HOUR, SECOND, Ints, Mask, is_valid, micros

# an id without a time in it has no hint: far from every event time
NO_HINT = -(1 << 61)


@dataclass(frozen=True, slots=True, eq=False)
class Matches:
    """Pairs: row ``fact[i]`` of the facts belongs to row ``prediction[i]`` of the predictions."""

    fact: Ints
    prediction: Ints
    ambiguous: Mask


def first_facts(facts: pa.Table) -> pa.Table:
    """The facts without repeats: of the rows of one identity the one that arrived first."""
    (name,) = _codes(["model", "prediction_id", "output", "label_id"], facts)
    return facts.take(_first_arrivals([name, micros(facts["reported_at"])], facts))


def told_apart(facts: pa.Table) -> pa.Table:
    """The facts, no two of one prediction id under one ``label_id``: of those that share it the first arrival keeps it.

    The others have their ``reported_at`` (microseconds) after it and a space, which sorts before what an id may go on with. So each fact is an
    outcome of its own, as a correction that a source tells under the id of what it corrects.

    Args:
        facts: each identity once; with a fact all others about its prediction id that came before it.
    """
    (name,) = _codes(["model", "prediction_id", "output", "label_id"], facts)
    again = np.ones(facts.num_rows, dtype=np.bool_)
    again[_first_arrivals([name], facts)] = False
    if not again.any():
        return facts
    ids = facts["label_id"].cast(pa.string())
    longer = pc.binary_join_element_wise(ids, pa.array(micros(facts["reported_at"])).cast(pa.string()), " ")
    place = facts.schema.get_field_index("label_id")
    return facts.set_column(place, "label_id", pc.if_else(pa.array(again), longer, ids))


def first_predictions(predictions: pa.Table) -> pa.Table:
    """The predictions without repeats: of the rows of one identity the one that arrived first."""
    columns = ["model", "environment", "model_version", "prediction_id", "output"]
    (name,) = _codes(columns, predictions)
    return predictions.take(_first_arrivals([name, micros(predictions["event_time"])], predictions))


def unmatched_nearby(facts: pa.Table, predictions: pa.Table, versions: pa.Table) -> Mask:
    """Which facts have to be searched for at every event time: some version has no candidate within an hour of their hint.

    Args:
        facts: as for `match`.
        predictions: as for `match`, as far as they were found nearby.
        versions: model, output, model_version and environment that others may be found of.
    """
    if not facts.num_rows:
        return np.zeros(0, dtype=np.bool_)
    pairs = _pairs(facts, predictions)
    nearby = pairs.where(pairs.near & pairs.before)
    _, firsts = np.unique(nearby.group, return_index=True)
    found = np.bincount(nearby.fact[firsts], minlength=facts.num_rows)
    columns = ["model", "output", "model_version", "environment"]
    known = pa.concat_tables(
        [table.select(columns).cast(_strings(columns)) for table in (versions, predictions)]
    )
    return found < _wanted(facts, known.group_by(columns).aggregate([]))


def _wanted(facts: pa.Table, versions: pa.Table) -> Ints:
    """How many of these versions and environments each fact may belong to; at least one."""
    columns = ["model", "output", "model_version", "environment"]
    (sort,) = _codes(columns, facts)
    _, firsts, sort = np.unique(sort, return_index=True, return_inverse=True)
    # few facts differ in what they name
    sorts = facts.select(columns).take(pa.array(firsts))
    of_sort, _ = _named(sorts, versions, ["model", "output"])
    return np.maximum(np.bincount(of_sort, minlength=sorts.num_rows), 1)[sort]


def _strings(columns: list[str]) -> pa.Schema:
    return pa.schema([(name, pa.string()) for name in columns])


def match(facts: pa.Table, predictions: pa.Table, horizon_s: Ints) -> Matches:
    """Find each fact's predictions, at most one per version and environment.

    Args:
        facts: rows of ``labels``, each identity once, with ``hint`` (timestamp or null).
        predictions: rows of ``predictions``, each identity once: all with the facts' ids within an hour of the hints, and for facts that
            are `unmatched_nearby` all with their ids and of the versions named there.
        horizon_s: label horizon of each fact, seconds: so long a fact waits for its prediction.
    """
    pairs = _pairs(facts, predictions)
    found_near = np.isin(pairs.group, pairs.group[pairs.near & pairs.before])
    waited = micros(predictions["_appended_at"])[pairs.prediction] - micros(facts["_appended_at"])[pairs.fact]
    kept = ~found_near | pairs.near
    kept &= pairs.before | (waited <= horizon_s[pairs.fact] * SECOND)
    return _chosen(facts, predictions, pairs.where(kept))


@dataclass(frozen=True, slots=True, eq=False)
class _Pairs:
    fact: Ints
    prediction: Ints
    # equal for pairs of one fact, version and environment
    group: Ints
    near: Mask
    before: Mask

    def where(self, kept: Mask) -> _Pairs:
        return _Pairs(
            self.fact[kept], self.prediction[kept], self.group[kept], self.near[kept], self.before[kept]
        )


def _pairs(facts: pa.Table, predictions: pa.Table) -> _Pairs:
    """Every fact with every prediction of its model, id and output that it does not exclude."""
    fact, prediction = _named(facts, predictions, ["model", "prediction_id", "output"])
    (version,) = _codes(["model_version", "environment"], predictions)
    hint = micros(facts["hint"], null=NO_HINT)[fact]
    near = np.abs(micros(predictions["event_time"])[prediction] - hint) <= HOUR
    before = micros(predictions["_appended_at"])[prediction] <= micros(facts["_appended_at"])[fact]
    group = fact * (version.max(initial=0) + 1) + version[prediction]
    return _Pairs(fact, prediction, group, near, before)


def _named(facts: pa.Table, predictions: pa.Table, columns: list[str]) -> tuple[Ints, Ints]:
    """Every fact with every prediction that is equal in these columns, and of the version and environment that it names, if any."""
    of_facts, of_predictions = _codes(columns, facts, predictions)
    order = np.argsort(of_predictions, kind="stable")
    ordered = of_predictions[order]
    starts = np.searchsorted(ordered, of_facts, side="left")
    counts = np.searchsorted(ordered, of_facts, side="right") - starts
    fact = np.repeat(np.arange(of_facts.size), counts)
    place = np.arange(fact.size) - np.repeat(np.cumsum(counts) - counts, counts)
    prediction = order[starts[fact] + place]
    named = np.ones(fact.size, dtype=np.bool_)
    for column in ("model_version", "environment"):
        stated = is_valid(facts[column])
        wanted, there = _codes([column], facts, predictions)
        named &= ~stated[fact] | (wanted[fact] == there[prediction])
    return fact[named], prediction[named]


def _chosen(facts: pa.Table, predictions: pa.Table, pairs: _Pairs) -> Matches:
    """The best pair of each fact, version and environment: the first in the order of the rule."""
    true_at = np.where(is_valid(facts["true_at"]), micros(facts["true_at"]), micros(facts["reported_at"]))
    event_time = micros(predictions["event_time"])[pairs.prediction]
    prior = event_time < true_at[pairs.fact]
    rank = np.where(prior, -event_time, event_time)
    rank = np.where(pairs.before, rank, micros(predictions["_appended_at"])[pairs.prediction])
    offset = predictions["_offset"].to_numpy()[pairs.prediction].astype(np.int64)
    order = np.lexsort((offset, rank, ~prior & pairs.before, ~pairs.before, pairs.group))
    if not order.size:
        return Matches(pairs.fact, pairs.prediction, np.zeros(0, dtype=np.bool_))
    _, firsts = np.unique(pairs.group[order], return_index=True)
    candidates = np.add.reduceat(pairs.before[order].astype(np.int64), firsts)
    best = order[firsts]
    return Matches(pairs.fact[best], pairs.prediction[best], candidates > 1)


def _codes(columns: list[str], *tables: pa.Table) -> list[Ints]:
    """For each table one integer per row; equal integers are equal values in all these columns (nulls are one value)."""
    joint = np.zeros(sum(table.num_rows for table in tables), dtype=np.int64)
    for column in columns:
        strings = pa.concat_arrays(
            [chunk for table in tables for chunk in table[column].cast(pa.string()).chunks]
            or [pa.array([], pa.string())]
        )
        encoded = strings.dictionary_encode()
        codes = (
            pc.fill_null(encoded.indices, len(encoded.dictionary))
            .to_numpy(zero_copy_only=False)
            .astype(np.int64)
        )
        joint = joint * (len(encoded.dictionary) + 1) + codes
        if joint.size and int(joint.max()) > 1 << 40:
            joint = np.unique(joint, return_inverse=True)[1]
    ends = np.cumsum([table.num_rows for table in tables])
    return np.split(joint, ends[:-1])


def _first_arrivals(keys: list[Ints], rows: pa.Table) -> Ints:
    arrival = [rows["_offset"].to_numpy().astype(np.int64), rows["_partition"].to_numpy().astype(np.int64)]
    order = np.lexsort((*arrival, micros(rows["_appended_at"]), *keys))
    if not order.size:
        return order
    ordered = np.stack([key[order] for key in keys])
    firsts = np.concatenate(([True], (ordered[:, 1:] != ordered[:, :-1]).any(axis=0)))
    return np.sort(order[firsts])
