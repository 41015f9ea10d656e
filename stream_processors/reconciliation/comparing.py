"""Where the views and the rows disagree, found in SQL: every sketch and column in which a count, a bin, a category, a sum or an extreme differs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from stream_processors.clickhouse import Store
from stream_processors.reconciliation.counting_rules import CountingRules
from stream_processors.reconciliation.frontier import Frontier
from stream_processors.reconciliation.row_sketches import KEY, ROW_SKETCHES
from stream_processors.sketches.categorical import MAX_NAMES
from stream_processors.sketches.hashing import BUCKETS

# Sums of n numbers differ by the order in which they were added: by Cauchy and Schwarz the sum of magnitudes is at most
# sqrt(n * sum of squares), and each addition errs by at most a part in 2^53 of it.
_TOLERANCE = 1e-9

_STREAM = f"""
    SELECT model_version, served, sampling_rate, slice, toUnixTimestamp64Micro(window_start) AS start,
        column, toString(column_kind) AS column_kind, events, errors, warnings,
        toUnixTimestamp64Micro(min_event_time) AS earliest, toUnixTimestamp64Micro(max_event_time) AS latest,
        precision, bins, counts, values AS names, buckets, nulls, nans, plus_inf, minus_inf, absent, sum, sum_of_squares, min, max
    FROM feature_windows
    WHERE model = {{model:String}} AND environment = {{environment:String}} AND shape = {{shape:String}}
      AND window_start >= fromUnixTimestamp64Micro({{first:Int64}}, 'UTC') AND window_start < fromUnixTimestamp64Micro({{last:Int64}}, 'UTC')
      AND (empty({{starts:Array(Int64)}}) OR start IN {{starts:Array(Int64)}})
"""

_FIGURES = "events, errors, warnings, earliest, latest, precision, bins, counts, names, buckets, nulls, nans, plus_inf, minus_inf, absent, sum, sum_of_squares, min, max"

# events that did not carry the column: only a sketch of all of them knows
_ROWS = f"""
    SELECT * EXCEPT rows_absent, rows_absent AS absent FROM (
        SELECT *, max(events) OVER (PARTITION BY {KEY})
            - (nulls + nans + plus_inf + minus_inf + arraySum(counts) + arraySum(buckets)) AS rows_absent
        FROM ({ROW_SKETCHES}))
"""

_SIDES = f"""
    SELECT {KEY}, column, column_kind, tuple({_FIGURES}) AS figures, 0 AS side FROM ({_STREAM})
    UNION ALL
    SELECT {KEY}, column, column_kind, tuple({_FIGURES}) AS figures, 1 AS side FROM ({_ROWS})
"""


def _either(name: str, place: int) -> str:
    """A figure of both sides, the type's empty value where a side has no such column: a list of two."""
    of_side = [f"anyIf(figures.{place}, side = {side})" for side in (0, 1)]
    return f"[{', '.join(of_side)}] AS {name}"


_PAIRS = ",\n".join(_either(name, place) for place, name in enumerate(_FIGURES.split(", "), start=1))

# Names that a delta kept and the whole does not keep go into their bucket: by the rule of the smallest hashes, as the rows are counted.
_BY_NAME = f"""
    arrayMap((side_names, side_counts) -> arraySlice(arraySort(one -> if(has({{listed:Array(String)}}, column), 0, xxHash64(one.1)),
        arrayFilter(one -> one.2 != 0, arrayZip(side_names, side_counts))), 1, if(has({{listed:Array(String)}}, column), 1000000, {MAX_NAMES})), names, counts)
"""
_IN_BUCKETS = f"""
    arrayMap((side_names, side_counts, kept, held) -> arrayMap(bucket -> arraySum((name, rows) ->
            if(xxHash64(name) % {BUCKETS} = bucket AND NOT has(arrayMap(one -> one.1, kept), name), rows, 0), side_names, side_counts)
            + if(empty(held), 0, held[1 + bucket]), range({BUCKETS})), names, counts, by_name, buckets)
"""

# A histogram that the safety valve coarsened is compared at its own precision.
_COARSE = """
    arrayMap((side_bins, side_counts) -> if(precision[1] = precision[2] OR empty(bins[1]) OR empty(bins[2]), (side_bins, side_counts),
        arrayReduce('sumMap', [arrayMap(bin -> hindcast_bin(bin, least(precision[1], precision[2])), side_bins)], [side_counts])), bins, counts)
"""
_HISTOGRAMS = "hindcast_aligned(coarse[1].1, coarse[1].2, coarse[2].1, coarse[2].2)"
_NAMED = """hindcast_aligned(arrayMap(one -> one.1, by_name[1]), arrayMap(one -> one.2, by_name[1]),
                            arrayMap(one -> one.1, by_name[2]), arrayMap(one -> one.2, by_name[2]))"""

_SPECIALS = ["nulls", "nans", "plus_inf", "minus_inf"]


def _apart(name: str, scale: str) -> str:
    near = f"abs({name}[1] - {name}[2]) <= {_TOLERANCE} * ({scale})"
    return f"(isFinite({name}[1]) AND isFinite({name}[2]) AND NOT {near})"


DIFFERENCES = f"""
    SELECT {KEY}, column, column_kind,
        if(column_kind = 'events', events, arrayMap((side, held, a, b, c, d) -> arraySum(side) + arraySum(held) + a + b + c + d,
            counts, buckets, nulls, nans, plus_inf, minus_inf)) AS counted,
        toInt64(multiIf(
            column_kind = 'numeric', arrayCount((ours, theirs) -> ours != theirs, {_HISTOGRAMS}.2, {_HISTOGRAMS}.3),
            column_kind = 'categorical', arrayCount((ours, theirs) -> ours != theirs, {_NAMED}.2, {_NAMED}.3)
                + arrayCount((ours, theirs) -> ours != theirs, in_buckets[1], in_buckets[2]), 0)) AS different_bins,
        ({" + ".join(f"({name}[1] != {name}[2])" for name in [*_SPECIALS, "events", "errors", "warnings"])}
            + (has({{sent_names:Array(String)}}, column) AND absent[1] != absent[2])) AS different_counts,
        ({_apart("sum", "sqrt(arraySum(counts[2]) * greatest(sum_of_squares[1], sum_of_squares[2]))")}
            OR {_apart("sum_of_squares", "greatest(sum_of_squares[1], sum_of_squares[2])")}) AS different_sums,
        {" OR ".join(f"ifNull({name}[1] != {name}[2], isNull({name}[1]) != isNull({name}[2]))" for name in ("min", "max", "earliest", "latest"))} AS different_extremes
    FROM (
        SELECT *, {_BY_NAME} AS by_name, {_IN_BUCKETS} AS in_buckets, {_COARSE} AS coarse
        FROM (SELECT {KEY}, column, column_kind, {_PAIRS} FROM ({_SIDES}) GROUP BY {KEY}, column, column_kind))
    WHERE different_bins OR different_counts OR different_sums OR different_extremes
    ORDER BY start, {KEY}, column
"""


@dataclass(frozen=True, slots=True)
class Difference:
    """One column of one sketch on which stream and rows disagree; ``start`` in microseconds.

    Attributes:
        streamed, recorded: events that carried the column (of ``@events``: all), by the views and by the rows.
        bins: how many bins, categories or hash buckets have another count.
    """

    model_version: str
    served: bool
    sampling_rate: float
    shape: str
    slice: str
    start: int
    end: int
    column: str
    streamed: int
    recorded: int
    bins: int


def differences(
    store: Store,
    model: str,
    environment: str,
    rules: CountingRules,
    frontier: Frontier,
    first: int,
    last: int,
    starts: Sequence[int] = (),
) -> list[Difference]:
    """What differs in windows of one shape that begin in ``[first, last)`` (microseconds); of these only ``starts``, where any are named."""
    rows = store.rows(DIFFERENCES, bound(model, environment, rules, frontier, first, last, starts))
    return [
        Difference(
            row["model_version"],
            row["served"],
            row["sampling_rate"],
            rules.shape,
            row["slice"],
            row["start"],
            row["start"] + rules.base,
            row["column"],
            *map(int, row["counted"]),
            row["different_bins"],
        )
        for row in rows
    ]


def bound(
    model: str,
    environment: str,
    rules: CountingRules,
    frontier: Frontier,
    first: int,
    last: int,
    starts: Sequence[int],
) -> dict[str, Any]:
    """Parameters of the statements over windows."""
    own = rules.parameters()
    return {
        **own,
        **frontier.parameters(),
        "sent_names": [name for name, _ in own["sent"]],
        "model": model,
        "environment": environment,
        "first": first,
        "last": last,
        "starts": list(starts),
    }
