CREATE TABLE IF NOT EXISTS outcomes{on_cluster}
(
    `prediction_id` String COMMENT 'prediction',
    `output` LowCardinality(String) COMMENT 'output',
    `model` LowCardinality(String) COMMENT 'model name',
    `model_version` LowCardinality(String) COMMENT 'version that answered',
    `environment` LowCardinality(String) COMMENT 'where it ran',
    `event_time` DateTime64(6, 'UTC') COMMENT 'event time',
    `served` Bool COMMENT 'served',
    `label_id` String COMMENT 'the fact',
    `kind` LowCardinality(String) COMMENT 'truth, correction, retraction or void',
    `score` Nullable(Float64) COMMENT 'what the model said',
    `decision` LowCardinality(Nullable(String)) COMMENT 'what was decided',
    `truth` Nullable(String) COMMENT 'true class',
    `truth_value` Nullable(Float64) COMMENT 'true number',
    `true_at` Nullable(DateTime64(6, 'UTC')) COMMENT 'when it became true',
    `reported_at` DateTime64(6, 'UTC') COMMENT 'when the source told',
    `known_at` DateTime64(6, 'UTC') COMMENT 'when we knew both',
    `backfilled` Bool COMMENT 'known_at was stated',
    `truth_lag_s` Nullable(Float64) COMMENT 'true_at - event_time, seconds',
    `known_lag_s` Float64 COMMENT 'known_at - event_time, seconds',
    `contract` LowCardinality(String) COMMENT 'digest of the contract of the prediction; empty for none',
    `ambiguous` Bool COMMENT 'several predictions had this id',
    `label_topic_id` LowCardinality(String) COMMENT 'topic UUID of the fact',
    `label_partition` UInt32 COMMENT 'its partition',
    `label_offset` UInt64 COMMENT 'its offset',
    `label_appended_at` DateTime64(6, 'UTC') COMMENT 'when the broker appended the fact',
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
PARTITION BY toStartOfMonth(event_time)
ORDER BY (model, environment, toStartOfHour(event_time), prediction_id, output, model_version, event_time, label_id)
SETTINGS index_granularity = 8192
COMMENT 'A prediction beside one label fact about it'
