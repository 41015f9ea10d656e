CREATE TABLE IF NOT EXISTS quality{on_cluster}
(
    `model` LowCardinality(String) COMMENT 'model name',
    `model_version` LowCardinality(String) COMMENT 'version that answered',
    `environment` LowCardinality(String) COMMENT 'where it ran',
    `output` LowCardinality(String) COMMENT 'output',
    `slice` LowCardinality(String) COMMENT 'slice',
    `served` Bool COMMENT 'served',
    `window_start` DateTime64(6, 'UTC') COMMENT 'start of the window of event time',
    `window_end` DateTime64(6, 'UTC') COMMENT 'its end',
    `revision` DateTime64(6, 'UTC') COMMENT 'facts appended later are not in',
    `closed` Bool COMMENT 'the window had closed',
    `provisional` Bool COMMENT 'the label horizon had not passed',
    `predictions` Int64 COMMENT 'predictions',
    `due` Int64 COMMENT 'older than the horizon',
    `labelled` Int64 COMMENT 'with a truth',
    `void` Int64 COMMENT 'truth will never come',
    `coverage` Nullable(Float64) COMMENT 'labelled / (due - void); provisional: labelled / predictions',
    `confusion` Array(Tuple(truth String, decision String, count Int64)) COMMENT 'counts per pair',
    `score_histograms` Array(Tuple(truth String, bins Array(Float64), counts Array(Int64))) COMMENT 'scores per true class',
    `sums` Map(String, Float64) COMMENT 'sums over labelled predictions',
    `metrics` Map(String, Float64) COMMENT 'figures',
    `lags` Map(String, Float64) COMMENT 'seconds',
    `contract` LowCardinality(String) COMMENT 'digest of the contract',
    `_topic_id` LowCardinality(String) COMMENT 'Kafka topic UUID: a recreated topic starts a new sequence',
    `_partition` UInt32 COMMENT 'Kafka partition',
    `_offset` UInt64 COMMENT 'Kafka offset' CODEC(Delta, ZSTD),
    `_row` UInt32 COMMENT 'which row of its message this is, from 0',
    `_rows` UInt32 COMMENT 'how many rows its message makes',
    `_appended_at` DateTime64(6, 'UTC') COMMENT 'broker append time' CODEC(Delta, ZSTD),
    `_recorded_at` DateTime64(6, 'UTC') COMMENT 'when the row reached ClickHouse; operational only' CODEC(Delta, ZSTD),
    `_version` UInt128 MATERIALIZED bitNot(bitOr(bitShiftLeft(toUInt128(toUnixTimestamp64Milli(`_appended_at`)), 80), bitOr(bitShiftLeft(toUInt128(`_partition`), 64), toUInt128(`_offset`)))) COMMENT 'descends in (append time, partition, offset): the first arrival wins',
    INDEX offset_minmax `_offset` TYPE minmax GRANULARITY 1
)
ENGINE = {replicated}ReplacingMergeTree(`_version`)
ORDER BY (model, environment, model_version, output, slice, served, window_start, window_end, revision)
SETTINGS index_granularity = 8192
COMMENT 'Every revision of the quality of every window'
