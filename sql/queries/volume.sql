-- question: How many predictions were made, how many failed, and how long did they take?
-- Counts are of rows on record; what sampling left out is in estimated, and in share and latencies, where each prediction weighs 1 / sampling_rate.
-- parameters:
--   model String: model name
--   environment String = 'production': where it ran
--   every String = 'day' [hour, day, week, month]: length of a row's window
--   since DateTime64(6, 'UTC') = 1970-01-01: first event time, UTC
--   until DateTime64(6, 'UTC') = 2299-12-31: event times before this, UTC
--   traffic String = 'served' [served, shadow, all]: served, shadow or both
-- columns:
--   window: start of the window, UTC
--   model_version: version that answered
--   role: role of the version at event time; empty: not deployed then
--   served: false: shadow traffic
--   predictions: count
--   estimated: predictions before sampling: sum of 1 / sampling_rate
--   errors: of these, with a status other than ok
--   error_share: share of all predictions that failed
--   warnings: of these, that broke the contract and were kept
--   latency_p50_ms: milliseconds that half of the predictions took at most, of those with a finite latency
--   latency_p99_ms: milliseconds that the slowest 1 % of them took at least
-- example: model=flights every=month
-- plot: x=window y=predictions by=model_version
-- output:
--   window      model_version  role      served  predictions  estimated  errors  error_share  warnings  latency_p50_ms  latency_p99_ms
--   2013-02-01  1              champion  yes             283        283       5      0.01767         0              20              39
--   2013-03-01  1              champion  yes             304        304       3     0.009868         0              20              39
--   2013-04-01  2              champion  yes             313        313       7      0.02236         0              18              39
WITH
1 / sampling_rate AS weight,
groupArrayIf(assumeNotNull(latency_ms), isFinite(latency_ms)) AS latencies,
groupArrayIf(weight, isFinite(latency_ms)) AS weights
SELECT
    toDateTime64(multiIf(
        {every:String} = 'hour', toStartOfHour(event_time),
        {every:String} = 'day', toStartOfDay(event_time),
        {every:String} = 'week', toDateTime(toMonday(event_time), 'UTC'),
        toDateTime(toStartOfMonth(event_time), 'UTC')
    ), 0, 'UTC') AS window,
    model_version,
    role,
    served,
    count() AS predictions,
    sum(weight) AS estimated,
    countIf(status != 'ok') AS errors,
    avgWeighted(status != 'ok', weight) AS error_share,
    countIf(notEmpty(p.warnings)) AS warnings,
    hindcast_quantile(latencies, weights, 50) AS latency_p50_ms,
    -hindcast_quantile(arrayMap(ms -> -ms, latencies), weights, 1) AS latency_p99_ms
FROM predictions_all_v AS p
WHERE model = {model:String}
    AND environment = {environment:String}
    AND event_time >= {since:DateTime64(6, 'UTC')}
    AND event_time < {until:DateTime64(6, 'UTC')}
    AND ({traffic:String} = 'all' OR served = ({traffic:String} = 'served'))
GROUP BY window, model_version, role, served
ORDER BY window, model_version, role, served
