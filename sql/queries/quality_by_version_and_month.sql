-- question: How good was each version per month, and for how many of its predictions is the truth known?
-- From the facts known now. AUC, log loss and the confusion matrix are exact, from rows. Provisional months are a biased sample: their late
-- labels are still to come.
-- Counts are of rows on record; coverage and figures are estimates of all predictions, each weighed 1 / sampling_rate.
-- parameters:
--   model String: model name
--   environment String = 'production': where it ran
--   since DateTime64(6, 'UTC') = 1970-01-01: first month, UTC
--   until DateTime64(6, 'UTC') = 2299-12-31: months before this, UTC
--   traffic String = 'served' [served, shadow, all]: served, shadow or both
-- columns:
--   month: first day of the month, UTC
--   model_version: version that answered
--   output: which output of a multi-output model
--   served: false: shadow traffic
--   predictions: count
--   labelled: of these, with a truth
--   void: of these, whose truth will never come
--   coverage: share labelled of those due and not void; provisional: of all
--   provisional: the label horizon has not passed for all
--   positives: labelled whose truth is the positive class
--   true_positives: decided positive, and were
--   false_positives: decided positive, and were not
--   false_negatives: decided negative, and were positive
--   true_negatives: decided negative, and were
--   accuracy: share of decisions that were right
--   precision: true positives / decided positive
--   recall: true positives / positives
--   f1: harmonic mean of precision and recall
--   log_loss: mean, nats, probabilities clipped at 1e-15
--   brier: mean of (score - positive) squared
--   roc_auc: area under the ROC curve, ties count half
--   mae: regression: mean absolute error, unit of the truth
--   rmse: regression: root of the mean squared error, unit of the truth
--   bias: regression: mean of score - truth, unit of the truth
-- example: model=flights traffic=all
-- plot: x=month y=roc_auc by=model_version
-- output:
--   month       model_version  output  served  predictions  labelled  void  coverage  provisional  positives  true_positives  false_positives  false_negatives  true_negatives  accuracy  precision  recall      f1  log_loss   brier  roc_auc  mae  rmse  bias
--   2013-02-01  1                      yes             283       242     5    0.8705            0         99              52               60               45              80     0.557     0.4643  0.5361  0.4976    0.8425  0.2911   0.5904    -     -     -
--   2013-03-01  1                      yes             304       268     5    0.8963            0        113              77               55               35              98    0.6604     0.5833  0.6875  0.6311    0.8146  0.2349   0.6972    -     -     -
--   2013-03-01  2                      no              304       268     5    0.8963            0        113              71               46               41             107    0.6717     0.6068  0.6339  0.6201    0.6094  0.2111   0.7307    -     -     -
SELECT
    month, model_version, output, served, predictions, labelled, void, coverage, provisional, positives, true_positives,
    false_positives, false_negatives, true_negatives, accuracy, precision, recall, f1, log_loss, brier, roc_auc, mae, rmse, bias
FROM quality_as_of(t = now64(6, 'UTC'))
WHERE model = {model:String}
    AND environment = {environment:String}
    AND month >= toStartOfMonth({since:DateTime64(6, 'UTC')})
    AND month < {until:DateTime64(6, 'UTC')}
    AND ({traffic:String} = 'all' OR served = ({traffic:String} = 'served'))
ORDER BY month, model_version, output, served
