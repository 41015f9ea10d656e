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
        toUnixTimestamp64Micro(event_time) AS at, at - positiveModulo(at, {base:Int64}) AS start, status != 'ok' AS failed, notEmpty(warnings) AS warned,
        numeric_features, categorical_features, segments, probabilities, score, latency_ms, decision
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

# What a row adds to: (column, its kind, bits of its bins, number, category, whether it is there). Every row is an event, and a feature that the contract
# names stands in every sketch, also where no event carried it.
_ENTRIES = f"""
    arrayConcat(
        [('@events', 'events', toUInt8(0), CAST(NULL, 'Nullable(Float64)'), CAST(NULL, 'Nullable(String)'), true)],
        arrayMap((name, value) -> ({_COLUMN}, 'numeric',
            if(has({{precise:Array(String)}}, name), {{precisions:Array(UInt8)}}[indexOf({{precise:Array(String)}}, name)], {{default_precision:UInt8}}),
            value, NULL, true), mapKeys(numeric_features), mapValues(numeric_features)),
        arrayMap((name, value) -> (concat('{PROBABILITY}', name), 'numeric', {{score_precision:UInt8}}, value, NULL, true),
            mapKeys(probabilities), mapValues(probabilities)),
        if(isNull(score), [], [('{SCORE}', 'numeric', {{score_precision:UInt8}}, score, NULL, true)]),
        if(isNull(latency_ms), [], [('{LATENCY}', 'numeric', {{default_precision:UInt8}}, latency_ms, NULL, true)]),
        arrayMap((name, value) -> ({_COLUMN}, 'categorical', toUInt8(0), NULL, value, true),
            mapKeys(categorical_features), mapValues(categorical_features)),
        if(isNull(decision), [], [('{DECISION}', 'categorical', toUInt8(0), NULL, decision, true)]),
        arrayMap(sent -> (sent.2, sent.3, sent.4, NULL, NULL, false), arrayFilter(
            sent -> NOT if(sent.3 = 'numeric', mapContains(numeric_features, sent.1), mapContains(categorical_features, sent.1)),
            {{sent:Array(Tuple(String, String, String, UInt8))}}))
    )
"""

# nulls, NaN and infinities are states 1 to 4 beside the bins and names; 5 is a column that is absent
_VALUES = f"""
    SELECT {KEY}, at, failed, warned, entry.1 AS column, entry.2 AS column_kind, entry.3 AS bits,
        multiIf(NOT entry.6, 5, column_kind = 'events', 0, column_kind = 'categorical', isNull(entry.5),
                isNull(entry.4), 1, isNaN(entry.4), 2, entry.4 = inf, 3, entry.4 = -inf, 4, 0) AS state,
        if(state = 0 AND column_kind = 'numeric', assumeNotNull(entry.4), 0.) AS value,
        hindcast_bin(value, bits) AS bin,
        if(state = 0 AND column_kind = 'categorical', assumeNotNull(entry.5), '') AS name
    FROM (SELECT {KEY}, at, failed, warned, arrayJoin(entries) AS entry
          FROM (SELECT *, {_ENTRIES} AS entries, arrayJoin({_SLICES}) AS slice FROM ({_EVENTS})))
"""

_COUNTED = f"""
    SELECT {KEY}, column, column_kind, bits, state, bin, name, count() AS rows, sum(value) AS total, sum(value * value) AS total_of_squares,
        min(value) AS least, max(value) AS greatest, sum(failed) AS errors, sum(warned) AS warnings, min(at) AS earliest, max(at) AS latest
    FROM ({_VALUES})
    GROUP BY {KEY}, column, column_kind, bits, state, bin, name
"""

# By name stand the listed categories, else the short ones of the smallest hashes: those up to the `last_hash`.
_GATHERED = f"""
    SELECT {KEY}, column, column_kind, any(bits) AS precision,
        arraySort(groupArrayIf((bin, name, rows), state = 0)) AS found,
        {{lists:Array(Array(String))}}[indexOf({{listed:Array(String)}}, column)] AS list,
        arraySort(arrayMap(one -> xxHash64(one.2), arrayFilter(one -> lengthUTF8(one.2) <= {MAX_NAME_LENGTH}, found))) AS short_hashes,
        short_hashes[least({MAX_NAMES}, length(short_hashes))] AS last_hash,
        arrayMap(one -> if(has({{listed:Array(String)}}, column), has(list, one.2),
                           lengthUTF8(one.2) <= {MAX_NAME_LENGTH} AND xxHash64(one.2) <= last_hash), found) AS kept,
        sumIf(rows, state = 0) AS values, sumIf(rows, state = 1) AS nulls, sumIf(rows, state = 2) AS nans,
        sumIf(rows, state = 3) AS plus_inf, sumIf(rows, state = 4) AS minus_inf, sumIf(total, state = 0) AS sum,
        sumIf(total_of_squares, state = 0) AS sum_of_squares, minOrNullIf(least, state = 0) AS min, maxOrNullIf(greatest, state = 0) AS max,
        sum(errors) AS all_errors, sum(warnings) AS all_warnings, min(earliest) AS first_at, max(latest) AS last_at
    FROM ({_COUNTED})
    GROUP BY {KEY}, column, column_kind
"""

_BUCKETS = f"""arrayReduce('sumMap', [arrayMap(one -> toUInt8(xxHash64(one.2) % {BUCKETS}), unnamed)], [arrayMap(one -> toInt64(one.3), unnamed)])"""

# Columns as in table sketches, but `start`, `earliest` and `latest` in microseconds, `names` for `values`; sorted arrays. `absent`: the events
# of the sketch that did not carry the column.
ROW_SKETCHES = f"""
    SELECT {KEY}, column, column_kind,
        toInt64(if(column_kind = 'events', values, 0)) AS events,
        toInt64(if(column_kind = 'events', all_errors, 0)) AS errors, toInt64(if(column_kind = 'events', all_warnings, 0)) AS warnings,
        if(column_kind = 'events', first_at, NULL) AS earliest, if(column_kind = 'events', last_at, NULL) AS latest, precision,
        if(column_kind = 'numeric', arrayMap(one -> one.1, found), []) AS bins,
        if(column_kind = 'categorical', arrayFilter((one, keep) -> keep, found, kept), []) AS named,
        if(column_kind = 'categorical', arrayFilter((one, keep) -> NOT keep, found, kept), []) AS unnamed,
        arrayMap(one -> toInt64(one.3), if(column_kind = 'numeric', found, named)) AS counts, arrayMap(one -> one.2, named) AS names,
        {_BUCKETS} AS held, if(empty(unnamed), [], arrayMap(bucket -> held.2[indexOf(held.1, bucket)], range({BUCKETS}))) AS buckets,
        toInt64(nulls) AS nulls, toInt64(nans) AS nans, toInt64(plus_inf) AS plus_inf, toInt64(minus_inf) AS minus_inf,
        toInt64(if(column_kind = 'events', 0, max(events) OVER (PARTITION BY {KEY}) - values - nulls - nans - plus_inf - minus_inf)) AS absent,
        sum, sum_of_squares, if(column_kind = 'numeric', min, NULL) AS min, if(column_kind = 'numeric', max, NULL) AS max
    FROM ({_GATHERED})
"""
