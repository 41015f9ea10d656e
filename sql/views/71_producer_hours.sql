-- producer_hours: what became of the predictions that one producer took, per model, environment and hour of event time:
-- accepted = arrived + dropped + failed + spooled + in_flight + missing. Accounting and producers_v are sums of it.
-- The producer's newest ledger says what it accepted, dropped and failed; intake says what arrived, by sequence number, each once.
-- Numbers beyond the ledger's are accepted events as well, arrived or not. What neither arrived nor was dropped nor failed is
-- spooled as far as spools can hold it (written to them less replayed, over all producers of that hour), else in_flight for
-- five minutes after the producer's last ledger was recorded, then missing. (By when it was recorded: a recorder that catches up, or a
-- producer's wrong clock, makes nobody silent.) A producer whose ledgers are not all closing ones and that is not heard for five minutes
-- is silent: it ended uncleanly, or Kafka or the recorder is away. unknown_at_most is its missing and, in the hour of its last known
-- event, as many events as may have waited in it (which may be of later hours too).
-- example: SELECT producer_id, hour, accepted, arrived, missing FROM producer_hours WHERE model = 'flights' AND missing > 0
CREATE OR REPLACE VIEW producer_hours{on_cluster}
(
    `producer_id` String COMMENT 'producer process',
    `model` LowCardinality(String) COMMENT 'model name',
    `environment` LowCardinality(String) COMMENT 'where it ran',
    `hour` DateTime64(6, 'UTC') COMMENT 'start of the hour of event time, UTC',
    `state` LowCardinality(String) COMMENT 'of the producer: live, closed (it ended cleanly) or silent',
    `accepted` Int64 COMMENT 'events it took: at least what its ledger says and at least what is known of',
    `arrived` Int64 COMMENT 'of these, in the log, each once, dead letters included',
    `resent` Int64 COMMENT 'deliveries of one event beyond its first',
    `dead_lettered` Int64 COMMENT 'of those that arrived, dead letters and nothing else',
    `dropped` Map(String, Int64) COMMENT 'given up, by reason',
    `failed` Int64 COMMENT 'refused by Kafka or not acknowledged in time, those that arrived all the same not counted',
    `spooled` Int64 COMMENT 'lying in spools',
    `in_flight` Int64 COMMENT 'on the way: the rest, of a producer heard in the last five minutes',
    `missing` Int64 COMMENT 'the rest, of a producer that ended',
    `unknown_at_most` Nullable(Int64) COMMENT 'how many may be lost uncounted: missing, and what waited in a producer that ended uncleanly; NULL: it did not state its limit',
    `unclean_ends` Int64 COMMENT '1: the producer is silent, and this is the hour of its last known event of this model and environment',
    `written_to_spool` Int64 COMMENT 'events it ever wrote to a spool',
    `replayed` Int64 COMMENT 'events its process delivered from a spool, whoever had written them',
    `first_heard` DateTime64(6, 'UTC') COMMENT 'append time of its first message or ledger of this hour, UTC',
    `last_heard` DateTime64(6, 'UTC') COMMENT 'of the producer: append time of its last ledger, else of its last message, UTC'
)
AS
WITH
-- the newest ledger of each account: (accepted, dropped, failed, spooled, replayed, up to which number, closing); one that numbered
-- events and does not say up to where is taken to count all that arrived
ledgers AS
(
    SELECT producer_id, model, environment, stream, hour,
        argMax((accepted, dropped, failed, spooled, replayed, numbered_to, closing), (sent_at, _appended_at, _partition, _offset)) AS newest,
        max(queue_limit) AS queue_limit,
        min(_appended_at) AS first_at,
        max(_appended_at) AS last_at,
        max(_recorded_at) AS recorded_at
    FROM (SELECT *, ifNull(last_sequence, if(accepted > arraySum(mapValues(dropped)), 9223372036854775806, -1)) AS numbered_to FROM ledger)
    GROUP BY producer_id, model, environment, stream, hour
),
-- any ledger of a producer is a sign of its life
signs AS (SELECT *, max(recorded_at) OVER (PARTITION BY producer_id) AS sign_at FROM ledgers),
arrivals AS
(
    -- toStartOfHour knows no hour before 1970 or after 2106; ledgers say those of dead letters all the same
    SELECT producer_id, model, environment, toStartOfInterval(event_time, toIntervalMicrosecond(3600000000)) AS hour,
        groupBitmapStateIf(toUInt64(assumeNotNull(sequence)), NOT dead_letter) AS alive,
        groupBitmapStateIf(toUInt64(assumeNotNull(sequence)), dead_letter) AS dead,
        count() AS messages,
        min(_appended_at) AS first_at,
        max(_appended_at) AS last_at,
        max(_recorded_at) AS recorded_at
    FROM intake FINAL
    WHERE producer_id != '' AND sequence >= 0
    GROUP BY producer_id, model, environment, hour
),
both_sides AS
(
    SELECT producer_id, model, environment, hour, newest, queue_limit, true AS of_ledger, first_at, last_at, sign_at,
        bitmapBuild(emptyArrayUInt64()) AS alive, bitmapBuild(emptyArrayUInt64()) AS dead, toUInt64(0) AS messages
    FROM signs
    WHERE stream = 'predictions'
    UNION ALL
    SELECT producer_id, model, environment, hour, (0, map(), 0, 0, 0, -1, false), NULL, false, first_at, last_at, recorded_at,
        alive, dead, messages
    FROM arrivals
),
accounts AS
(
    SELECT producer_id, model, environment, hour,
        sum(newest.1) AS told_accepted,
        sumMap(newest.2) AS dropped,
        sum(arraySum(mapValues(newest.2))) AS given_up,
        sum(newest.3) AS told_failed,
        sum(newest.4) AS written_to_spool,
        sum(newest.5) AS replayed,
        max(newest.6) AS told_to,
        max(queue_limit) AS queue_limit,
        groupBitmapMergeState(alive) AS numbers_alive,
        groupBitmapMergeState(dead) AS numbers_dead,
        bitmapOr(numbers_alive, numbers_dead) AS numbers,
        toInt64(bitmapCardinality(numbers)) AS arrived,
        toInt64(bitmapCardinality(bitmapSubsetInRange(numbers, toUInt64(0), toUInt64(told_to + 1)))) AS arrived_of_told,
        if(arrived = 0, toInt64(-1), toInt64(bitmapMax(numbers))) AS arrived_to,
        toInt64(sum(messages)) - arrived AS resent,
        toInt64(bitmapAndnotCardinality(numbers_dead, numbers_alive)) AS dead_lettered,
        min(first_at) AS first_heard,
        maxIf(last_at, of_ledger) AS ledger_at,
        max(last_at) AS anything_at,
        maxIf(sign_at, of_ledger) AS ledger_sign,
        max(sign_at) AS any_sign,
        max(of_ledger) AS has_ledger,
        max(newest.7) AND arrived = arrived_of_told AS closing
    FROM both_sides
    GROUP BY producer_id, model, environment, hour
),
of_producers AS
(
    SELECT *,
        max(told_to) OVER of_producer AS all_told_to,
        max(arrived_to) OVER of_producer AS all_arrived_to,
        max(has_ledger) OVER of_producer AS keeps_ledger,
        -- what others replay of its spool is no sign of a producer's life; one too young for a ledger has no other
        if(keeps_ledger, max(ledger_sign) OVER of_producer, max(any_sign) OVER of_producer) AS last_sign,
        if(keeps_ledger, max(ledger_at) OVER of_producer, max(anything_at) OVER of_producer) AS last_heard,
        last_sign > now64(6, 'UTC') - toIntervalMinute(5) AS recent,
        max(queue_limit) OVER of_producer AS waiting_at_most,
        multiIf(min(closing) OVER of_producer, 'closed', recent, 'live', 'silent') AS state,
        row_number() OVER (PARTITION BY producer_id ORDER BY told_to DESC, hour, model, environment) = 1 AS last_told,
        row_number() OVER (PARTITION BY producer_id, model, environment ORDER BY greatest(told_to, arrived_to) DESC, hour DESC) = 1 AS newest_of_model
    FROM accounts
    WINDOW of_producer AS (PARTITION BY producer_id)
),
-- numbers beyond every ledger of the producer that did not arrive although later ones did: counted where its ledgers end
untold AS
(
    SELECT *,
        arrived - toInt64(bitmapCardinality(bitmapSubsetInRange(numbers, toUInt64(0), toUInt64(all_told_to + 1)))) AS arrived_untold,
        if(last_told, greatest(all_arrived_to - all_told_to, 0) - sum(arrived_untold) OVER (PARTITION BY producer_id), 0) AS passed_over,
        greatest(told_accepted - given_up - arrived_of_told, 0) AS rest_of_told,
        least(told_failed, rest_of_told) AS failed,
        rest_of_told - failed + passed_over AS nowhere,
        least(written_to_spool, nowhere) AS spool_holds
    FROM of_producers
),
-- who wrote what lies in spools cannot be told: those that live come first, so that what may be lost is not taken for spooled
shared_out AS
(
    SELECT *,
        sum(written_to_spool - replayed) OVER of_hour AS in_spools,
        sum(spool_holds) OVER (of_hour ORDER BY recent DESC, producer_id ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) - spool_holds AS before,
        greatest(least(spool_holds, in_spools - before), 0) AS spooled
    FROM untold
    WINDOW of_hour AS (PARTITION BY model, environment, hour)
)
SELECT
    producer_id, model, environment, hour, state,
    arrived + given_up + failed + nowhere AS accepted,
    arrived, resent, dead_lettered, dropped, failed, spooled,
    if(recent, nowhere - spooled, 0) AS in_flight,
    if(recent, 0, nowhere - spooled) AS missing,
    missing + if(unclean_ends = 1, waiting_at_most, 0) AS unknown_at_most,
    toInt64(state = 'silent' AND newest_of_model) AS unclean_ends,
    written_to_spool, replayed, first_heard, last_heard
FROM shared_out
COMMENT 'What became of the predictions each producer took, per hour'
