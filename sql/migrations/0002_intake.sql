CREATE TABLE IF NOT EXISTS intake{on_cluster}
(
    `model` LowCardinality(String) COMMENT 'model name; empty where undecodable',
    `model_version` LowCardinality(String) COMMENT 'version',
    `environment` LowCardinality(String) COMMENT 'environment',
    `served` Bool COMMENT 'served',
    `window_start` DateTime64(6, 'UTC') COMMENT 'start of the base window of its event time' CODEC(Delta, ZSTD),
    `event_time` DateTime64(6, 'UTC') COMMENT 'event time' CODEC(Delta, ZSTD),
    `prediction_id` String EPHEMERAL '' COMMENT 'not stored: prediction_id_hash is made of it',
    `output` String EPHEMERAL '' COMMENT 'not stored: prediction_id_hash is made of it',
    `prediction_id_hash` UInt64 DEFAULT cityHash64(`prediction_id`, `output`) COMMENT 'cityHash64 of (prediction_id, output)',
    `producer_id` LowCardinality(String) COMMENT 'producer process; empty for none',
    `sequence` Nullable(Int64) COMMENT 'its counter' CODEC(Delta, ZSTD),
    `dead_letter` Bool COMMENT 'it became a dead letter',
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
PARTITION BY toStartOfMonth(`_appended_at`)
ORDER BY (`_topic_id`, `_partition`, `_offset`)
SETTINGS index_granularity = 8192
COMMENT 'One narrow row per message of predictions, resends included'
