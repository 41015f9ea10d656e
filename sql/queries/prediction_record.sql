-- question: What is recorded about one prediction: what was said, by which version, and every word about its truth?
-- In the order in which we knew it, each with its place in Kafka, so that anybody can check it against the log. A prediction that was sent
-- again is one row.
-- parameters:
--   model String: model name
--   prediction_id String: id of the prediction
--   environment String = '': where it ran; empty: everywhere
--   since DateTime64(6, 'UTC') = 1970-01-01: first event time, UTC
--   until DateTime64(6, 'UTC') = 2299-12-31: event times before this, UTC
--   t DateTime64(6, 'UTC') = now: as known at this moment, UTC
-- columns:
--   known_at: when we knew, UTC
--   what: prediction, truth, correction, retraction or void
--   happened_at: when it was predicted, or became true, UTC
--   model_version: version that answered, or that the fact names; empty: every version
--   environment: where it ran, or that the fact names; empty: everywhere
--   output: which output of a multi-output model
--   served: false: shadow traffic; NULL: a fact
--   score: the number the model gave
--   decision: what was decided
--   status: ok or error; NULL: a fact
--   truth: true class, or true number as text
--   source: who says so
--   fact: id of the fact; of a prediction the digest of its contract
--   topic_id: Kafka's UUID of the topic; empty: loaded from a file
--   partition: its partition
--   offset: its offset
-- example: model=flights prediction_id=p21
-- output:
--   known_at                    what        happened_at                 model_version  environment  output  served  score  decision  status  truth    source      fact  topic_id                 partition  offset
--   2013-04-14 03:17:07.114407  prediction  2013-04-14 03:17:07.114407  2              production           yes      0.76  late      ok      -        producer-1  c1    dG9waWMtb2YtdGhlLXRlc3Q          0    1019
--   2013-04-14 07:42:49.114407  truth       2013-04-14 05:17:07.114407                                      -           -  -         -       late     -           a21   dG9waWMtb2YtdGhlLXRlc3Q          0    1242
--   2013-04-15 07:42:49.114407  correction  2013-04-14 05:17:07.114407                                      -           -  -         -       on_time  -           b21   dG9waWMtb2YtdGhlLXRlc3Q          0    1243
SELECT *
FROM
(
    SELECT
        known_at, 'prediction' AS what, toNullable(event_time) AS happened_at, toString(model_version) AS model_version,
        toString(environment) AS environment, toString(output) AS output, toNullable(served) AS served, score,
        CAST(decision, 'Nullable(String)') AS decision, toNullable(toString(status)) AS status, CAST(NULL, 'Nullable(String)') AS truth,
        producer_id AS source, toString(contract) AS fact, toString(_topic_id) AS topic_id, _partition AS partition, _offset AS offset
    FROM predictions FINAL
    WHERE model = {model:String}
        AND prediction_id = {prediction_id:String}
        AND ({environment:String} = '' OR environment = {environment:String})
        AND event_time >= {since:DateTime64(6, 'UTC')}
        AND event_time < {until:DateTime64(6, 'UTC')}
        AND known_at <= {t:DateTime64(6, 'UTC')}
    UNION ALL
    SELECT
        known_at, toString(kind) AS what, true_at AS happened_at, ifNull(model_version, '') AS model_version,
        ifNull(environment, '') AS environment, toString(output) AS output, NULL AS served, NULL AS score,
        NULL AS decision, NULL AS status, ifNull(truth, toString(truth_value)) AS truth,
        source, label_id AS fact, toString(_topic_id) AS topic_id, _partition AS partition, _offset AS offset
    FROM labels FINAL
    WHERE model = {model:String}
        AND prediction_id = {prediction_id:String}
        AND ({environment:String} = '' OR ifNull(labels.environment, {environment:String}) = {environment:String})
        AND known_at <= {t:DateTime64(6, 'UTC')}
)
ORDER BY known_at, what = 'prediction' DESC, happened_at, model_version, output, fact
