CREATE TABLE IF NOT EXISTS labels{on_cluster}
(
    `label_id` String COMMENT 'the fact',
    `prediction_id` String COMMENT 'the prediction it is about',
    `output` LowCardinality(String) COMMENT 'output',
    `model` LowCardinality(String) COMMENT 'model name',
    `kind` Enum8('truth' = 1, 'correction' = 2, 'retraction' = 3, 'void' = 4) COMMENT 'in rising order for facts of one reported_at',
    `truth` Nullable(String) COMMENT 'true class',
    `truth_value` Nullable(Float64) COMMENT 'true number',
    `true_at` Nullable(DateTime64(6, 'UTC')) COMMENT 'when it became true',
    `reported_at` DateTime64(6, 'UTC') COMMENT 'when the source told us; orders facts',
    `predicted_at` Nullable(DateTime64(6, 'UTC')) COMMENT 'hint: event time of the prediction',
    `model_version` Nullable(String) COMMENT 'null: every version',
    `environment` Nullable(String) COMMENT 'null: every environment',
    `source` Nullable(String) COMMENT 'who says so',
    `producer_id` Nullable(String) COMMENT 'producer process',
    `sequence` Nullable(Int64) COMMENT 'its counter',
    `known_at` DateTime64(6, 'UTC') COMMENT 'when we knew',
    `backfilled` Bool COMMENT 'known_at was stated by a bulk load',
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
ORDER BY (model, prediction_id, output, reported_at, label_id)
SETTINGS index_granularity_bytes = 10485760, index_granularity = 8192
COMMENT 'Every label fact'
