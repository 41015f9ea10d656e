-- predictions_all_v: every prediction exactly once, shadow traffic included (served = false), with the role that its version
-- played at event_time. predictions_v holds the served ones.
-- example: SELECT served, count() FROM predictions_all_v WHERE model = 'flights' GROUP BY served
CREATE OR REPLACE VIEW predictions_all_v{on_cluster}
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
    `producer_id` Nullable(String) COMMENT 'producer process',
    `sequence` Nullable(Int64) COMMENT 'its counter',
    `known_at` DateTime64(6, 'UTC') COMMENT 'when we knew, UTC',
    `backfilled` Bool COMMENT 'known_at was stated by a bulk load',
    `contract` LowCardinality(String) COMMENT 'digest of the contract in effect; empty: none',
    `warnings` Array(LowCardinality(String)) COMMENT 'what broke the contract and was kept'
)
AS
SELECT
    p.model AS model,
    p.environment AS environment,
    p.model_version AS model_version,
    if(p.event_time < ifNull(l.valid_to, toDateTime64('2299-12-31 23:59:59', 6, 'UTC')), l.role, '') AS role,
    p.prediction_id AS prediction_id,
    p.output AS output,
    p.event_time AS event_time,
    p.served AS served,
    p.request_id AS request_id,
    p.item_index AS item_index,
    p.rank AS rank,
    p.entity_id AS entity_id,
    p.target_time AS target_time,
    p.numeric_features AS numeric_features,
    p.categorical_features AS categorical_features,
    p.segments AS segments,
    p.score AS score,
    p.decision AS decision,
    p.probabilities AS probabilities,
    p.quantiles AS quantiles,
    p.status AS status,
    p.error AS error,
    p.latency_ms AS latency_ms,
    p.sampling_rate AS sampling_rate,
    p.trace_id AS trace_id,
    p.producer_id AS producer_id,
    p.sequence AS sequence,
    p.known_at AS known_at,
    p.backfilled AS backfilled,
    p.contract AS contract,
    p.warnings AS warnings
FROM (SELECT * FROM predictions FINAL) AS p
ASOF LEFT JOIN live_versions AS l
    ON p.model = l.model AND p.environment = l.environment AND p.model_version = l.model_version AND p.event_time >= l.valid_from
COMMENT 'Every prediction exactly once, shadow traffic included, with its role at event_time'
