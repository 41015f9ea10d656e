-- labels_v: the fact that counts about each id, as known now: the last by (reported_at, kind, label_id). One row per id a source
-- spoke about (and version and environment, where it named one). Which prediction it belongs to is outcomes_v's business.
-- example: SELECT label_state, count() FROM labels_v WHERE model = 'flights' GROUP BY label_state
CREATE OR REPLACE VIEW labels_v{on_cluster}
(
    `model` LowCardinality(String) COMMENT 'model name',
    `prediction_id` String COMMENT 'the id it is about',
    `output` LowCardinality(String) COMMENT 'output',
    `model_version` Nullable(String) COMMENT 'NULL: every version',
    `environment` Nullable(String) COMMENT 'NULL: every environment',
    `label_id` String COMMENT 'the fact',
    `label_state` String COMMENT 'labelled, retracted or void',
    `truth` Nullable(String) COMMENT 'true class; NULL unless labelled',
    `truth_value` Nullable(Float64) COMMENT 'true number; NULL unless labelled',
    `true_at` Nullable(DateTime64(6, 'UTC')) COMMENT 'when it became true, UTC',
    `reported_at` DateTime64(6, 'UTC') COMMENT 'when the source told, UTC',
    `known_at` DateTime64(6, 'UTC') COMMENT 'when we knew, UTC',
    `backfilled` Bool COMMENT 'known_at was stated by a bulk load',
    `source` Nullable(String) COMMENT 'who says so',
    `facts` UInt64 COMMENT 'how many facts are known',
    `first_known_at` DateTime64(6, 'UTC') COMMENT 'when the first of them was known, UTC'
)
AS
SELECT
    model, prediction_id, output, model_version, environment, label_id, label_state, truth, truth_value,
    true_at, reported_at, known_at, backfilled, source, facts, first_known_at
FROM labels_as_of(t = toDateTime64('2299-12-31 23:59:59', 6, 'UTC'))
COMMENT 'The fact that counts about each id, as known now'
