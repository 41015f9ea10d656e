-- question: How good was each version per month, as it was known at a moment?
-- From the predictions and labels with known_at <= t alone, so corrections, retractions and labels that came later are not in.
-- Counts are of rows on record; coverage and figures are estimates of all predictions, each weighed 1 / sampling_rate.
-- parameters:
--   model String: model name
--   t DateTime64(6, 'UTC'): the moment of knowledge, UTC
--   environment String = 'production': where it ran
--   since DateTime64(6, 'UTC') = 1970-01-01: first month, UTC
--   until DateTime64(6, 'UTC') = 2299-12-31: months before this, UTC
--   traffic String = 'served' [served, shadow, all]: served, shadow or both
-- columns:
--   month: first day of the month, UTC
--   model_version: version that answered
--   output: which output of a multi-output model
--   served: false: shadow traffic
--   predictions: known at t
--   labelled: of these, with a truth at t
--   void: of these, whose truth was known never to come
--   coverage: share labelled of those due and not void; provisional: of all
--   provisional: at t the label horizon had not passed for all
--   accuracy: share of decisions that were right
--   precision: true positives / decided positive
--   recall: true positives / positives
--   f1: harmonic mean of precision and recall
--   log_loss: mean, nats, probabilities clipped at 1e-15
--   brier: mean of (score - positive) squared
--   roc_auc: area under the ROC curve, ties count half
--   mae: regression: mean absolute error, unit of the truth
--   rmse: regression: root of the mean squared error, unit of the truth
-- example: model=flights t=2013-07-01
-- plot: x=month y=roc_auc by=model_version
-- output:
--   month       model_version  output  served  predictions  labelled  void  coverage  provisional  accuracy  precision  recall      f1  log_loss   brier  roc_auc  mae  rmse
--   2013-02-01  1                      yes             283       242     5    0.8705            0     0.557     0.4643  0.5361  0.4976    0.8425  0.2911   0.5904    -     -
--   2013-03-01  1                      yes             304       268     5    0.8963            0    0.6604     0.5833  0.6875  0.6311    0.8146  0.2349   0.6972    -     -
--   2013-04-01  2                      yes             313       280     5    0.9091            0      0.63      0.553  0.6348  0.5911    0.6772  0.2398   0.6613    -     -
SELECT
    month, model_version, output, served, predictions, labelled, void, coverage, provisional, accuracy, precision, recall, f1, log_loss,
    brier, roc_auc, mae, rmse
FROM quality_as_of(t = {t:DateTime64(6, 'UTC')})
WHERE model = {model:String}
    AND environment = {environment:String}
    AND month >= toStartOfMonth({since:DateTime64(6, 'UTC')})
    AND month < {until:DateTime64(6, 'UTC')}
    AND ({traffic:String} = 'all' OR served = ({traffic:String} = 'served'))
ORDER BY month, model_version, output, served
