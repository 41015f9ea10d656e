-- question: How good was each version per month, as it was known at a moment?
-- From the predictions and labels with known_at <= t alone, so corrections, retractions and labels that came later are not in.
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
--   coverage: labelled / (due - void); provisional: labelled / predictions
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
