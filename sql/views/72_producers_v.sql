-- producers_v: who logs predictions, since when, and what of theirs is lost: one row per producer, model and environment, the sums of
-- producer_hours. accepted = arrived + sum of dropped + failed + spooled + in_flight + missing. A gap in sequence numbers is an event
-- that was handed on and did not arrive, also one that failed, waits in a spool or is on its way: sequence_gaps says where.
-- example: SELECT producer_id, state, last_heard, accepted, dropped, missing, unknown_at_most FROM producers_v WHERE model = 'flights'
CREATE OR REPLACE VIEW producers_v{on_cluster}
(
    `producer_id` String COMMENT 'producer process',
    `model` LowCardinality(String) COMMENT 'model name',
    `environment` LowCardinality(String) COMMENT 'where it ran',
    `state` LowCardinality(String) COMMENT 'live, closed (it ended cleanly) or silent: no ledger for five minutes and no closing one',
    `first_heard` DateTime64(6, 'UTC') COMMENT 'append time of its first message or ledger, UTC',
    `last_heard` DateTime64(6, 'UTC') COMMENT 'append time of its last ledger, else of its last message, UTC',
    `accepted` Int64 COMMENT 'events it took',
    `arrived` Int64 COMMENT 'of these, in the log, each once, dead letters included',
    `resent` Int64 COMMENT 'deliveries of one event beyond its first',
    `dead_lettered` Int64 COMMENT 'of those that arrived, dead letters and nothing else',
    `dropped` Map(String, Int64) COMMENT 'given up, by reason',
    `failed` Int64 COMMENT 'refused by Kafka or not acknowledged in time, those that arrived all the same not counted',
    `spooled` Int64 COMMENT 'lying in spools',
    `in_flight` Int64 COMMENT 'on the way: the rest, of a producer heard in the last five minutes',
    `missing` Int64 COMMENT 'the rest, of a producer that ended',
    `unknown_at_most` Nullable(Int64) COMMENT 'how many may be lost uncounted: missing, and what waited in a producer that ended uncleanly; NULL: it did not state its limit',
    `gaps` Int64 COMMENT 'sequence numbers below its last arrival that did not arrive',
    `written_to_spool` Int64 COMMENT 'events it ever wrote to a spool',
    `replayed` Int64 COMMENT 'events its process delivered from a spool, whoever had written them'
)
AS
SELECT
    producer_id, model, environment,
    any(h.state) AS state,
    min(h.first_heard) AS first_heard,
    max(h.last_heard) AS last_heard,
    sum(h.accepted) AS accepted,
    sum(h.arrived) AS arrived,
    sum(h.resent) AS resent,
    sum(h.dead_lettered) AS dead_lettered,
    sumMap(h.dropped) AS dropped,
    sum(h.failed) AS failed,
    sum(h.spooled) AS spooled,
    sum(h.in_flight) AS in_flight,
    sum(h.missing) AS missing,
    if(countIf(isNull(h.unknown_at_most)) > 0, NULL, sum(h.unknown_at_most)) AS unknown_at_most,
    any(g.missing) AS gaps,
    sum(h.written_to_spool) AS written_to_spool,
    sum(h.replayed) AS replayed
FROM producer_hours AS h
LEFT JOIN
(
    SELECT producer_id, model, environment, sum(missing) AS missing
    FROM sequence_gaps
    GROUP BY producer_id, model, environment
) AS g USING (producer_id, model, environment)
GROUP BY producer_id, model, environment
COMMENT 'Who logs predictions, since when, and what is lost'
