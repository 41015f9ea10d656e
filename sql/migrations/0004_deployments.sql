CREATE TABLE IF NOT EXISTS deployments{on_cluster}
(
    `model` LowCardinality(String) COMMENT 'model name',
    `model_version` LowCardinality(String) COMMENT 'version that answered',
    `environment` LowCardinality(String) COMMENT 'where it ran',
    `role` LowCardinality(String) COMMENT 'champion, challenger, shadow or retired',
    `traffic_share` Nullable(Float64) COMMENT 'share of traffic, 0 to 1',
    `valid_from` DateTime64(6, 'UTC') COMMENT 'from when',
    `artifact_uri` Nullable(String) COMMENT 'file of the model',
    `artifact_digest` Nullable(String) COMMENT 'its digest',
    `code_revision` Nullable(String) COMMENT 'code that built it',
    `training_data_uri` Nullable(String) COMMENT 'training data',
    `training_data_digest` Nullable(String) COMMENT 'its digest',
    `training_run` Nullable(String) COMMENT 'training run',
    `parameters` Map(String, String) COMMENT 'training parameters',
    `approved_by` Nullable(String) COMMENT 'who approved',
    `actor` Nullable(String) COMMENT 'who did it',
    `reason` Nullable(String) COMMENT 'why',
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
ORDER BY (model, environment, valid_from, `_topic_id`, `_partition`, `_offset`, `_row`)
SETTINGS index_granularity = 8192
COMMENT 'Which version took or left which role, and when'
