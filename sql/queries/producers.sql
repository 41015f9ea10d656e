-- question: Who logs predictions, since when, and what of theirs is lost?
-- One row per producer process, model and environment; accepted = arrived + dropped + failed + spooled + in_flight + missing.
-- parameters:
--   model String = '': one model; empty: all
--   environment String = '': where it ran; empty: everywhere
--   producer String = '': one producer's id; empty: all
--   state String = '' [, live, closed, silent]: one state; empty: all
--   since DateTime64(6, 'UTC') = 1970-01-01: only producers heard at or after this, UTC
-- columns:
--   producer_id: producer process
--   model: model name
--   environment: where it ran
--   state: live, closed (it ended cleanly) or silent: no ledger for five minutes and no closing one
--   first_heard: append time of its first message or ledger, UTC
--   last_heard: append time of its last ledger, else of its last message, UTC
--   accepted: events it took
--   arrived: of these, in the log, each once, dead letters included
--   resent: deliveries of one event beyond its first, outside the sum
--   dead_lettered: of those that arrived, dead letters and nothing else
--   dropped: events it gave up
--   dropped_by_reason: the same, by reason
--   failed: events Kafka refused or did not acknowledge in time, and that did not arrive
--   spooled: events in spools
--   in_flight: events on their way, while it is heard
--   missing: events that are nowhere, since it ended
--   unknown_at_most: how many may be lost uncounted: missing, and what waited in it if it ended uncleanly; NULL: it did not state its limit
--   gaps: sequence numbers below its last arrival that did not arrive; query sequence_gaps says where
-- whole:
--   intake: a producer's numbers run through its whole life
-- example: model=flights
-- output:
--   producer_id  model    environment  state   first_heard                 last_heard           accepted  arrived  resent  dead_lettered  dropped  dropped_by_reason  failed  spooled  in_flight  missing  unknown_at_most  gaps
--   producer-1   flights  production   closed  2013-02-01 04:30:01.406541  2013-04-30 22:00:00      1205     1204      13              0        0  {}                      0        0          0        1                1     1
SELECT
    producer_id, model, environment, state, first_heard, last_heard, accepted, arrived, resent, dead_lettered,
    toInt64(arraySum(mapValues(p.dropped))) AS dropped,
    p.dropped AS dropped_by_reason,
    failed, spooled, in_flight, missing, unknown_at_most, gaps
FROM producers_v AS p
WHERE ({model:String} = '' OR model = {model:String})
    AND ({environment:String} = '' OR environment = {environment:String})
    AND ({producer:String} = '' OR producer_id = {producer:String})
    AND ({state:String} = '' OR state = {state:String})
    AND last_heard >= {since:DateTime64(6, 'UTC')}
ORDER BY last_heard DESC, producer_id, model, environment
