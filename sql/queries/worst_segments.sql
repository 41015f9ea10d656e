-- question: In which segments is the model wrong most often?
-- Every value of every categorical feature and segment attribute is a segment. Ordered by error share; of a regression by mae.
-- Counts are of rows on record; shares and means are estimates of all predictions, each weighed 1 / sampling_rate.
-- parameters:
--   model String: model name
--   environment String = 'production': where it ran
--   model_version String = '': one version; empty: all
--   by String = '': one feature or attribute; empty: all
--   since DateTime64(6, 'UTC') = 1970-01-01: first event time, UTC
--   until DateTime64(6, 'UTC') = 2299-12-31: event times before this, UTC
--   minimum UInt32 = 100: labelled predictions a segment must have
--   traffic String = 'served' [served, shadow, all]: served, shadow or both
--   most UInt32 = 20: rows at most
-- columns:
--   segment: name of the feature or attribute
--   value: its value
--   labelled: predictions with a truth, and a decision or a number to compare with it
--   errors: of these, decided wrongly; empty for a regression
--   error_share: share of the labelled that were decided wrongly
--   overall_error_share: the same over all segments
--   share_of_errors: share of all wrong decisions that were of this segment
--   log_loss: mean, nats
--   mae: regression: mean absolute error
-- example: model=flights by=carrier
-- plot: x=value y=error_share by=segment
-- output:
--   segment  value  labelled  errors  error_share  overall_error_share  share_of_errors  log_loss  mae
--   carrier  AA          345     134       0.3884               0.3819           0.4527    0.7703    -
--   carrier  B6          388     148       0.3814               0.3819              0.5     0.793    -
WITH judged AS
(
    SELECT categorical_features, segments, correct, log_loss, error, 1 / sampling_rate AS weight
    FROM outcomes_all_v
    WHERE model = {model:String}
        AND environment = {environment:String}
        AND ({model_version:String} = '' OR model_version = {model_version:String})
        AND event_time >= {since:DateTime64(6, 'UTC')}
        AND event_time < {until:DateTime64(6, 'UTC')}
        AND ({traffic:String} = 'all' OR served = ({traffic:String} = 'served'))
        AND (correct IS NOT NULL OR error IS NOT NULL)
),
whole AS
(
    SELECT avgWeightedOrNull(NOT correct, weight) AS share, sumIf(weight, NOT correct) AS all_errors FROM judged
)
SELECT
    pair.1 AS segment,
    pair.2 AS value,
    count() AS labelled,
    if(countIf(correct IS NOT NULL) = 0, NULL, countIf(NOT correct)) AS errors,
    avgWeightedOrNull(NOT correct, weight) AS error_share,
    any(whole.share) AS overall_error_share,
    if(errors IS NULL, NULL, hindcast_ratio(sumIf(weight, NOT correct), any(whole.all_errors))) AS share_of_errors,
    avgWeightedOrNull(j.log_loss, weight) AS log_loss,
    avgWeightedOrNull(abs(error), weight) AS mae
FROM judged AS j
CROSS JOIN whole
ARRAY JOIN arrayConcat(
    arrayZip(mapKeys(categorical_features), mapValues(categorical_features)),
    arrayMap(pair -> (pair.1, toNullable(pair.2)), arrayZip(mapKeys(segments), mapValues(segments)))
) AS pair
WHERE {by:String} = '' OR pair.1 = {by:String}
GROUP BY segment, value
HAVING labelled >= {minimum:UInt32}
ORDER BY error_share DESC NULLS LAST, mae DESC NULLS LAST, labelled DESC, segment, value
LIMIT {most:UInt32}
