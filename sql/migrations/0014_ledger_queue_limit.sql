ALTER TABLE ledger{on_cluster}
    ADD COLUMN IF NOT EXISTS `queue_limit` Nullable(Int64) COMMENT 'events that may wait unsent in the process; NULL: not stated' AFTER `closing`,
    COMMENT COLUMN `spooled` 'ever written to the spool',
    COMMENT COLUMN `replayed` 'delivered from the spool by this process, whichever producer had written it there',
    COMMENT COLUMN `failed` 'refused by Kafka, or not acknowledged in time'
