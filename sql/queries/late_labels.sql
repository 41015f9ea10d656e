-- question: How many truths came after they were due, how late, and how many are still awaited?
-- Due is event time + label horizon of the contract; late is when we knew, not when it became true. Counts are of rows on record; share and
-- median are estimates of all predictions, each weighed 1 / sampling_rate.
-- parameters:
--   model String: model name
--   environment String = 'production': where it ran
--   every String = 'month' [day, week, month]: length of a row's window of event time
--   since DateTime64(6, 'UTC') = 1970-01-01: first event time, UTC
--   until DateTime64(6, 'UTC') = 2299-12-31: event times before this, UTC
--   traffic String = 'served' [served, shadow, all]: served, shadow or both
-- columns:
--   window: start of the window of event time, UTC
--   model_version: version that answered
--   predictions: count
--   in_time: first truth known by when it was due
--   late: first truth known later
--   late_share: share that was late of those whose truth came
--   late_p50_s: seconds after due, for half of the late ones
--   latest_s: seconds after due of the latest
--   overdue: none known yet, and due
--   waiting: none known yet, and not due
-- example: model=flights
-- plot: x=window y=late_share by=model_version
-- output:
--   window      model_version  predictions  in_time  late  late_share  late_p50_s  latest_s  overdue  waiting
--   2013-02-01  1                      283      255     0           0           -         -       28        0
--   2013-03-01  1                      304      278     0           0           -         -       26        0
--   2013-04-01  2                      313      292     0           0           -         -       21        0
SELECT
    toDateTime64(multiIf(
        {every:String} = 'day', toStartOfDay(event_time),
        {every:String} = 'week', toDateTime(toMonday(event_time), 'UTC'),
        toDateTime(toStartOfMonth(event_time), 'UTC')
    ), 0, 'UTC') AS window,
    model_version,
    count() AS predictions,
    countIf(first_truth_known_at <= due_at) AS in_time,
    countIf(first_truth_known_at > due_at) AS late,
    avgWeightedOrNull(first_truth_known_at > due_at, 1 / sampling_rate) AS late_share,
    hindcast_quantile(
        groupArrayIf(assumeNotNull(dateDiff('microsecond', due_at, first_truth_known_at)) / 1e6, first_truth_known_at > due_at),
        groupArrayIf(1 / sampling_rate, first_truth_known_at > due_at),
        50
    ) AS late_p50_s,
    maxOrNull(if(first_truth_known_at > due_at, dateDiff('microsecond', due_at, first_truth_known_at) / 1e6, NULL)) AS latest_s,
    countIf(first_truth_known_at IS NULL AND label_state != 'void' AND due_at <= now64(6, 'UTC')) AS overdue,
    countIf(first_truth_known_at IS NULL AND label_state != 'void' AND due_at > now64(6, 'UTC')) AS waiting
FROM outcomes_all_v
WHERE model = {model:String}
    AND environment = {environment:String}
    AND event_time >= {since:DateTime64(6, 'UTC')}
    AND event_time < {until:DateTime64(6, 'UTC')}
    AND ({traffic:String} = 'all' OR served = ({traffic:String} = 'served'))
GROUP BY window, model_version
ORDER BY window, model_version
