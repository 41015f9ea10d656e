CREATE TABLE IF NOT EXISTS predictions{on_cluster}
(
    `prediction_id` String COMMENT 'caller id or UUIDv7',
    `output` LowCardinality(String) COMMENT 'which output of a multi-output model',
    `request_id` Nullable(String) COMMENT 'the request',
    `item_index` Nullable(Int32) COMMENT 'place in its request',
    `rank` Nullable(Int32) COMMENT 'place it was shown at',
    `entity_id` Nullable(String) COMMENT 'the subject',
    `model` LowCardinality(String) COMMENT 'model name',
    `model_version` LowCardinality(String) COMMENT 'version that answered',
    `environment` LowCardinality(String) COMMENT 'where it ran',
    `served` Bool COMMENT 'false for shadow traffic nobody saw',
    `event_time` DateTime64(6, 'UTC') COMMENT 'when the prediction was made, UTC' CODEC(Delta, ZSTD),
    `target_time` Nullable(DateTime64(6, 'UTC')) COMMENT 'what moment a forecast is about',
    `numeric_features` Map(LowCardinality(String), Nullable(Float64)) COMMENT 'inputs that are numbers',
    `categorical_features` Map(LowCardinality(String), Nullable(String)) COMMENT 'inputs that are categories',
    `score` Nullable(Float64) COMMENT 'the number the model gave',
    `decision` LowCardinality(Nullable(String)) COMMENT 'what was decided',
    `probabilities` Map(LowCardinality(String), Float64) COMMENT 'probability per class',
    `quantiles` Map(LowCardinality(String), Float64) COMMENT 'value per quantile',
    `segments` Map(LowCardinality(String), String) COMMENT 'attributes to slice by',
    `status` LowCardinality(String) COMMENT 'ok or error',
    `error` Nullable(String) COMMENT 'class of the failure',
    `latency_ms` Nullable(Float64) COMMENT 'milliseconds the model took',
    `sampling_rate` Float64 COMMENT 'probability of having been kept',
    `trace_id` Nullable(String) COMMENT 'W3C trace id',
    `span_id` Nullable(String) COMMENT 'W3C span id',
    `producer_id` Nullable(String) COMMENT 'producer process',
    `sequence` Nullable(Int64) COMMENT 'its counter',
    `known_at` DateTime64(6, 'UTC') COMMENT 'when we knew: append time, or stated by a bulk load' CODEC(Delta, ZSTD),
    `backfilled` Bool COMMENT 'known_at was stated by a bulk load',
    `retention_days` UInt32 COMMENT 'from the contract; 0 for ever',
    `contract` LowCardinality(String) COMMENT 'digest of the contract in effect; empty for none',
    `warnings` Array(LowCardinality(String)) COMMENT 'what broke the contract and was kept',
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
PARTITION BY (retention_days, toDate(event_time))
ORDER BY (model, environment, toStartOfHour(event_time), prediction_id, output, model_version, event_time)
TTL toDateTime(event_time) + toIntervalDay(retention_days) DELETE WHERE retention_days > 0
SETTINGS ttl_only_drop_parts = 1, min_age_to_force_merge_seconds = 3600, min_age_to_force_merge_on_partition_only = 1, index_granularity = 8192
COMMENT 'Every prediction; read it through predictions_v, which is exactly once'
