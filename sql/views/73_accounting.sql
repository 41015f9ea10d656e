-- accounting: where the predictions went that producers took from their callers, per model, environment and hour of event time, shadow
-- traffic included:
-- accepted = recorded + expired + without_row + duplicates_removed + dead_lettered + dropped + failed + spooled + in_flight + missing.
-- Producers say what they accepted, dropped, failed and spooled (producer_hours has them one by one); recorded is counted in the rows,
-- duplicates and dead letters in what arrived. A producer that ended without its last ledger leaves unknown_at_most: never balanced.
-- resent counts deliveries of one event again (they are accepted once, so they stand outside the sum). A dead letter that was
-- replayed and recorded counts as recorded. Messages without producer id or sequence belong to no ledger: they stand on both sides of the
-- sum, arrived_without_producer beside accepted and without_producer beside recorded, and one whose row is gone is expired or without_row as well.
-- An event that a producer sent too, before or after, is the producer's.
-- example: SELECT hour, accepted, recorded, missing, unknown_at_most FROM accounting WHERE model = 'flights' AND NOT balanced
CREATE OR REPLACE VIEW accounting{on_cluster}
(
    `model` LowCardinality(String) COMMENT 'model name; empty: dead letters nobody can attribute',
    `environment` LowCardinality(String) COMMENT 'where it ran',
    `hour` DateTime64(6, 'UTC') COMMENT 'start of the hour of event time, UTC',
    `accepted` Int64 COMMENT 'events producers took',
    `recorded` Int64 COMMENT 'predictions in the record that a producer numbered',
    `expired` Int64 COMMENT 'events that arrived, whoever sent them, and whose rows went when their retention was over',
    `without_row` Int64 COMMENT 'events that arrived, whoever sent them, and have no row though their retention is not over: a moment ago, or deleted; negative: rows that never arrived',
    `duplicates_removed` Int64 COMMENT 'events accepted again under an id that was recorded once',
    `dead_lettered` Int64 COMMENT 'events that became dead letters and nothing else',
    `dropped` Int64 COMMENT 'events producers gave up',
    `failed` Int64 COMMENT 'events Kafka refused',
    `spooled` Int64 COMMENT 'events in spools',
    `in_flight` Int64 COMMENT 'events on their way, of producers heard in the last five minutes',
    `missing` Int64 COMMENT 'events that are nowhere, of producers that ended',
    `unknown_at_most` Nullable(Int64) COMMENT 'how many may be lost uncounted: missing, and what waited in producers that ended uncleanly; NULL: one did not state its limit',
    `unclean_ends` Int64 COMMENT 'producers that ended without a last ledger, in the hour of their last known event',
    `balanced` Bool COMMENT 'nothing is spooled, in flight, missing or without row, dead letters included, and no producer ended uncleanly in this hour',
    `resent` Int64 COMMENT 'deliveries of one event beyond its first',
    `arrived_without_producer` Int64 COMMENT 'events that arrived and no producer numbered, dead letters apart',
    `without_producer` Int64 COMMENT 'predictions in the record that no producer numbered',
    `dead_letters_without_producer` Int64 COMMENT 'dead letters without producer id or sequence',
    `dead_letters_without_row` Int64 COMMENT 'dead letters that arrived and are not in dead_letters: a moment ago, or deleted'
)
AS
WITH
numbered_models AS (SELECT model FROM intake WHERE producer_id != '' AND sequence >= 0),
other_models AS (SELECT model FROM intake WHERE NOT (producer_id != '' AND ifNull(sequence, -1) >= 0) AND NOT dead_letter),
-- events that came by a producer and by another road as well: the row that came first may name no producer. Most models know one road only
both_roads AS
(
    SELECT DISTINCT cityHash64(model, environment, model_version, event_time, prediction_id_hash) AS event
    FROM intake
    PREWHERE model IN other_models
    WHERE producer_id != '' AND sequence >= 0 AND NOT dead_letter AND event IN
    (
        SELECT cityHash64(model, environment, model_version, event_time, prediction_id_hash)
        FROM intake
        PREWHERE model IN numbered_models
        WHERE NOT (producer_id != '' AND ifNull(sequence, -1) >= 0) AND NOT dead_letter
    )
),
parts AS
(
    SELECT model, environment, hour, accepted, arrived - dead_lettered AS alive, dead_lettered, arraySum(mapValues(dropped)) AS dropped,
        failed, spooled, in_flight, missing, ifNull(unknown_at_most, 0) AS unknown, isNull(unknown_at_most) AS unstated, unclean_ends,
        resent, 0 AS identities, 0 AS recorded, 0 AS unnumbered, 0 AS without_producer, 0 AS over, 0 AS dead_without_producer, 0 AS dead_without_row
    FROM producer_hours
    UNION ALL
    -- events of several groups are put together only in hours that have several
    SELECT model, environment, hour, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        if(countIf(numbered) > 1, uniqExactMergeIf(events, numbered), sumIf(alike, numbered)) AS identities, 0,
        if(count() > 1, uniqExactMerge(events), sum(alike)) - identities, 0,
        toInt64(if(countIf(over) > 1, uniqExactMergeIf(events, over), sumIf(alike, over))), 0, 0
    FROM
    (
        -- prediction_id_hash has 64 bits, so that a longer hash of the whole identity would tell no more events apart
        SELECT model, environment, toStartOfInterval(event_time, toIntervalMicrosecond(3600000000)) AS hour,
            producer_id != '' AND ifNull(sequence, -1) >= 0 AS numbered,
            retention_days > 0 AND addDays(event_time, retention_days) < now64(6) AS over,
            uniqExactState(cityHash64(model_version, event_time, prediction_id_hash)) AS events,
            finalizeAggregation(events) AS alike
        FROM intake
        WHERE NOT dead_letter
        GROUP BY model, environment, hour, numbered, over
    )
    GROUP BY model, environment, hour
    UNION ALL
    -- hours in the sort key, so that a question about some hours reads no others; rows are of 1970 or later, unlike dead letters
    SELECT model, environment, toStartOfHour(event_time) AS hour, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        0, countIf(numbered), 0, toInt64(countIf(NOT numbered)),
        -- their retention is over, and no merge has come yet
        -toInt64(countIf(retention_days > 0 AND addDays(event_time, retention_days) < now64(6))), 0, 0
    FROM (SELECT *, ifNull(producer_id, '') != '' AND ifNull(sequence, -1) >= 0 AS numbered FROM predictions FINAL)
    GROUP BY model, environment, hour
    UNION ALL
    -- rows that came first by another road
    SELECT model, environment, toStartOfHour(event_time) AS hour, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        0, count() AS of_producers, 0, -of_producers, 0, 0, 0
    FROM predictions FINAL
    WHERE model IN numbered_models AND model IN other_models AND NOT (ifNull(producer_id, '') != '' AND ifNull(sequence, -1) >= 0)
        AND cityHash64(model, environment, model_version, event_time, cityHash64(prediction_id, output)) IN both_roads
    GROUP BY model, environment, hour
    UNION ALL
    -- by place, without FINAL: what became a dead letter is never anything else, and few are
    SELECT model, environment, toStartOfInterval(event_time, toIntervalMicrosecond(3600000000)) AS hour, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        0, 0, 0, 0, 0, uniqExactIf((_topic_id, _partition, _offset), NOT (producer_id != '' AND ifNull(sequence, -1) >= 0)),
        uniqExactIf(
            (_topic_id, _partition, _offset),
            (_topic_id, _partition, _offset) NOT IN (SELECT topic_id, partition, offset FROM dead_letters)
        )
    FROM intake
    WHERE dead_letter
    GROUP BY model, environment, hour
)
SELECT
    model, environment, hour,
    toInt64(sum(p.accepted)) AS accepted,
    toInt64(sum(p.recorded)) AS recorded,
    greatest(least(toInt64(sum(p.identities)) + arrived_without_producer - recorded - without_producer AS rowless, toInt64(sum(p.over))), 0) AS expired,
    rowless - expired AS without_row,
    toInt64(sum(p.alive)) - toInt64(sum(p.identities)) AS duplicates_removed,
    toInt64(sum(p.dead_lettered)) AS dead_lettered,
    toInt64(sum(p.dropped)) AS dropped,
    toInt64(sum(p.failed)) AS failed,
    toInt64(sum(p.spooled)) AS spooled,
    toInt64(sum(p.in_flight)) AS in_flight,
    toInt64(sum(p.missing)) AS missing,
    if(sum(p.unstated) > 0, NULL, toInt64(sum(p.unknown))) AS unknown_at_most,
    toInt64(sum(p.unclean_ends)) AS unclean_ends,
    spooled = 0 AND in_flight = 0 AND missing = 0 AND without_row = 0 AND dead_letters_without_row = 0 AND unclean_ends = 0 AS balanced,
    toInt64(sum(p.resent)) AS resent,
    toInt64(sum(p.unnumbered)) AS arrived_without_producer,
    toInt64(sum(p.without_producer)) AS without_producer,
    toInt64(sum(p.dead_without_producer)) AS dead_letters_without_producer,
    toInt64(sum(p.dead_without_row)) AS dead_letters_without_row
FROM parts AS p
GROUP BY model, environment, hour
COMMENT 'Where the accepted predictions went, per model and hour'
