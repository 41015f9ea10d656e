-- quality_as_of(t): how good each version was per UTC month of event time, from the facts known at t alone (known_at <= t).
-- Shadow traffic stands in rows of its own (served = false). Figures are over predictions labelled at t, and leave out scores,
-- probabilities and truths that are not finite; NULL where there is nothing to make them of. Counts are of rows on record; coverage and
-- figures are estimates of all predictions, each weighed 1 / sampling_rate, where those of quality_v are over rows as they are.
-- parameter: t DateTime64(6, 'UTC'), the moment of knowledge
-- columns: model, environment, model_version, output, served, month (its first day), predictions, due (label horizon passed at t),
--   labelled, void, coverage (share labelled of those due and not void; provisional: of all), provisional (the horizon has not
--   passed for all), positives, true_positives, false_positives, false_negatives, true_negatives, accuracy, precision, recall, f1,
--   log_loss (nats, clipped at 1e-15), brier, roc_auc (exact, ties count half), mae, rmse, bias (mean of score - truth_value)
-- example: SELECT month, labelled, coverage, roc_auc FROM quality_as_of(t = '2013-07-01 00:00:00') WHERE model = 'flights' AND served
CREATE OR REPLACE VIEW quality_as_of{on_cluster} AS
WITH 1 / sampling_rate AS weight
SELECT
    model,
    environment,
    model_version,
    output,
    served,
    toStartOfMonth(event_time) AS month,
    count() AS predictions,
    countIf(due_at <= {t:DateTime64(6, 'UTC')}) AS due,
    countIf(label_state = 'labelled') AS labelled,
    countIf(label_state = 'void') AS void,
    due < predictions AS provisional,
    if(
        provisional,
        avgWeighted(label_state = 'labelled', weight),
        avgWeightedOrNull(if(label_state = 'void', NULL, label_state = 'labelled'), weight)
    ) AS coverage,
    countIf(positive) AS positives,
    countIf(positive AND decided_positive) AS true_positives,
    countIf(NOT positive AND decided_positive) AS false_positives,
    countIf(positive AND NOT decided_positive) AS false_negatives,
    countIf(NOT positive AND NOT decided_positive) AS true_negatives,
    avgWeightedOrNull(correct, weight) AS accuracy,
    avgWeightedOrNull(if(decided_positive, positive, NULL), weight) AS precision,
    avgWeightedOrNull(if(positive, decided_positive, NULL), weight) AS recall,
    hindcast_ratio(
        2 * sumIf(weight, positive AND decided_positive),
        sumIf(weight, positive AND decided_positive IS NOT NULL) + sumIf(weight, positive IS NOT NULL AND decided_positive)
    ) AS f1,
    avgWeightedOrNull(o.log_loss, weight) AS log_loss,
    avgWeightedOrNull(o.brier, weight) AS brier,
    hindcast_roc_auc(
        groupArrayIf(assumeNotNull(score), positive IS NOT NULL AND isFinite(score)),
        groupArrayIf(assumeNotNull(positive), positive IS NOT NULL AND isFinite(score)),
        groupArrayIf(weight, positive IS NOT NULL AND isFinite(score))
    ) AS roc_auc,
    avgWeightedOrNull(abs(error), weight) AS mae,
    sqrt(avgWeightedOrNull(error * error, weight)) AS rmse,
    avgWeightedOrNull(error, weight) AS bias
FROM outcomes_all_as_of(t = {t:DateTime64(6, 'UTC')}) AS o
GROUP BY model, environment, model_version, output, served, month
COMMENT 'How good each version was per month, from the facts known at t'
