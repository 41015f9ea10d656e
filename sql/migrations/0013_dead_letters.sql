CREATE TABLE IF NOT EXISTS dead_letters{on_cluster}
(
    `topic` LowCardinality(String) COMMENT 'source topic',
    `topic_id` LowCardinality(String) COMMENT 'its UUID',
    `partition` UInt32 COMMENT 'source partition',
    `offset` UInt64 COMMENT 'source offset',
    `appended_at` DateTime64(6, 'UTC') COMMENT 'source append time',
    `reason` LowCardinality(String) COMMENT 'undecodable, unknown_schema, implausible_time, contract or refused',
    `detail` String COMMENT 'what was wrong; never a payload',
    `fingerprint` LowCardinality(String) COMMENT 'hex, where there was one',
    `model` LowCardinality(String) COMMENT 'model where known',
    `key` Nullable(String) COMMENT 'key bytes',
    `value` Nullable(String) COMMENT 'value bytes',
    `headers` Array(Tuple(name String, value String)) COMMENT 'its headers',
    `replayed` Bool COMMENT 'sent back since',
    `_topic_id` LowCardinality(String) COMMENT 'Kafka topic UUID: a recreated topic starts a new sequence',
    `_partition` UInt32 COMMENT 'Kafka partition',
    `_offset` UInt64 COMMENT 'Kafka offset' CODEC(Delta, ZSTD),
    `_row` UInt32 COMMENT 'which row of its message this is, from 0',
    `_rows` UInt32 COMMENT 'how many rows its message makes',
    `_appended_at` DateTime64(6, 'UTC') COMMENT 'broker append time' CODEC(Delta, ZSTD),
    `_recorded_at` DateTime64(6, 'UTC') COMMENT 'when the row reached ClickHouse; operational only' CODEC(Delta, ZSTD),
    `_version` UInt128 MATERIALIZED bitXor(bitShiftLeft(toUInt128(NOT `replayed`), 127), bitNot(bitOr(bitShiftLeft(toUInt128(toUnixTimestamp64Milli(`_appended_at`)), 80), bitOr(bitShiftLeft(toUInt128(`_partition`), 64), toUInt128(`_offset`))))) COMMENT 'descends in (append time, partition, offset): the first arrival wins, but one marked as replayed wins over all',
    INDEX offset_minmax `_offset` TYPE minmax GRANULARITY 1
)
ENGINE = {replicated}ReplacingMergeTree(`_version`)
ORDER BY (topic_id, partition, offset)
SETTINGS index_granularity = 8192
COMMENT 'Messages that could not be recorded, with their bytes'
