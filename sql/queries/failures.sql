-- question: What fails, how often, and since when?
-- Predictions whose status is not ok, by the class of the failure. Counts are of rows on record; share and latency are estimates of all
-- predictions, each weighed 1 / sampling_rate.
-- parameters:
--   model String: model name
--   environment String = 'production': where it ran
--   every String = 'hour' [hour, day, week, month]: length of a row's window
--   since DateTime64(6, 'UTC') = 1970-01-01: first event time, UTC
--   until DateTime64(6, 'UTC') = 2299-12-31: event times before this, UTC
--   traffic String = 'all' [served, shadow, all]: served, shadow or both
-- columns:
--   window: start of the window, UTC
--   model_version: version that answered
--   served: false: shadow traffic
--   error: class of the failure; empty: not told
--   failures: predictions that failed so
--   failure_share: share of all predictions of this window, version and kind of traffic that failed so
--   first_at: event time of the first, UTC
--   last_at: event time of the last, UTC
--   latency_p50_ms: milliseconds that half of them took at most, of those with a finite latency
--   example_id: prediction id of the last
--   example_trace_id: its W3C trace id
-- example: model=flights every=month
-- plot: x=window y=failure_share by=error
-- output:
--   window      model_version  served  error    failures  failure_share  first_at                    last_at                     latency_p50_ms  example_id  example_trace_id
--   2013-02-01  1              yes     Timeout         5        0.01767  2013-02-02 15:09:57.566196  2013-02-27 22:38:19.087311              21  p899        t299
--   2013-03-01  1              yes     Timeout         3       0.009868  2013-03-05 06:10:48.906700  2013-03-17 06:17:54.113019              19  p299        t99
--   2013-03-01  2              no      Timeout         3       0.009868  2013-03-05 06:10:48.906700  2013-03-17 06:17:54.113019              19  p299        t99
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
        served,
        status != 'ok' AS failed,
        ifNull(p.error, '') AS error,
        count() AS predictions,
        sum(1 / sampling_rate) AS estimated,
        min(event_time) AS first_at,
        max(event_time) AS last_at,
        hindcast_quantile(
            groupArrayIf(assumeNotNull(latency_ms), isFinite(latency_ms)),
            groupArrayIf(1 / sampling_rate, isFinite(latency_ms)),
            50
        ) AS latency_p50_ms,
        argMax((prediction_id, trace_id), event_time) AS example
    FROM predictions_all_v AS p
    WHERE model = {model:String}
        AND environment = {environment:String}
        AND event_time >= {since:DateTime64(6, 'UTC')}
        AND event_time < {until:DateTime64(6, 'UTC')}
        AND ({traffic:String} = 'all' OR served = ({traffic:String} = 'served'))
    GROUP BY window, model_version, served, failed, error
),
shared AS (SELECT *, estimated / sum(estimated) OVER (PARTITION BY window, model_version, served) AS share FROM counted)
SELECT
    window, model_version, served, error, predictions AS failures, share AS failure_share, first_at, last_at, latency_p50_ms,
    example.1 AS example_id, example.2 AS example_trace_id
FROM shared
WHERE failed
ORDER BY window, failures DESC, model_version, served, error
