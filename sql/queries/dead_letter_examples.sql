-- question: Which messages could not be recorded, and what was wrong with each?
-- The newest of each topic, model and reason. What a message holds is not shown: `hindcast dead-letters` works on it.
-- parameters:
--   model String = '': one model; empty: all, with those nobody can attribute
--   topic String = '': topic they came on; empty: all
--   reason String = '' [, undecodable, unknown_schema, implausible_time, incomplete, contract, refused, expired]: one reason; empty: all
--   since DateTime64(6, 'UTC') = 1970-01-01: first append time, UTC
--   until DateTime64(6, 'UTC') = 2299-12-31: append times before this, UTC
--   most UInt32 = 3: examples of each topic, model and reason
-- columns:
--   appended_at: append time, UTC
--   topic: topic it came on
--   partition: its partition
--   offset: its offset
--   model: model where known
--   reason: undecodable, unknown_schema, implausible_time, incomplete, contract, refused, or expired: a gap in the log, whose first message stands here
--   detail: what was wrong
--   fingerprint: of its schema, hex, where there was one
--   bytes: length of its value
--   replayed: sent back since
--   messages: 1; of a gap all that were lost in it
--   alike: entries of this topic, model and reason in the time span
-- example: since=2013-01-01
-- output:
--   appended_at          topic                 partition  offset  model    reason       detail                 fingerprint  bytes  replayed  messages  alike
--   2013-04-10 02:00:00  hindcast.predictions          0    5002  flights  contract     distance is no number                   3  no               1      2
--   2013-04-10 01:00:00  hindcast.predictions          0    5001  flights  contract     lacks distance                          3  no               1      2
--   2013-04-10 00:00:00  hindcast.predictions          0    5000           undecodable  ends within a field                     3  no               1      1
SELECT
    appended_at, topic, partition, offset, model, reason, detail, fingerprint,
    length(d.value) AS bytes,
    replayed,
    if(reason = 'expired', toUInt64OrDefault(extract(detail, '^offsets [0-9]+ to ([0-9]+) '), d.offset) - d.offset + 1, 1) AS messages,
    count() OVER (PARTITION BY topic, model, reason) AS alike
FROM dead_letters AS d FINAL
WHERE ({model:String} = '' OR model = {model:String})
    AND ({topic:String} = '' OR topic = {topic:String})
    AND ({reason:String} = '' OR reason = {reason:String})
    AND appended_at >= {since:DateTime64(6, 'UTC')}
    AND appended_at < {until:DateTime64(6, 'UTC')}
ORDER BY appended_at DESC, topic, partition, offset DESC
LIMIT {most:UInt32} BY topic, model, reason
