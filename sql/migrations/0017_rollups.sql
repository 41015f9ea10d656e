CREATE TABLE IF NOT EXISTS rollups{on_cluster}
(
    `model` LowCardinality(String) COMMENT 'model name',
    `model_version` LowCardinality(String) COMMENT 'version that answered',
    `environment` LowCardinality(String) COMMENT 'where it ran',
    `served` Bool COMMENT 'false: shadow traffic',
    `sampling_rate` Float64 COMMENT 'rates are never mixed',
    `shape` LowCardinality(String) COMMENT 'digest of the shape of the contract',
    `slice` LowCardinality(String) COMMENT 'empty for the whole, else name=value',
    `width` UInt32 COMMENT 'seconds: 3600 or 86400',
    `window_start` DateTime64(6, 'UTC') COMMENT 'start of the hour or day' CODEC(Delta, ZSTD),
    `window_end` DateTime64(6, 'UTC') COMMENT 'its end' CODEC(Delta, ZSTD),
    `column` LowCardinality(String) COMMENT 'feature or pseudo-column; @events always exists',
    `column_kind` Enum8('events' = 1, 'numeric' = 2, 'categorical' = 3) COMMENT 'which of the following are set',
    `events` Int64 COMMENT '@events only: events',
    `errors` Int64 COMMENT '@events only: status not ok',
    `warnings` Int64 COMMENT '@events only: broke the contract and were kept',
    `min_event_time` Nullable(DateTime64(6, 'UTC')) COMMENT '@events only',
    `max_event_time` Nullable(DateTime64(6, 'UTC')) COMMENT '@events only',
    `precision` UInt8 COMMENT 'significant bits of the bins',
    `bins` Array(Float64) COMMENT 'bins in rising order' CODEC(ZSTD),
    `counts` Array(Int64) COMMENT 'count per bin or value' CODEC(ZSTD),
    `values` Array(String) COMMENT 'categorical: values by name' CODEC(ZSTD),
    `buckets` Array(Int64) COMMENT 'categorical: all others in 64 hash buckets' CODEC(ZSTD),
    `nulls` Int64 COMMENT 'nulls',
    `nans` Int64 COMMENT 'NaNs',
    `plus_inf` Int64 COMMENT 'positive infinities',
    `minus_inf` Int64 COMMENT 'negative infinities',
    `absent` Int64 COMMENT 'events that did not carry the column',
    `sum` Float64 COMMENT 'sum of finite values',
    `sum_of_squares` Float64 COMMENT 'sum of their squares',
    `min` Nullable(Float64) COMMENT 'least',
    `max` Nullable(Float64) COMMENT 'greatest',
    `degraded` Bool COMMENT 'coarsened by the safety valve',
    `up_to` Map(String, UInt64) COMMENT 'offset per partition of sketches, named <topic id>/<partition>, before which all is counted' CODEC(ZSTD),
    `_rolled_at` DateTime64(6, 'UTC') COMMENT 'when it was made; the newest counts' CODEC(Delta, ZSTD)
)
ENGINE = {replicated}ReplacingMergeTree(`_rolled_at`)
PARTITION BY toStartOfMonth(window_start)
ORDER BY (model, environment, column, slice, width, window_start, model_version, served, sampling_rate, shape, column_kind)
SETTINGS index_granularity = 1024
COMMENT 'Merged sketches of whole hours and days, made of base windows that have closed'
