ALTER TABLE intake{on_cluster}
    ADD COLUMN IF NOT EXISTS `retention_days` UInt32 COMMENT 'days after its event time that its row in predictions is kept; 0: for ever, or not known, as of what was recorded before this column was there' CODEC(ZSTD) AFTER `dead_letter`
