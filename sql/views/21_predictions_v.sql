-- predictions_v: every served prediction exactly once, with the role that its version played at event_time. Columns as in
-- predictions_all_v, which holds shadow traffic too.
-- example: SELECT model_version, role, count() FROM predictions_v WHERE model = 'flights' GROUP BY model_version, role
CREATE OR REPLACE VIEW predictions_v{on_cluster}
(
    `model` LowCardinality(String) COMMENT 'model name',
    `environment` LowCardinality(String) COMMENT 'where it ran',
    `model_version` LowCardinality(String) COMMENT 'version that answered',
    `role` String COMMENT 'role of that version at event_time: champion, challenger, shadow; empty: not deployed then',
    `prediction_id` String COMMENT 'id of the prediction',
    `output` LowCardinality(String) COMMENT 'which output of a multi-output model',
    `event_time` DateTime64(6, 'UTC') COMMENT 'when the prediction was made, UTC',
    `served` Bool COMMENT 'false: shadow traffic nobody saw',
    `request_id` Nullable(String) COMMENT 'the request',
    `item_index` Nullable(Int32) COMMENT 'place in its request, from 0',
    `rank` Nullable(Int32) COMMENT 'place it was shown at',
    `entity_id` Nullable(String) COMMENT 'the subject',
    `target_time` Nullable(DateTime64(6, 'UTC')) COMMENT 'what moment a forecast is about, UTC',
    `numeric_features` Map(LowCardinality(String), Nullable(Float64)) COMMENT 'inputs that are numbers',
    `categorical_features` Map(LowCardinality(String), Nullable(String)) COMMENT 'inputs that are categories',
    `segments` Map(LowCardinality(String), String) COMMENT 'attributes to slice by that are no inputs',
    `score` Nullable(Float64) COMMENT 'the number the model gave: probability of the positive class, regression value or relevance',
    `decision` LowCardinality(Nullable(String)) COMMENT 'what was decided',
    `probabilities` Map(LowCardinality(String), Float64) COMMENT 'probability per class',
    `quantiles` Map(LowCardinality(String), Float64) COMMENT 'value per quantile',
    `status` LowCardinality(String) COMMENT 'ok or error',
    `error` Nullable(String) COMMENT 'class of the failure',
    `latency_ms` Nullable(Float64) COMMENT 'milliseconds the model took',
    `sampling_rate` Float64 COMMENT 'probability of having been kept',
    `trace_id` Nullable(String) COMMENT 'W3C trace id',
    `span_id` Nullable(String) COMMENT 'W3C span id',
    `producer_id` Nullable(String) COMMENT 'producer process',
    `sequence` Nullable(Int64) COMMENT 'its counter',
    `known_at` DateTime64(6, 'UTC') COMMENT 'when we knew, UTC',
    `backfilled` Bool COMMENT 'known_at was stated by a bulk load',
    `contract` LowCardinality(String) COMMENT 'digest of the contract in effect; empty: none',
    `warnings` Array(LowCardinality(String)) COMMENT 'what broke the contract and was kept'
)
AS
SELECT * FROM predictions_all_v WHERE served
COMMENT 'Every served prediction exactly once, with its role at event_time'
