-- question: How good was the model in one segment over time, beside everybody else?
-- A segment is a value of a categorical feature or of an attribute to slice by. Counts are of rows on record; all other figures are estimates of
-- all predictions, each weighed 1 / sampling_rate.
-- parameters:
--   model String: model name
--   segment String: name of the feature or attribute
--   value String: its value
--   environment String = 'production': where it ran
--   every String = 'month' [day, week, month]: length of a row's window
--   since DateTime64(6, 'UTC') = 1970-01-01: first event time, UTC
--   until DateTime64(6, 'UTC') = 2299-12-31: event times before this, UTC
--   traffic String = 'served' [served, shadow, all]: served, shadow or both
-- columns:
--   window: start of the window of event time, UTC
--   model_version: version that answered
--   served: false: shadow traffic
--   predictions: of the segment
--   labelled: of these, with a truth
--   accuracy: share of decisions that were right
--   rest_accuracy: the same of everybody else
--   precision: true positives / decided positive
--   recall: true positives / positives
--   log_loss: mean, nats
--   rest_log_loss: the same of everybody else
--   mae: regression: mean absolute error
--   rest_mae: the same of everybody else
-- example: model=flights segment=carrier value=B6
-- plot: x=window y=accuracy by=model_version
-- output:
--   window      model_version  served  predictions  labelled  accuracy  rest_accuracy  precision  recall  log_loss  rest_log_loss  mae  rest_mae
--   2013-02-01  1              yes             130       121    0.5517          0.562      0.463  0.5208    0.7608         0.9208    -         -
--   2013-03-01  1              yes             162       156    0.6797         0.6339     0.5942  0.6613    0.8732         0.7346    -         -
--   2013-04-01  2              yes             129       126     0.605         0.6494     0.4828  0.6222    0.7214         0.6431    -         -
WITH placed AS
(
    SELECT
        toDateTime64(multiIf(
            {every:String} = 'day', toStartOfDay(event_time),
            {every:String} = 'week', toDateTime(toMonday(event_time), 'UTC'),
            toDateTime(toStartOfMonth(event_time), 'UTC')
        ), 0, 'UTC') AS window,
        model_version, served, label_state, positive, decided_positive, correct, log_loss, error, 1 / sampling_rate AS weight,
        (mapContains(segments, {segment:String}) AND segments[{segment:String}] = {value:String})
            OR ifNull(mapContains(categorical_features, {segment:String}) AND categorical_features[{segment:String}] = {value:String}, false) AS inside
    FROM outcomes_all_v
    WHERE model = {model:String}
        AND environment = {environment:String}
        AND event_time >= {since:DateTime64(6, 'UTC')}
        AND event_time < {until:DateTime64(6, 'UTC')}
        AND ({traffic:String} = 'all' OR served = ({traffic:String} = 'served'))
)
SELECT
    window,
    model_version,
    served,
    countIf(inside) AS predictions,
    countIf(inside AND label_state = 'labelled') AS labelled,
    avgWeightedOrNull(if(inside, correct, NULL), weight) AS accuracy,
    avgWeightedOrNull(if(inside, NULL, correct), weight) AS rest_accuracy,
    avgWeightedOrNull(if(inside AND decided_positive, positive, NULL), weight) AS precision,
    avgWeightedOrNull(if(inside AND positive, decided_positive, NULL), weight) AS recall,
    avgWeightedOrNull(if(inside, p.log_loss, NULL), weight) AS log_loss,
    avgWeightedOrNull(if(inside, NULL, p.log_loss), weight) AS rest_log_loss,
    avgWeightedOrNull(if(inside, abs(error), NULL), weight) AS mae,
    avgWeightedOrNull(if(inside, NULL, abs(error)), weight) AS rest_mae
FROM placed AS p
GROUP BY window, model_version, served
HAVING predictions > 0
ORDER BY window, model_version, served
