-- question: What did the model say about one entity, and what came true?
-- parameters:
--   model String: model name
--   entity String: entity_id of the subject
--   environment String = 'production': where it ran
--   since DateTime64(6, 'UTC') = 1970-01-01: first event time, UTC
--   until DateTime64(6, 'UTC') = 2299-12-31: event times before this, UTC
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
-- example: model=flights entity=N7
-- output:
--   event_time                  model_version  served  prediction_id  output  score  decision  label_state  truth    truth_value  correct  true_at                     truth_known_at              numeric_features                                                      categorical_features
--   2013-04-29 20:50:39.560439  2              yes     p807                    0.69  late      labelled     late               -        1  2013-04-29 22:50:39.560439  2013-04-29 23:43:15.560439  {"distance": 733.0362903285477, "temperature": 1.3433037411731101}    {"origin": "EWR", "carrier": "UA"}
--   2013-04-26 15:19:44.427599  2              yes     p687                    0.72  late      labelled     on_time            -        0  2013-04-26 17:19:44.427599  2013-04-26 20:23:23.427599  {"distance": 999.3989211292411, "temperature": 1.0797575475901164}    {"origin": "EWR", "carrier": "UA"}
--   2013-04-26 07:35:11.581876  2              yes     p847                    0.34  on_time   labelled     late               -        0  2013-04-26 09:35:11.581876  2013-04-26 07:57:45.581876  {"distance": 2474.979307060662, "temperature": -0.14740144512050724}  {"origin": "JFK", "carrier": "UA"}
SELECT
    event_time, model_version, served, prediction_id, output, score, decision, label_state, truth, truth_value, correct, true_at,
    truth_known_at, numeric_features, categorical_features
FROM outcomes_all_of(t = {t:DateTime64(6, 'UTC')}, model = {model:String}, entity = {entity:String})
WHERE model = {model:String}
    AND environment = {environment:String}
    AND event_time >= {since:DateTime64(6, 'UTC')}
    AND event_time < {until:DateTime64(6, 'UTC')}
    AND entity_id = {entity:String}
    AND ({traffic:String} = 'all' OR served = ({traffic:String} = 'served'))
ORDER BY event_time DESC, model_version, output, prediction_id
LIMIT {most:UInt32}
