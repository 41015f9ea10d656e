"""The statement that counts prediction rows into sketches, in SQL alone: the same bins, slices, lists and hash buckets as the profiler's.

One row per sketch and column. It shares no code with the profiler: what both say is proven by two ways of counting.
"""

from __future__ import annotations

from stream_processors.sketches.categorical import MAX_NAME_LENGTH, MAX_NAMES
from stream_processors.sketches.column_names import DECISION, LATENCY, PROBABILITY, SCORE
from stream_processors.sketches.hashing import BUCKETS

# What a sketch is of, beside model, environment and shape, which are the statement's parameters.
KEY = "model_version, served, sampling_rate, slice, start"

# The rows of one model, environment and shape whose window begins in [first, last), below `nexts` of their source. A row that was sent
# again stands at the place of its first arrival.
_EVENTS = """
    SELECT
        model_version, served, sampling_rate,
        toUnixTimestamp64Micro(event_time) - positiveModulo(toUnixTimestamp64Micro(event_time), {base:Int64}) AS start,
        event_time, status, warnings, numeric_features, categorical_features, segments, probabilities, score, latency_ms, decision
    FROM predictions FINAL
    WHERE model = {model:String} AND environment = {environment:String} AND contract IN {contracts:Array(String)}
      AND event_time >= fromUnixTimestamp64Micro({first:Int64}, 'UTC') AND event_time < fromUnixTimestamp64Micro({last:Int64} + {base:Int64}, 'UTC')
      AND start >= {first:Int64} AND start < {last:Int64} AND (empty({starts:Array(Int64)}) OR start IN {starts:Array(Int64)})
      AND _offset < {nexts:Array(Int64)}[indexOf({sources:Array(String)}, concat(_topic_id, '/', toString(_partition)))]
"""

# A row's value of a name is that of the categorical feature, else of the segment; position 0 is the rest's, as arrayFirstIndex finds it.
_SLICES = """
    arrayConcat([''], arrayMap(slicing -> slicing.3[1 + arrayFirstIndex(
        row -> row = arrayMap(name -> coalesce(categorical_features[name], segments[name]), slicing.1)
           AND arrayAll(name -> isNotNull(categorical_features[name]) OR mapContains(segments, name), slicing.1), slicing.2)],
        {slicings:Array(Tuple(Array(String), Array(Array(String)), Array(String)))}))
"""

_COLUMN = "if(startsWith(name, '@'), concat('%40', substring(name, 2)), if(startsWith(name, '%'), concat('%25', substring(name, 2)), name))"

_NUMBERS = f"""
    arrayConcat(
        arrayMap((name, value) -> ({_COLUMN}, value, toUInt8(0)), mapKeys(numeric_features), mapValues(numeric_features)),
        arrayMap((name, value) -> (concat('{PROBABILITY}', name), CAST(value, 'Nullable(Float64)'), toUInt8(1)), mapKeys(probabilities), mapValues(probabilities)),
        if(isNull(score), [], [('{SCORE}', score, toUInt8(1))]),
        if(isNull(latency_ms), [], [('{LATENCY}', latency_ms, toUInt8(2))])
    )
"""

_CATEGORIES = f"""
    arrayConcat(
        arrayMap((name, value) -> ({_COLUMN}, value), mapKeys(categorical_features), mapValues(categorical_features)),
        if(isNull(decision), [], [('{DECISION}', CAST(decision, 'Nullable(String)'))])
    )
"""

# nulls, NaN and infinities are states 1 to 4 beside the bins
_NUMBER_ROWS = f"""
    SELECT {KEY}, one.1 AS column,
        multiIf(one.3 = 1, {{score_precision:UInt8}}, one.3 = 0 AND has({{precise:Array(String)}}, column),
                {{precisions:Array(UInt8)}}[indexOf({{precise:Array(String)}}, column)], {{default_precision:UInt8}}) AS bits,
        multiIf(isNull(one.2), 1, isNaN(one.2), 2, one.2 = inf, 3, one.2 = -inf, 4, 0) AS state,
        if(state = 0, assumeNotNull(one.2), 0.) AS value,
        if(state = 0, hindcast_bin(value, bits), 0.) AS bin
    FROM (SELECT {KEY}, arrayJoin({_NUMBERS}) AS one FROM sliced)
"""

_BINS = f"""
    SELECT {KEY}, column, bits, state, bin,
        count() AS rows, sum(value) AS total, sum(value * value) AS total_of_squares, min(value) AS least, max(value) AS greatest
    FROM ({_NUMBER_ROWS})
    GROUP BY {KEY}, column, bits, state, bin
"""

_NUMERIC = f"""
    SELECT {KEY}, column, 'numeric' AS column_kind, any(bits) AS precision,
        arraySort(groupArrayIf((bin, rows), state = 0)) AS histogram,
        arrayMap(one -> one.1, histogram) AS bins, arrayMap(one -> one.2, histogram) AS counts,
        CAST([], 'Array(String)') AS names, CAST([], 'Array(UInt64)') AS buckets,
        sumIf(rows, state = 1) AS nulls, sumIf(rows, state = 2) AS nans, sumIf(rows, state = 3) AS plus_inf, sumIf(rows, state = 4) AS minus_inf,
        sumIf(total, state = 0) AS sum, sumIf(total_of_squares, state = 0) AS sum_of_squares,
        minOrNullIf(least, state = 0) AS min, maxOrNullIf(greatest, state = 0) AS max
    FROM ({_BINS})
    GROUP BY {KEY}, column
"""

_VALUES = f"""
    SELECT {KEY}, one.1 AS column, isNull(one.2) AS is_null, ifNull(one.2, '') AS name, count() AS rows
    FROM (SELECT {KEY}, arrayJoin({_CATEGORIES}) AS one FROM sliced)
    GROUP BY {KEY}, column, is_null, name
"""

# By name stand the listed values, else the short ones of the smallest hashes; everything else goes into its bucket.
_CATEGORICAL = f"""
    SELECT {KEY}, column, 'categorical' AS column_kind, toUInt8(0) AS precision,
        has({{listed:Array(String)}}, column) AS by_list,
        groupArrayIf((name, rows), NOT is_null) AS found,
        arrayFilter(one -> if(by_list, has({{lists:Array(Array(String))}}[indexOf({{listed:Array(String)}}, column)], one.1),
                              lengthUTF8(one.1) <= {MAX_NAME_LENGTH}), found) AS candidates,
        if(by_list, candidates, arraySlice(arraySort(one -> xxHash64(one.1), candidates), 1, {MAX_NAMES})) AS named,
        arraySort(named) AS ordered,
        arrayFilter(one -> NOT has(arrayMap(kept -> kept.1, named), one.1), found) AS unnamed,
        CAST([], 'Array(Float64)') AS bins, arrayMap(one -> one.2, ordered) AS counts, arrayMap(one -> one.1, ordered) AS names,
        if(empty(unnamed), [], arrayMap(bucket -> arraySum(one -> if(xxHash64(one.1) % {BUCKETS} = bucket, one.2, 0), unnamed), range({BUCKETS}))) AS buckets,
        sumIf(rows, is_null) AS nulls, toUInt64(0) AS nans, toUInt64(0) AS plus_inf, toUInt64(0) AS minus_inf, 0. AS sum, 0. AS sum_of_squares,
        CAST(NULL, 'Nullable(Float64)') AS min, CAST(NULL, 'Nullable(Float64)') AS max
    FROM ({_VALUES})
    GROUP BY {KEY}, column
"""

_FIGURES = "precision, bins, counts, names, buckets, nulls, nans, plus_inf, minus_inf, sum, sum_of_squares, min, max"
_NO_FIGURES = """
    [] AS bins, [] AS counts, [] AS names, [] AS buckets, 0 AS nulls, 0 AS nans, 0 AS plus_inf, 0 AS minus_inf,
    0. AS sum, 0. AS sum_of_squares, CAST(NULL, 'Nullable(Float64)') AS min, CAST(NULL, 'Nullable(Float64)') AS max
"""

_COUNTED = f"""
    SELECT {KEY}, '@events' AS column, 'events' AS column_kind, count() AS events, countIf(status != 'ok') AS errors, countIf(notEmpty(warnings)) AS warnings,
        min(toUnixTimestamp64Micro(event_time)) AS earliest, max(toUnixTimestamp64Micro(event_time)) AS latest, toUInt8(0) AS precision, {_NO_FIGURES}
    FROM sliced
    GROUP BY {KEY}
"""

# A feature that the contract names stands in every sketch, also where no event carried it.
_SENT = f"""
    SELECT DISTINCT {KEY}, sent.1 AS column, sent.2 AS column_kind, 0 AS events, 0 AS errors, 0 AS warnings,
        CAST(NULL, 'Nullable(Int64)') AS earliest, CAST(NULL, 'Nullable(Int64)') AS latest,
        if(column_kind = 'numeric', {{precisions:Array(UInt8)}}[indexOf({{precise:Array(String)}}, column)], toUInt8(0)) AS precision, {_NO_FIGURES}
    FROM sliced
    ARRAY JOIN {{sent:Array(Tuple(String, String))}} AS sent
"""


def _carried(part: str) -> str:
    return f"""SELECT {KEY}, column, column_kind, 0 AS events, 0 AS errors, 0 AS warnings, NULL AS earliest, NULL AS latest, {_FIGURES}
        FROM ({part})"""


# Columns as in table sketches, but `start`, `earliest` and `latest` in microseconds, `names` for `values`; sorted arrays.
ROW_SKETCHES = f"""
    WITH sliced AS (SELECT *, arrayJoin({_SLICES}) AS slice FROM ({_EVENTS}))
    SELECT {KEY}, column, column_kind,
        toInt64(sum(u.events)) AS events, toInt64(sum(u.errors)) AS errors, toInt64(sum(u.warnings)) AS warnings,
        max(u.earliest) AS earliest, max(u.latest) AS latest, max(u.precision) AS precision,
        groupArrayArray(u.bins) AS bins, CAST(groupArrayArray(u.counts), 'Array(Int64)') AS counts,
        groupArrayArray(u.names) AS names, CAST(groupArrayArray(u.buckets), 'Array(Int64)') AS buckets,
        toInt64(sum(u.nulls)) AS nulls, toInt64(sum(u.nans)) AS nans, toInt64(sum(u.plus_inf)) AS plus_inf, toInt64(sum(u.minus_inf)) AS minus_inf,
        sum(u.sum) AS sum, sum(u.sum_of_squares) AS sum_of_squares, max(u.min) AS min, max(u.max) AS max
    FROM ({_COUNTED} UNION ALL {_SENT} UNION ALL {_carried(_NUMERIC)} UNION ALL {_carried(_CATEGORICAL)}) AS u
    GROUP BY {KEY}, column, column_kind
"""
