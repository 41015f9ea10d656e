-- question: Which version answered which share of the traffic, and was that what was meant?
-- Served traffic only; shares are of the traffic before sampling, each prediction weighed 1 / sampling_rate. The share meant is what the deployment said that was in force at the version's last prediction of the window.
-- parameters:
--   model String: model name
--   environment String = 'production': where it ran
--   every String = 'hour' [hour, day, week, month]: length of a row's window
--   since DateTime64(6, 'UTC') = 1970-01-01: first event time, UTC
--   until DateTime64(6, 'UTC') = 2299-12-31: event times before this, UTC
-- columns:
--   window: start of the window, UTC
--   model_version: version that answered
--   role: its role at its last prediction of the window; empty: not deployed then
--   predictions: count
--   estimated: predictions before sampling: sum of 1 / sampling_rate
--   share: estimated / estimated of all versions in the window
--   meant_share: share of the traffic that its deployment said, 0 to 1; NULL: it did not say
--   first_at: event time of its first prediction of the window, UTC
--   last_at: event time of its last, UTC
-- example: model=flights every=month
-- plot: x=window y=share by=model_version
-- output:
--   window      model_version  role      predictions  estimated  share  meant_share  first_at                    last_at
--   2013-02-01  1              champion          283        283      1            -  2013-02-01 04:30:01.406541  2013-02-28 21:37:13.292474
--   2013-03-01  1              champion          304        304      1            -  2013-03-01 01:12:38.196034  2013-03-31 21:01:24.241709
--   2013-04-01  2              champion          313        313      1            -  2013-04-01 04:08:32.410091  2013-04-30 21:59:22.206137
WITH counted AS
(
    SELECT
        toDateTime64(multiIf(
            {every:String} = 'hour', toStartOfHour(event_time),
            {every:String} = 'day', toStartOfDay(event_time),
            {every:String} = 'week', toDateTime(toMonday(event_time), 'UTC'),
            toDateTime(toStartOfMonth(event_time), 'UTC')
        ), 0, 'UTC') AS window,
        model_version,
        count() AS predictions,
        sum(1 / sampling_rate) AS estimated,
        argMax(role, event_time) AS role,
        min(event_time) AS first_at,
        max(event_time) AS last_at
    FROM predictions_v
    WHERE model = {model:String}
        AND environment = {environment:String}
        AND event_time >= {since:DateTime64(6, 'UTC')}
        AND event_time < {until:DateTime64(6, 'UTC')}
    GROUP BY window, model_version
)
SELECT
    window,
    c.model_version AS model_version,
    c.role AS role,
    predictions,
    estimated,
    estimated / sum(estimated) OVER (PARTITION BY window) AS share,
    if(role = '', NULL, l.traffic_share) AS meant_share,
    first_at,
    last_at
FROM counted AS c
ASOF LEFT JOIN
(
    SELECT model_version, valid_from, traffic_share
    FROM live_versions
    WHERE model = {model:String} AND environment = {environment:String}
) AS l ON c.model_version = l.model_version AND c.last_at >= l.valid_from
ORDER BY window, predictions DESC, model_version
