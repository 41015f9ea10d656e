-- question: What did the model say about one entity, and what came true?
-- parameters:
--   model String: model name
--   entity String: entity_id of the subject
--   environment String = 'production': where it ran
--   t DateTime64(6, 'UTC') = now: as known at this moment, UTC
--   traffic String = 'all' [served, shadow, all]: served, shadow or both
--   most UInt32 = 1000: rows at most, the newest
-- columns:
--   event_time: when it was predicted, UTC
--   model_version: version that answered
--   served: false: shadow traffic
--   prediction_id: id of the prediction
--   output: which output of a multi-output model
--   score: the number the model gave
--   decision: what was decided
--   label_state: labelled, unlabelled, retracted or void
--   truth: true class
--   truth_value: true number
--   correct: the decision was right
--   true_at: when it became true, UTC
--   truth_known_at: when we knew it, UTC
--   numeric_features: what the model was told
--   categorical_features: what the model was told
-- example: model=flights entity=N14228
SELECT
    event_time, model_version, served, prediction_id, output, score, decision, label_state, truth, truth_value, correct, true_at,
    truth_known_at, numeric_features, categorical_features
FROM outcomes_all_as_of(t = {t:DateTime64(6, 'UTC')})
WHERE model = {model:String}
    AND environment = {environment:String}
    AND entity_id = {entity:String}
    AND ({traffic:String} = 'all' OR served = ({traffic:String} = 'served'))
ORDER BY event_time DESC, model_version, output, prediction_id
LIMIT {most:UInt32}
