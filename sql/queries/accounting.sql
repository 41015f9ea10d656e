-- question: Where did every accepted prediction go?
-- accepted = recorded + expired + without_row + duplicates_removed + dead_lettered + dropped + failed + spooled + in_flight + missing, shadow traffic included.
-- What no producer numbered stands on both sides: arrived_without_producer beside accepted, without_producer beside recorded.
-- parameters:
--   model String = '': one model; empty: all
--   environment String = 'production': where it ran
--   since DateTime64(6, 'UTC') = 1970-01-01: first hour of event time, UTC
--   until DateTime64(6, 'UTC') = 2299-12-31: hours before this, UTC
--   every String = 'day' [hour, day, month, all]: length of a row's window
-- columns:
--   window: start of the window, UTC
--   model: model name; empty: dead letters nobody can attribute
--   accepted: events producers took
--   recorded: predictions in the record that a producer numbered
--   expired: events that arrived, whoever sent them, and whose rows went when their retention was over
--   without_row: events that arrived, whoever sent them, and have no row though their retention is not over: a moment ago, or deleted; negative: rows that never arrived
--   duplicates_removed: events accepted again under an id that was recorded once
--   dead_lettered: events that became dead letters and nothing else
--   dropped: events producers gave up
--   failed: events Kafka refused
--   spooled: events in spools
--   in_flight: events on their way, of producers heard in the last five minutes
--   missing: events that are nowhere, of producers that ended
--   unknown_at_most: how many may be lost uncounted: missing, and what waited in producers that ended uncleanly; NULL: one did not state its limit
--   unclean_ends: producers that ended without a last ledger, in the window of their last known event
--   balanced: nothing is spooled, in flight, missing or without row, dead letters included, and no producer ended uncleanly in this window
--   resent: deliveries of one event beyond its first, outside the sum
--   arrived_without_producer: events that arrived and no producer numbered, dead letters apart
--   without_producer: predictions in the record that no producer numbered
--   dead_letters_without_producer: dead letters that no producer numbered
--   dead_letters_without_row: dead letters that arrived and are not in dead_letters: a moment ago, or deleted
-- whole:
--   intake: an hour's events may arrive at any time, and a producer's numbers run through its life
-- example: model=flights every=month
-- plot: x=window y=accepted by=model
-- output:
--   window      model    accepted  recorded  expired  without_row  duplicates_removed  dead_lettered  dropped  failed  spooled  in_flight  missing  unknown_at_most  unclean_ends  balanced  resent  arrived_without_producer  without_producer  dead_letters_without_producer  dead_letters_without_row
--   2013-02-01  flights       283       283        0            0                   0              0        0       0        0          0        0                0             0  yes            3                         0                 0                              0                         0
--   2013-03-01  flights       609       608        0            0                   0              0        0       0        0          0        1                1             0  no             6                         0                 0                              0                         0
--   2013-04-01  flights       313       313        0            0                   0              0        0       0        0          0        0                0             0  yes            4                         0                 0                              0                         0
SELECT
    toDateTime64(multiIf(
        {every:String} = 'hour', hour,
        -- toStartOfDay and toStartOfMonth know none before 1970 or after 2106, where dead letters may stand
        {every:String} = 'day', toStartOfInterval(hour, toIntervalMicrosecond(86400000000)),
        {every:String} = 'month', toDateTime64(addDays(toDate32(hour), 1 - toDayOfMonth(hour)), 0, 'UTC'),
        toDateTime(0, 'UTC')
    ), 0, 'UTC') AS window,
    model,
    sum(a.accepted) AS accepted,
    sum(a.recorded) AS recorded,
    sum(a.expired) AS expired,
    sum(a.without_row) AS without_row,
    sum(a.duplicates_removed) AS duplicates_removed,
    sum(a.dead_lettered) AS dead_lettered,
    sum(a.dropped) AS dropped,
    sum(a.failed) AS failed,
    sum(a.spooled) AS spooled,
    sum(a.in_flight) AS in_flight,
    sum(a.missing) AS missing,
    if(countIf(isNull(a.unknown_at_most)) > 0, NULL, sum(a.unknown_at_most)) AS unknown_at_most,
    sum(a.unclean_ends) AS unclean_ends,
    toBool(min(a.balanced)) AS balanced,
    sum(a.resent) AS resent,
    sum(a.arrived_without_producer) AS arrived_without_producer,
    sum(a.without_producer) AS without_producer,
    sum(a.dead_letters_without_producer) AS dead_letters_without_producer,
    sum(a.dead_letters_without_row) AS dead_letters_without_row
FROM accounting AS a
WHERE ({model:String} = '' OR model = {model:String})
    AND environment IN ({environment:String}, '')
    AND hour >= {since:DateTime64(6, 'UTC')}
    AND hour < {until:DateTime64(6, 'UTC')}
GROUP BY window, model
ORDER BY window, model
