CREATE TABLE IF NOT EXISTS contracts{on_cluster}
(
    `model` LowCardinality(String) COMMENT 'model name',
    `environment` Nullable(String) COMMENT 'null: every environment',
    `body` String COMMENT 'canonical JSON',
    `digest` String COMMENT 'SHA-256 of body',
    `shape` LowCardinality(String) COMMENT 'digest of what a sketch depends on',
    `effective_from` DateTime64(6, 'UTC') COMMENT 'wished start',
    `lead_ms` UInt64 COMMENT 'earliest effect after the append time, milliseconds',
    `in_effect_from` DateTime64(6, 'UTC') COMMENT 'max(effective_from, append time + lead): applies to events appended at or after',
    `reference` Nullable(String) COMMENT 'digest its reference sketches carry',
    `actor` Nullable(String) COMMENT 'who published',
    `reason` Nullable(String) COMMENT 'why',
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
ORDER BY (model, in_effect_from, `_topic_id`, `_partition`, `_offset`, `_row`)
SETTINGS index_granularity = 8192
COMMENT 'Every published contract'
