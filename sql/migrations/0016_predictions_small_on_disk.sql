ALTER TABLE predictions{on_cluster}
    (
        MODIFY TTL
            toDateTime(event_time) + toIntervalDay(retention_days) DELETE WHERE retention_days > 0,
            toDateTime(`_recorded_at`) + toIntervalHour(1) RECOMPRESS CODEC(ZSTD(3))
    ),
    (MODIFY SETTING default_compression_codec = 'ZSTD(1)', auto_statistics_types = '')
    SETTINGS materialize_ttl_after_modify = 0
