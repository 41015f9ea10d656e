CREATE TABLE IF NOT EXISTS ledger{on_cluster}
(
    `producer_id` String COMMENT 'producer process',
    `model` LowCardinality(String) COMMENT 'model',
    `environment` LowCardinality(String) COMMENT 'environment',
    `stream` LowCardinality(String) COMMENT 'predictions, labels or deployments',
    `hour` DateTime64(6, 'UTC') COMMENT 'hour of event time',
    `accepted` Int64 COMMENT 'taken from the caller',
    `delivered` Int64 COMMENT 'acknowledged by Kafka',
    `spooled` Int64 COMMENT 'in the spool',
    `replayed` Int64 COMMENT 'sent from the spool',
    `dropped` Map(String, Int64) COMMENT 'given up, by reason',
    `failed` Int64 COMMENT 'refused by Kafka',
    `first_sequence` Nullable(Int64) COMMENT 'least sequence',
    `last_sequence` Nullable(Int64) COMMENT 'greatest',
    `sent_at` DateTime64(6, 'UTC') COMMENT 'when written',
    `closing` Bool COMMENT 'the producer ended cleanly',
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
ORDER BY (producer_id, model, environment, stream, hour, `_topic_id`, `_partition`, `_offset`, `_row`)
SETTINGS index_granularity = 8192
COMMENT 'Producers own counts, cumulative: the newest per key counts'
