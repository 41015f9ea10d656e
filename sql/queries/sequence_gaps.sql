-- question: Which producers sent predictions that did not arrive, how many, and in which minutes?
-- A gap also holds what its producer counts as failed or dropped after numbering, what waits in a spool, and what is on its way.
-- parameters:
--   model String = '': one model; empty: all
--   environment String = '': where it ran; empty: everywhere
--   producer String = '': one producer's id; empty: all
--   since DateTime64(6, 'UTC') = 1970-01-01: gaps that end at or after this minute of event time, UTC
--   until DateTime64(6, 'UTC') = 2299-12-31: gaps that begin before this minute of event time, UTC
--   most UInt32 = 1000: rows
-- columns:
--   producer_id: producer process
--   model: model of the event before the gap; of the one after where there is none before
--   environment: where that event ran
--   minute_before: minute of event time of the last event before, UTC; NULL: nothing arrived before
--   minute_after: minute of event time of the first event after, UTC
--   missing: sequence numbers that did not arrive
--   first_missing: the least of them
--   last_missing: the greatest
-- whole:
--   intake: a number is missing only if it came neither before nor after
-- example: model=flights since=2013-01-01
-- output:
--   producer_id  model    environment  minute_before        minute_after         missing  first_missing  last_missing
--   producer-1   flights  production   2013-03-12 19:09:00  2013-03-12 19:09:00        1            500           500
SELECT producer_id, model, environment, minute_before, minute_after, missing, first_missing, last_missing
FROM sequence_gaps
WHERE ({model:String} = '' OR model = {model:String})
    AND ({environment:String} = '' OR environment = {environment:String})
    AND ({producer:String} = '' OR producer_id = {producer:String})
    AND minute_after >= {since:DateTime64(6, 'UTC')}
    AND (minute_before IS NULL OR minute_before < {until:DateTime64(6, 'UTC')})
ORDER BY minute_after, producer_id, first_missing
LIMIT {most:UInt32}
