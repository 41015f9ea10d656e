-- feature_windows: what went in and came out per base window: sketches of all source partitions merged, the newest total plus
-- the deltas after it. One row per model, version, environment, served, sampling rate, shape, slice, window, column and kind; the
-- pseudo-column @events counts events and always exists. A null whose sender gave it no kind is counted as numeric, whatever the
-- column's values are: a column's nulls are those of both kinds. Counts as streamed until a total replaces them: where no contract
-- names a column, a flush none of whose events carried it has no row of it, so that absent leaves those events out. Of all the
-- events of a period n + nulls carried the column, and events of @events less these did not.
-- A total's up_to has keys '<topic id>/<partition>'. Histograms that the safety valve coarsened are merged at the least precision. Quantiles: hindcast_midpoint(bin, precision).
-- example: SELECT window_start, mean, bins, counts FROM feature_windows WHERE model = 'flights' AND column = 'distance' AND slice = '' AND served
CREATE OR REPLACE VIEW feature_windows{on_cluster}
(
    `model` LowCardinality(String) COMMENT 'model name',
    `model_version` LowCardinality(String) COMMENT 'version that answered',
    `environment` LowCardinality(String) COMMENT 'where it ran',
    `served` Bool COMMENT 'false: shadow traffic',
    `sampling_rate` Float64 COMMENT 'probability with which events were kept',
    `shape` LowCardinality(String) COMMENT 'digest of the shape of the contract',
    `slice` LowCardinality(String) COMMENT 'empty for the whole, else name=value',
    `window_start` DateTime64(6, 'UTC') COMMENT 'start of the base window, UTC',
    `window_end` DateTime64(6, 'UTC') COMMENT 'its end, exclusive, UTC',
    `column` LowCardinality(String) COMMENT 'feature or pseudo-column',
    `column_kind` Enum8('events' = 1, 'numeric' = 2, 'categorical' = 3) COMMENT 'events, numeric or categorical',
    `n` Int64 COMMENT 'values that are neither null nor absent, NaN and infinities included',
    `events` Int64 COMMENT '@events: events',
    `errors` Int64 COMMENT '@events: status not ok',
    `warnings` Int64 COMMENT '@events: broke the contract and were kept',
    `min_event_time` Nullable(DateTime64(6, 'UTC')) COMMENT '@events: earliest, UTC',
    `max_event_time` Nullable(DateTime64(6, 'UTC')) COMMENT '@events: latest, UTC',
    `precision` UInt8 COMMENT 'numeric: significant bits of the bins',
    `bins` Array(Float64) COMMENT 'numeric: bins in rising order',
    `counts` Array(Int64) COMMENT 'numeric: count per bin; categorical: count per value',
    `values` Array(String) COMMENT 'categorical: values by name',
    `buckets` Array(Int64) COMMENT 'categorical: all others in 64 hash buckets',
    `nulls` Int64 COMMENT 'nulls',
    `nans` Int64 COMMENT 'NaNs',
    `plus_inf` Int64 COMMENT 'positive infinities',
    `minus_inf` Int64 COMMENT 'negative infinities',
    `absent` Int64 COMMENT 'events that did not carry the column, of the flushes that have it',
    `finite` Int64 COMMENT 'numeric: finite values',
    `sum` Float64 COMMENT 'of finite values',
    `sum_of_squares` Float64 COMMENT 'of finite values',
    `mean` Nullable(Float64) COMMENT 'of finite values, exact sums',
    `deviation` Nullable(Float64) COMMENT 'population standard deviation of finite values',
    `min` Nullable(Float64) COMMENT 'least finite value',
    `max` Nullable(Float64) COMMENT 'greatest finite value',
    `degraded` Bool COMMENT 'coarsened by the safety valve'
)
AS
WITH
totals AS
(
    SELECT
        model, environment, `column`, column_kind, slice, window_start, window_end, model_version, served, sampling_rate, shape,
        max((_appended_at, _partition, _offset)) AS newest,
        argMax(tuple(up_to), (_appended_at, _partition, _offset)).1 AS counted_to
    FROM sketches FINAL
    WHERE kind = 'total'
    GROUP BY model, environment, `column`, column_kind, slice, window_start, window_end, model_version, served, sampling_rate, shape
),
counted AS
(
    SELECT s.*
    FROM (SELECT * FROM sketches FINAL WHERE kind != 'reference') AS s
    LEFT ANY JOIN totals AS t USING (model, environment, `column`, column_kind, slice, window_start, window_end, model_version, served, sampling_rate, shape)
    WHERE if(
        s.kind = 'total',
        (s._appended_at, s._partition, s._offset) = t.newest,
        s.first_offset >= t.counted_to[concat(s.topic_id, '/', toString(s.source_partition))]
    )
),
merged AS
(
    SELECT
        model, environment, `column`, slice, window_start, window_end, model_version, served, sampling_rate, shape,
        c.column_kind AS column_kind,
        sum(c.events) AS events,
        sum(c.errors) AS errors,
        sum(c.warnings) AS warnings,
        min(c.min_event_time) AS min_event_time,
        max(c.max_event_time) AS max_event_time,
        min(c.precision) AS precision,
        sumMapIf(c.bins, c.counts, column_kind = 'numeric') AS numeric,
        sumMapIf(c.values, c.counts, column_kind = 'categorical') AS categorical,
        sumForEach(c.buckets) AS buckets,
        sum(c.nulls) AS nulls,
        sum(c.nans) AS nans,
        sum(c.plus_inf) AS plus_inf,
        sum(c.minus_inf) AS minus_inf,
        sum(c.absent) AS absent,
        sum(c.sum) AS sum,
        sum(c.sum_of_squares) AS sum_of_squares,
        min(c.min) AS min,
        max(c.max) AS max,
        max(c.degraded) AS degraded
    FROM counted AS c
    GROUP BY model, environment, `column`, slice, window_start, window_end, model_version, served, sampling_rate, shape, column_kind
),
binned AS
(
    SELECT
        *,
        if(
            degraded,
            arrayReduce('sumMap', [arrayMap(bin -> hindcast_bin(bin, precision), numeric.1)], [numeric.2]),
            numeric
        ) AS histogram,
        arraySum(numeric.2) AS finite,
        sum_of_squares / finite AS mean_square,
        assumeNotNull(min) AS least_value,
        assumeNotNull(max) AS greatest_value,
        greatest_value / 2 - least_value / 2 AS half_range,
        greatest(abs(least_value), abs(greatest_value), 2.2250738585072014e-308) AS scale,
        arrayMap(bin -> least(greatest(hindcast_midpoint(bin, precision), least_value), greatest_value) / scale, histogram.1) AS scaled,
        arraySum(arrayMap((x, c) -> x * c, scaled, histogram.2)) / finite AS centre
    FROM merged
)
SELECT
    model, model_version, environment, served, sampling_rate, shape, slice, window_start, window_end, `column`, column_kind,
    finite + nans + plus_inf + minus_inf + arraySum(categorical.2) + arraySum(buckets) AS n,
    events, errors, warnings, min_event_time, max_event_time, precision,
    histogram.1 AS bins,
    if(column_kind = 'categorical', categorical.2, histogram.2) AS counts,
    categorical.1 AS values,
    buckets, nulls, nans, plus_inf, minus_inf, absent,
    finite,
    sum, sum_of_squares,
    hindcast_ratio(sum, finite) AS mean,
    -- from the sums, from the bins only where squares overflow or vanish, within what numbers of this range can have: NumericSketch.std
    if(
        finite = 0,
        NULL,
        least(
            greatest(
                if(
                    mean_square BETWEEN 2.2250738585072014e-308 AND 1.7976931348623157e308,
                    sqrt(greatest(mean_square - mean * mean, 0)),
                    scale * sqrt(arraySum(arrayMap((x, c) -> c * pow(x - centre, 2), scaled, histogram.2)) / finite)
                ),
                half_range * sqrt(2 / finite)
            ),
            half_range
        )
    ) AS deviation,
    min, max, degraded
FROM binned
COMMENT 'Merged sketches per window and column'
