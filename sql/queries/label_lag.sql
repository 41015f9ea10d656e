-- question: How long does the truth take to come?
-- Quantiles over predictions, not over labels: the seconds after which that share of all predictions of the month had its first truth; NULL where
-- so many have none yet. Counts are of rows on record; in the quantiles each prediction weighs 1 / sampling_rate.
-- parameters:
--   model String: model name
--   environment String = 'production': where it ran
--   since DateTime64(6, 'UTC') = 1970-01-01: first event time, UTC
--   until DateTime64(6, 'UTC') = 2299-12-31: event times before this, UTC
--   traffic String = 'served' [served, shadow, all]: served, shadow or both
-- columns:
--   month: first day of the month of event time, UTC
--   model_version: version that answered
--   predictions: count
--   ever_labelled: of these, that ever had a truth
--   known_p50_s: seconds from event to our knowing, for 50 % of predictions
--   known_p90_s: seconds, for 90 %
--   known_p95_s: seconds, for 95 %
--   known_p99_s: seconds, for 99 %
--   true_p50_s: seconds from event to its becoming true in the world, for 50 % of predictions
--   true_p90_s: seconds, for 90 %
-- example: model=flights
-- plot: x=month y=known_p90_s by=model_version
-- output:
--   month       model_version  predictions  ever_labelled  known_p50_s  known_p90_s  known_p95_s  known_p99_s  true_p50_s  true_p90_s
--   2013-02-01  1                      283            255         9583       632964            -            -        7200           -
--   2013-03-01  1                      304            278         8602       165150            -            -        7200           -
--   2013-04-01  2                      313            292         8160       101071            -            -        7200           -
WITH lags AS
(
    SELECT
        toStartOfMonth(event_time) AS month,
        model_version,
        count() AS predictions,
        countIf(known_lag_s IS NOT NULL) AS ever_labelled,
        groupArray(1 / sampling_rate) AS weights,
        -- infinite where none has come
        groupArray(ifNull(known_lag_s, inf)) AS known,
        groupArray(if(label_state = 'labelled', ifNull(truth_lag_s, inf), inf)) AS true_in_world
    FROM outcomes_all_v
    WHERE model = {model:String}
        AND environment = {environment:String}
        AND event_time >= {since:DateTime64(6, 'UTC')}
        AND event_time < {until:DateTime64(6, 'UTC')}
        AND ({traffic:String} = 'all' OR served = ({traffic:String} = 'served'))
    GROUP BY month, model_version
)
SELECT
    month,
    model_version,
    predictions,
    ever_labelled,
    nullIf(hindcast_quantile(known, weights, 50), inf) AS known_p50_s,
    nullIf(hindcast_quantile(known, weights, 90), inf) AS known_p90_s,
    nullIf(hindcast_quantile(known, weights, 95), inf) AS known_p95_s,
    nullIf(hindcast_quantile(known, weights, 99), inf) AS known_p99_s,
    nullIf(hindcast_quantile(true_in_world, weights, 50), inf) AS true_p50_s,
    nullIf(hindcast_quantile(true_in_world, weights, 90), inf) AS true_p90_s
FROM lags
ORDER BY month, model_version
