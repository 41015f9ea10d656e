-- question: How well does each version's score rank positives above negatives, month by month?
-- Exact from rows by the rank sum (Mann-Whitney): the share of pairs (positive, negative) in which the positive scores higher, ties count half.
-- Counts are of rows on record; each prediction weighs 1 / sampling_rate in the area.
-- parameters:
--   model String: model name
--   environment String = 'production': where it ran
--   since DateTime64(6, 'UTC') = 1970-01-01: first event time, UTC
--   until DateTime64(6, 'UTC') = 2299-12-31: event times before this, UTC
--   traffic String = 'served' [served, shadow, all]: served, shadow or both
-- columns:
--   month: first day of the month of event time, UTC
--   model_version: version that answered
--   served: false: shadow traffic
--   positives: labelled, truth is the positive class
--   negatives: labelled, it is not
--   roc_auc: 0.5 for chance, 1 for a perfect order; NULL without a pair
-- example: model=flights
-- plot: x=month y=roc_auc by=model_version
-- output:
--   month       model_version  served  positives  negatives  roc_auc
--   2013-02-01  1              yes            97        140   0.5904
--   2013-03-01  1              yes           112        153   0.6972
--   2013-04-01  2              yes           115        158   0.6613
WITH
per_score AS
(
    SELECT
        toStartOfMonth(event_time) AS month,
        model_version,
        served,
        score,
        countIf(positive) AS positives,
        countIf(NOT positive) AS negatives,
        sumIf(1 / sampling_rate, positive) AS positive_weight,
        sumIf(1 / sampling_rate, NOT positive) AS negative_weight
    FROM outcomes_all_v
    WHERE model = {model:String}
        AND environment = {environment:String}
        AND event_time >= {since:DateTime64(6, 'UTC')}
        AND event_time < {until:DateTime64(6, 'UTC')}
        AND ({traffic:String} = 'all' OR served = ({traffic:String} = 'served'))
        AND positive IS NOT NULL
        AND isFinite(score)
    GROUP BY month, model_version, served, score
),
ranked AS
(
    SELECT
        *,
        sum(negative_weight) OVER (
            PARTITION BY month, model_version, served ORDER BY score ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) - negative_weight AS weight_below
    FROM per_score
)
SELECT
    month,
    model_version,
    served,
    sum(r.positives) AS positives,
    sum(r.negatives) AS negatives,
    hindcast_ratio(sum(positive_weight * (2 * weight_below + negative_weight)), 2 * sum(positive_weight) * sum(negative_weight)) AS roc_auc
FROM ranked AS r
GROUP BY month, model_version, served
ORDER BY month, model_version, served
