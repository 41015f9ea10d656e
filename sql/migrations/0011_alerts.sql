CREATE TABLE IF NOT EXISTS alerts{on_cluster}
(
    `alert_id` String COMMENT 'digest of identity and started_at',
    `model` LowCardinality(String) COMMENT 'model name',
    `model_version` LowCardinality(String) COMMENT 'version that answered',
    `environment` LowCardinality(String) COMMENT 'where it ran',
    `served` Bool COMMENT 'served',
    `kind` LowCardinality(String) COMMENT 'statistical or operational',
    `metric` LowCardinality(String) COMMENT 'drift, quality, silence, volume, errors, latency, lag',
    `reference` LowCardinality(String) COMMENT 'reference',
    `column` LowCardinality(String) COMMENT 'column',
    `slice` LowCardinality(String) COMMENT 'slice',
    `state` LowCardinality(String) COMMENT 'firing, resolved or withdrawn; the last row of an alert_id (by _offset) tells how it stands',
    `severity` LowCardinality(String) COMMENT 'warn or severe',
    `started_at` DateTime64(6, 'UTC') COMMENT 'start of the first window',
    `window_start` DateTime64(6, 'UTC') COMMENT 'window behind it',
    `window_end` DateTime64(6, 'UTC') COMMENT 'its end',
    `revision` Int64 COMMENT 'revision of the verdict',
    `owner` Nullable(String) COMMENT 'owner of the model',
    `summary` String COMMENT 'one sentence',
    `evidence` Map(String, Float64) COMMENT 'figures',
    `link` Nullable(String) COMMENT 'a page that shows it',
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
ORDER BY (model, environment, model_version, served, reference, metric, column, slice, started_at, alert_id, `_topic_id`, `_partition`, `_offset`, `_row`)
SETTINGS index_granularity = 8192
COMMENT 'Alerts that began, grew worse, ended or were withdrawn'
