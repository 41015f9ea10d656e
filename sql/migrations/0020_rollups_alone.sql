ALTER TABLE rollups{on_cluster}
    ADD COLUMN IF NOT EXISTS `alone` Bool DEFAULT false COMMENT 'its base windows have expired: what it counts is counted nowhere else',
    ADD COLUMN IF NOT EXISTS `_topic_id` LowCardinality(String) DEFAULT '' COMMENT 'always empty: a roll-up is made here, and no message',
    ADD COLUMN IF NOT EXISTS `_recorded_at` DateTime64(6, 'UTC') DEFAULT `_rolled_at` COMMENT 'when the row reached ClickHouse; operational only'
