-- quality_as_of(t): how good each version was per UTC month of event time, from the facts known at t alone (known_at <= t).
-- Shadow traffic stands in rows of its own (served = false). Figures are over predictions labelled at t, and leave out scores,
-- probabilities and truths that are not finite; NULL where there is nothing to make them of.
-- parameter: t DateTime64(6, 'UTC'), the moment of knowledge
-- columns: model, environment, model_version, output, served, month (its first day), predictions, due (label horizon passed at t),
--   labelled, void, coverage (labelled / (due - void); provisional: labelled / predictions), provisional (the horizon has not
--   passed for all), positives, true_positives, false_positives, false_negatives, true_negatives, accuracy, precision, recall, f1,
--   log_loss (nats, clipped at 1e-15), brier, roc_auc (exact, ties count half), mae, rmse, bias (mean of score - truth_value)
-- example: SELECT month, labelled, coverage, roc_auc FROM quality_as_of(t = '2013-07-01 00:00:00') WHERE model = 'flights' AND served
CREATE OR REPLACE VIEW quality_as_of{on_cluster} AS
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
    hindcast_ratio(labelled, if(provisional, predictions, due - void)) AS coverage,
    countIf(positive) AS positives,
    countIf(positive AND decided_positive) AS true_positives,
    countIf(NOT positive AND decided_positive) AS false_positives,
    countIf(positive AND NOT decided_positive) AS false_negatives,
    countIf(NOT positive AND NOT decided_positive) AS true_negatives,
    hindcast_ratio(countIf(correct), countIf(correct IS NOT NULL)) AS accuracy,
    hindcast_ratio(true_positives, true_positives + false_positives) AS precision,
    hindcast_ratio(true_positives, true_positives + false_negatives) AS recall,
    hindcast_ratio(2 * true_positives, 2 * true_positives + false_positives + false_negatives) AS f1,
    avgOrNull(o.log_loss) AS log_loss,
    avgOrNull(o.brier) AS brier,
    if(
        countIf(positive AND isFinite(score)) = 0 OR countIf(NOT positive AND isFinite(score)) = 0,
        NULL,
        arrayROCAUC(
            groupArrayIf(assumeNotNull(score), positive IS NOT NULL AND isFinite(score)),
            groupArrayIf(assumeNotNull(positive), positive IS NOT NULL AND isFinite(score))
        )
    ) AS roc_auc,
    avgOrNull(abs(error)) AS mae,
    sqrt(avgOrNull(error * error)) AS rmse,
    avgOrNull(error) AS bias
FROM outcomes_all_as_of(t = {t:DateTime64(6, 'UTC')}) AS o
GROUP BY model, environment, model_version, output, served, month
COMMENT 'How good each version was per month, from the facts known at t'
