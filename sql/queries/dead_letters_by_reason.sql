-- question: What could not be recorded, and why?
-- parameters:
--   model String = '': one model; empty: all, with those nobody can attribute
--   since DateTime64(6, 'UTC') = 1970-01-01: first append time, UTC
--   until DateTime64(6, 'UTC') = 2299-12-31: append times before this, UTC
-- columns:
--   topic: topic they came on
--   model: model where known
--   reason: undecodable, unknown_schema, implausible_time, incomplete, contract, refused, or expired: a gap in the log, of which detail says the offsets
--   detail: what was wrong, of the newest
--   messages: count; of gaps all that were lost in them
--   replayed: of these, sent back since
--   first_appended_at: append time of the first, UTC
--   last_appended_at: append time of the last, UTC
-- example: since=2013-01-01
-- output:
--   topic                 model    reason       detail                 messages  replayed  first_appended_at    last_appended_at
--   hindcast.predictions  flights  contract     distance is no number         2         0  2013-04-10 01:00:00  2013-04-10 02:00:00
--   hindcast.predictions           undecodable  ends within a field           1         0  2013-04-10 00:00:00  2013-04-10 00:00:00
SELECT
    topic,
    model,
    reason,
    argMax(d.detail, (d.appended_at, d.offset)) AS detail,
    sum(if(d.reason = 'expired', toUInt64OrDefault(extract(d.detail, '^offsets [0-9]+ to ([0-9]+) '), d.offset) - d.offset + 1, 1)) AS messages,
    countIf(d.replayed) AS replayed,
    min(d.appended_at) AS first_appended_at,
    max(d.appended_at) AS last_appended_at
FROM dead_letters AS d FINAL
WHERE ({model:String} = '' OR model = {model:String})
    AND appended_at >= {since:DateTime64(6, 'UTC')}
    AND appended_at < {until:DateTime64(6, 'UTC')}
GROUP BY topic, model, reason
ORDER BY messages DESC, topic, model, reason
