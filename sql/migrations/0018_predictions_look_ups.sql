ALTER TABLE predictions{on_cluster}
    ADD INDEX IF NOT EXISTS prediction_id_bloom prediction_id TYPE bloom_filter(0.001) GRANULARITY 1,
    ADD INDEX IF NOT EXISTS entity_id_bloom entity_id TYPE bloom_filter(0.001) GRANULARITY 1,
    ADD INDEX IF NOT EXISTS trace_id_bloom trace_id TYPE bloom_filter(0.001) GRANULARITY 1,
    ADD INDEX IF NOT EXISTS request_id_bloom request_id TYPE bloom_filter(0.001) GRANULARITY 1
