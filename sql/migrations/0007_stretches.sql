CREATE TABLE IF NOT EXISTS stretches{on_cluster}
(
    `topic_id` LowCardinality(String) COMMENT 'topic UUID of the predictions read',
    `source_partition` Int32 COMMENT 'their partition',
    `first_offset` Int64 COMMENT 'first offset',
    `next_offset` Int64 COMMENT 'offset after the last',
    `events` Int64 COMMENT 'events profiled',
    `dead_letters` Int64 COMMENT 'messages left to dead letters',
    `max_event_time` Nullable(DateTime64(6, 'UTC')) COMMENT 'greatest event time of events not backfilled, capped at append time',
    `newest_append_time` Nullable(DateTime64(6, 'UTC')) COMMENT 'greatest append time',
    `reached_end` Bool COMMENT 'the end of the log was reached',
    `profiler_id` LowCardinality(String) COMMENT 'role and slot',
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
ORDER BY (`_topic_id`, `_partition`, topic_id, source_partition, first_offset, `_offset`)
SETTINGS index_granularity = 8192
COMMENT 'What profilers have read; each stands once per partition of sketches'
