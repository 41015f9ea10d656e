-- question: How are the scores of each version distributed, and did that change?
-- Exact from rows, over the scores that are finite. Counts are of rows on record; in mean, deviation and quantiles each prediction weighs
-- 1 / sampling_rate. Quantiles interpolate between neighbours, each of which stands in the middle of its weight.
-- parameters:
--   model String: model name
--   environment String = 'production': where it ran
--   every String = 'month' [hour, day, week, month, all]: length of a row's window
--   since DateTime64(6, 'UTC') = 1970-01-01: first event time, UTC
--   until DateTime64(6, 'UTC') = 2299-12-31: event times before this, UTC
--   traffic String = 'all' [served, shadow, all]: served, shadow or both
-- columns:
--   window: start of the window, UTC
--   model_version: version that answered
--   served: false: shadow traffic
--   predictions: count
--   without_score: of these, without a score
--   not_finite: of these, with NaN or an infinity for a score, which is in no figure
--   mean: mean score
--   deviation: population standard deviation
--   least: least score
--   p05: 5 % have at most this score
--   p25: 25 %
--   p50: half
--   p75: 75 %
--   p95: 95 %
--   greatest: greatest score
-- example: model=flights
-- plot: x=window y=p50 by=model_version
-- output:
--   window      model_version  served  predictions  without_score  not_finite    mean  deviation  least     p05   p25   p50     p75   p95  greatest
--   2013-02-01  1              yes             283              5           0  0.4879        0.3   0.01  0.0485  0.22  0.48  0.7475  0.94         1
--   2013-03-01  1              yes             304              3           0  0.4898     0.2887      0    0.05  0.23  0.48    0.74  0.93      0.99
--   2013-03-01  2              no              304              3           0  0.4864     0.2478   0.04    0.11  0.28  0.47    0.69  0.88      0.99
WITH
grouped AS
(
    SELECT
        toDateTime64(multiIf(
            {every:String} = 'hour', toStartOfHour(event_time),
            {every:String} = 'day', toStartOfDay(event_time),
            {every:String} = 'week', toDateTime(toMonday(event_time), 'UTC'),
            {every:String} = 'month', toDateTime(toStartOfMonth(event_time), 'UTC'),
            toDateTime(0, 'UTC')
        ), 0, 'UTC') AS window,
        model_version,
        served,
        count() AS predictions,
        countIf(score IS NULL) AS without_score,
        countIf(NOT isFinite(score)) AS not_finite,
        avgWeightedOrNull(if(isFinite(score), score, NULL), 1 / sampling_rate) AS mean,
        arraySort(groupArrayIf((assumeNotNull(score), 1 / sampling_rate), isFinite(score))) AS scored
    FROM predictions_all_v
    WHERE model = {model:String}
        AND environment = {environment:String}
        AND event_time >= {since:DateTime64(6, 'UTC')}
        AND event_time < {until:DateTime64(6, 'UTC')}
        AND ({traffic:String} = 'all' OR served = ({traffic:String} = 'served'))
    GROUP BY window, model_version, served
),
placed AS
(
    SELECT
        *,
        scored.1 AS scores,
        -- over the least weight, so that equal ones are whole numbers and their sums exact
        arrayMap(weight -> weight / arrayMin(scored.2), scored.2) AS weights,
        arrayMap((weight, reached) -> reached - weight / 2, weights, arrayCumSum(weights)) AS places
    FROM grouped
),
quantiles AS
(
    SELECT
        *,
        arrayMap(
            wanted -> (wanted, greatest(arrayLastIndex(place -> place <= wanted, places), 1)),
            arrayMap(share -> places[1] + share * (places[-1] - places[1]), [0.05, 0.25, 0.5, 0.75, 0.95])
        ) AS found,
        arrayMap(
            (wanted, at) -> if(
                at >= length(scores),
                scores[-1],
                scores[at] + (wanted - places[at]) / (places[at + 1] - places[at]) * (scores[at + 1] - scores[at])
            ),
            found.1, found.2
        ) AS points
    FROM placed
)
SELECT
    window,
    model_version,
    served,
    predictions,
    without_score,
    not_finite,
    mean,
    -- about the mean, because sums of squares lose the spread of large scores
    sqrt(hindcast_ratio(arraySum((score, weight) -> weight * pow(score - assumeNotNull(mean), 2), scores, weights), arraySum(weights))) AS deviation,
    if(empty(scores), NULL, scores[1]) AS least,
    if(empty(scores), NULL, points[1]) AS p05,
    if(empty(scores), NULL, points[2]) AS p25,
    if(empty(scores), NULL, points[3]) AS p50,
    if(empty(scores), NULL, points[4]) AS p75,
    if(empty(scores), NULL, points[5]) AS p95,
    if(empty(scores), NULL, scores[-1]) AS greatest
FROM quantiles
ORDER BY window, model_version, served
