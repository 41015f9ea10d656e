"""Where the views and the rows disagree, found in SQL: every sketch and column in which a count, a bin, a category, a sum or an extreme differs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from stream_processors.clickhouse import Store
from stream_processors.reconciliation.counting_rules import CountingRules
from stream_processors.reconciliation.frontier import Frontier
from stream_processors.reconciliation.row_sketches import KEY, ROW_SKETCHES
from stream_processors.sketches import CategoricalSketch, coarsen
from stream_processors.sketches.categorical import keep_smallest, no_buckets

# Sums of n numbers differ by the order in which they were added: by Cauchy and Schwarz the sum of magnitudes is at most
# sqrt(n * sum of squares), and each addition errs by at most a part in 2^53 of it.
_TOLERANCE = 1e-9

_STREAM = """
    SELECT model_version, served, sampling_rate, slice, toUnixTimestamp64Micro(window_start) AS start,
        column, toString(column_kind) AS column_kind, events, errors, warnings,
        toUnixTimestamp64Micro(min_event_time) AS earliest, toUnixTimestamp64Micro(max_event_time) AS latest,
        precision, bins, counts, values AS names, buckets, nulls, nans, plus_inf, minus_inf, absent, sum, sum_of_squares, min, max
    FROM feature_windows
    WHERE model = {model:String} AND environment = {environment:String} AND shape = {shape:String}
      AND window_start >= fromUnixTimestamp64Micro({first:Int64}, 'UTC') AND window_start < fromUnixTimestamp64Micro({last:Int64}, 'UTC')
"""

# Only of a feature that the contract names, and as the kind that it names, does every delta say how many events did not carry it: a category's null
# whose sender gave it no kind is a number's. A null of min and the like stands for no value, and counts say whether there is one.
_EXACT = """
    tuple(events, errors, warnings, nulls, nans, plus_inf, minus_inf, if(has({sent_columns:Array(Tuple(String, String))}, (column, column_kind)), absent, 0),
          ifNull(earliest, 0), ifNull(latest, 0), ifNull(min, 0.), ifNull(max, 0.)) AS exact,
    tuple(precision, bins, counts, names, if(arraySum(buckets) = 0, [], buckets)) AS binned, tuple(sum, sum_of_squares) AS sums
"""

_COMPARED = f"""
    SELECT {KEY}, column, column_kind,
        anyIf(exact, side = 0) AS streamed_exact, anyIf(exact, side = 1) AS recorded_exact,
        anyIf(binned, side = 0) AS streamed_binned, anyIf(binned, side = 1) AS recorded_binned,
        anyIf(sums, side = 0) AS streamed_sums, anyIf(sums, side = 1) AS recorded_sums
    FROM (
        SELECT {KEY}, column, column_kind, {_EXACT}, 0 AS side FROM ({_STREAM})
        UNION ALL
        SELECT {KEY}, column, column_kind, {_EXACT}, 1 AS side FROM ({ROW_SKETCHES}))
    GROUP BY {KEY}, column, column_kind
    HAVING streamed_exact != recorded_exact OR streamed_binned != recorded_binned
        OR abs(streamed_sums.1 - recorded_sums.1) > {_TOLERANCE} * sqrt(arraySum(recorded_binned.3) * recorded_sums.2)
        OR abs(streamed_sums.2 - recorded_sums.2) > {_TOLERANCE} * recorded_sums.2
    ORDER BY start, {KEY}, column
"""


def unequal_statement(of_sketches: str = "true", of_rows: str = "true") -> str:
    """SQL for the windows (column ``start``, microseconds) that begin in ``[first, last)`` of which the views count other events than there are rows.

    Args:
        of_sketches: a condition on the views, which may name ``start``.
        of_rows: the same on the rows.
    """
    return f"""
    SELECT start FROM (
        SELECT toUnixTimestamp64Micro(window_start) AS start, toInt64(sum(events)) AS counted
        FROM feature_windows
        WHERE model = {{model:String}} AND environment = {{environment:String}} AND column = '@events' AND slice = '' AND {of_sketches}
          AND window_start >= fromUnixTimestamp64Micro({{first:Int64}}, 'UTC') AND window_start < fromUnixTimestamp64Micro({{last:Int64}}, 'UTC')
          AND toUnixTimestamp64Micro(window_end) - start = {{base:Int64}}
        GROUP BY start
        UNION ALL
        SELECT toUnixTimestamp64Micro(event_time) - positiveModulo(toUnixTimestamp64Micro(event_time), {{base:Int64}}) AS start, -toInt64(count()) AS counted
        FROM predictions FINAL
        WHERE model = {{model:String}} AND environment = {{environment:String}} AND {of_rows}
          AND event_time >= fromUnixTimestamp64Micro({{first:Int64}}, 'UTC') AND event_time < fromUnixTimestamp64Micro({{last:Int64}}, 'UTC')
        GROUP BY start)
    GROUP BY start HAVING sum(counted) != 0
    ORDER BY start
"""


_MISCOUNTED = unequal_statement(
    "shape = {shape:String} AND start IN {starts:Array(Int64)}",
    "contract IN {contracts:Array(String)} AND start IN {starts:Array(Int64)}",
)


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
) -> list[Difference]:
    """What differs in windows of one shape that begin in ``[first, last)`` (microseconds)."""
    parameters = bound(model, environment, rules, frontier, first, last, ())
    lists = rules.lists
    found = (_difference(rules, lists, row) for row in store.rows(_COMPARED, parameters))
    return [one for one in found if one is not None]


def miscounted(
    store: Store, model: str, environment: str, rules: CountingRules, starts: Sequence[int]
) -> list[int]:
    """Those windows of one shape of which the views count other events than there are rows: nothing is said of what differs, at a fraction of the cost."""
    parameters = {
        "model": model,
        "environment": environment,
        "shape": rules.shape,
        "contracts": list(rules.contracts),
        "base": rules.base,
        "first": min(starts),
        "last": max(starts) + rules.base,
        "starts": list(starts),
    }
    return [row["start"] for row in store.rows(_MISCOUNTED, parameters)]


def _difference(
    rules: CountingRules, lists: Mapping[str, tuple[str, ...]], row: dict[str, Any]
) -> Difference | None:
    """What a row of the comparison comes to; None where both sides say the same in other words."""
    streamed, recorded = (list(row[f"{side}_exact"].values()) for side in ("streamed", "recorded"))
    binned = [list(row[f"{side}_binned"].values()) for side in ("streamed", "recorded")]
    bins = _different_bins(row["column_kind"], lists.get(row["column"]), *binned)
    near = _near(row, sum(binned[1][2]))
    if streamed == recorded and not bins and near:
        return None
    counted = [
        exact[0] if row["column_kind"] == "events" else sum(counts) + sum(buckets) + sum(exact[3:7])
        for exact, (_, _, counts, _, buckets) in zip((streamed, recorded), binned, strict=True)
    ]
    return Difference(
        row["model_version"],
        row["served"],
        row["sampling_rate"],
        rules.shape,
        row["slice"],
        row["start"],
        row["start"] + rules.base,
        row["column"],
        counted[0],
        counted[1],
        bins,
    )


def _different_bins(
    kind: str, listed: tuple[str, ...] | None, streamed: list[Any], recorded: list[Any]
) -> int:
    """Bins, names and buckets with another count: at the coarser of both precisions, and with the names that the whole keeps.

    The safety valve coarsens a delta's histogram, and a delta may name categories that the whole leaves to their bucket.
    """
    sides: list[dict[Any, int]] = []
    least = min(streamed[0], recorded[0]) if streamed[1] and recorded[1] else 0
    for precision, bins, counts, names, buckets in (streamed, recorded):
        if kind == "numeric":
            found = np.array(bins, dtype=np.float64), np.array(counts, dtype=np.int64)
            coarse = coarsen(*found, least) if precision > least else found
            sides.append(dict(zip(*(one.tolist() for one in coarse), strict=True)))
        else:
            held = np.array(buckets, dtype=np.int64) if buckets else no_buckets()
            sketch = CategoricalSketch(tuple(names), np.array(counts, dtype=np.int64), held, listed=True)
            if listed is None:
                sketch = keep_smallest(names, sketch.counts, held)
            sides.append(
                dict(zip(sketch.values, sketch.counts.tolist(), strict=True))
                | dict(enumerate(sketch.buckets.tolist()))
            )
    one, other = sides
    return sum(one.get(key, 0) != other.get(key, 0) for key in one.keys() | other.keys())


def _near(row: dict[str, Any], n: int) -> bool:
    """Whether sums are equal but for rounding; those that overflowed depend on the order in which they were added."""
    total, squares = map(float, row["streamed_sums"].values())
    other, other_squares = map(float, row["recorded_sums"].values())
    if not all(map(math.isfinite, (total, squares, other, other_squares))):
        return True
    scale = math.sqrt(n) * math.sqrt(other_squares)
    return (
        abs(total - other) <= _TOLERANCE * scale
        and abs(squares - other_squares) <= _TOLERANCE * other_squares
    )


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
        "sent_columns": [(column, kind) for _, column, kind, _ in own["sent"]],
        "model": model,
        "environment": environment,
        "first": first,
        "last": last,
        "starts": list(starts),
    }
