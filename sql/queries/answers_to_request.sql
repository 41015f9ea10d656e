-- question: What was answered to one request or in one trace, in which order, and how long did it take?
-- Give the request's id or a W3C trace id; times bound what is read.
-- parameters:
--   model String = '': one model; empty: all
--   request String = '': request id; empty: by trace
--   trace String = '': W3C trace id; empty: by request
--   since DateTime64(6, 'UTC') = 1970-01-01: first event time, UTC
--   until DateTime64(6, 'UTC') = 2299-12-31: event times before this, UTC
--   most UInt32 = 1000: rows at most
-- columns:
--   event_time: when it was predicted, UTC
--   model: model name
--   environment: where it ran
--   model_version: version that answered
--   role: role of that version at that time
--   served: false: shadow traffic
--   prediction_id: id of the prediction
--   output: which output of a multi-output model
--   item_index: place in its request, from 0
--   rank: place it was shown at
--   entity_id: the subject
--   score: the number the model gave
--   decision: what was decided
--   status: ok or error
--   error: class of the failure
--   latency_ms: milliseconds the model took
--   request_id: the request
--   trace_id: W3C trace id
-- example: model=flights request=r7
-- output:
--   event_time                  model    environment  model_version  role      served  prediction_id  output  item_index  rank  entity_id  score  decision  status  error  latency_ms  request_id  trace_id
--   2013-03-05 07:38:20.998951  flights  production   1              champion  yes     p23                             2     -  N23         0.37  on_time   ok      -               7  r7          t7
--   2013-03-05 07:38:20.998951  flights  production   2              shadow    no      p23                             2     -  N23          0.8  late      ok      -               7  r7          t7
--   2013-03-28 22:23:40.994312  flights  production   1              champion  yes     p22                             1     -  N22         0.02  on_time   ok      -              31  r7          t7
SELECT
    event_time, model, environment, model_version, role, served, prediction_id, output, item_index, rank, entity_id, score, decision, status,
    error, latency_ms, request_id, trace_id
FROM predictions_all_v
WHERE ({model:String} = '' OR model = {model:String})
    AND (
        ({request:String} != '' AND request_id = {request:String})
        OR ({trace:String} != '' AND trace_id = {trace:String})
    )
    AND event_time >= {since:DateTime64(6, 'UTC')}
    AND event_time < {until:DateTime64(6, 'UTC')}
ORDER BY event_time, model, model_version, item_index, output, prediction_id
LIMIT {most:UInt32}
