-- accounting: where the predictions went that producers took from their callers, per model, environment and hour of event time,
-- shadow traffic included: accepted = recorded + duplicates_removed + dead_lettered + dropped + failed + spooled + in_flight.
-- Accepted, dropped, failed and spooled are the producers' own counts (their newest ledger); recorded is counted in the rows,
-- duplicates and dead letters in what arrived. in_flight is the rest: on the way, or lost; negative while the newest ledger is older than
-- the record. resent counts deliveries of one event again (they are accepted once, so they stand outside the sum). A dead letter
-- that was replayed and recorded counts as recorded. Messages without producer id belong to no ledger and stand apart.
-- Hours older than the retention have lost their rows.
-- example: SELECT hour, accepted, recorded, in_flight FROM accounting WHERE model = 'flights' AND in_flight != 0
CREATE OR REPLACE VIEW accounting{on_cluster}
(
    `model` LowCardinality(String) COMMENT 'model name; empty: dead letters nobody can attribute',
    `environment` LowCardinality(String) COMMENT 'where it ran',
    `hour` DateTime64(6, 'UTC') COMMENT 'start of the hour of event time, UTC',
    `accepted` Int64 COMMENT 'events producers took',
    `recorded` Int64 COMMENT 'predictions in the record',
    `duplicates_removed` Int64 COMMENT 'events accepted again under an id that was recorded once',
    `dead_lettered` Int64 COMMENT 'events that became dead letters and nothing else',
    `dropped` Int64 COMMENT 'events producers gave up',
    `failed` Int64 COMMENT 'events Kafka refused',
    `spooled` Int64 COMMENT 'events in spools',
    `in_flight` Int64 COMMENT 'the rest of accepted',
    `resent` Int64 COMMENT 'deliveries of one event beyond its first',
    `without_producer` Int64 COMMENT 'predictions in the record without producer id',
    `dead_letters_without_producer` Int64 COMMENT 'dead letters without producer id'
)
AS
WITH
ledgers AS
(
    SELECT
        model, environment, hour, producer_id,
        argMax((accepted, arraySum(mapValues(dropped)), failed, spooled), (sent_at, _appended_at, _partition, _offset)) AS newest
    FROM ledger FINAL
    WHERE stream = 'predictions'
    GROUP BY model, environment, hour, producer_id
),
arrived AS
(
    SELECT
        model, environment, toStartOfHour(event_time) AS hour, producer_id, sequence,
        count() AS messages,
        min(dead_letter) AS dead,
        any((model_version, event_time, prediction_id_hash)) AS identity
    FROM intake FINAL
    WHERE producer_id != '' AND sequence IS NOT NULL
    GROUP BY model, environment, hour, producer_id, sequence
),
parts AS
(
    SELECT model, environment, hour, newest.1 AS accepted, 0 AS recorded, 0 AS duplicates, 0 AS dead, newest.2 AS dropped,
        newest.3 AS failed, newest.4 AS spooled, 0 AS resent, 0 AS without_producer, 0 AS dead_without_producer
    FROM ledgers
    UNION ALL
    SELECT model, environment, hour, 0, 0, countIf(NOT a.dead) - uniqExactIf(identity, NOT a.dead), countIf(a.dead), 0, 0, 0,
        sum(messages) - count(), 0, 0
    FROM arrived AS a
    GROUP BY model, environment, hour
    UNION ALL
    SELECT model, environment, toStartOfHour(event_time) AS hour, 0, countIf(ifNull(producer_id, '') != ''), 0, 0, 0, 0, 0, 0,
        countIf(ifNull(producer_id, '') = ''), 0
    FROM predictions FINAL
    GROUP BY model, environment, hour
    UNION ALL
    SELECT model, environment, toStartOfHour(event_time) AS hour, 0, 0, 0, 0, 0, 0, 0, 0, 0, count()
    FROM intake FINAL
    WHERE dead_letter AND (producer_id = '' OR sequence IS NULL)
    GROUP BY model, environment, hour
)
SELECT
    model, environment, hour,
    toInt64(sum(p.accepted)) AS accepted,
    toInt64(sum(p.recorded)) AS recorded,
    toInt64(sum(p.duplicates)) AS duplicates_removed,
    toInt64(sum(p.dead)) AS dead_lettered,
    toInt64(sum(p.dropped)) AS dropped,
    toInt64(sum(p.failed)) AS failed,
    toInt64(sum(p.spooled)) AS spooled,
    accepted - recorded - duplicates_removed - dead_lettered - dropped - failed - spooled AS in_flight,
    toInt64(sum(p.resent)) AS resent,
    toInt64(sum(p.without_producer)) AS without_producer,
    toInt64(sum(p.dead_without_producer)) AS dead_letters_without_producer
FROM parts AS p
GROUP BY model, environment, hour
COMMENT 'Where the accepted predictions went, per model and hour'
