-- unmatched_labels: facts that belong to no prediction so far: pending while one may still come, orphans once the label horizon has
-- passed since the broker appended the fact. The horizon is that of the contract in effect then in the fact's environment (production
-- where it names none), as for the joiner; 30 days without one. The joiner drops none of them.
-- example: SELECT state, count() FROM unmatched_labels WHERE model = 'flights' GROUP BY state
CREATE OR REPLACE VIEW unmatched_labels{on_cluster}
(
    `model` LowCardinality(String) COMMENT 'model name',
    `prediction_id` String COMMENT 'the id it is about',
    `output` LowCardinality(String) COMMENT 'output',
    `model_version` Nullable(String) COMMENT 'version it names; NULL: every version',
    `environment` Nullable(String) COMMENT 'environment it names; NULL: every environment',
    `label_id` String COMMENT 'the fact',
    `kind` String COMMENT 'truth, correction, retraction or void',
    `reported_at` DateTime64(6, 'UTC') COMMENT 'when the source told, UTC',
    `known_at` DateTime64(6, 'UTC') COMMENT 'when we knew, UTC',
    `appended_at` DateTime64(6, 'UTC') COMMENT 'when the broker appended it, UTC',
    `orphan_at` DateTime64(6, 'UTC') COMMENT 'when a prediction comes too late for it, UTC',
    `state` String COMMENT 'pending or orphan'
)
AS
SELECT
    f.model AS model, f.prediction_id AS prediction_id, f.output AS output, f.model_version AS model_version,
    f.environment AS environment, f.label_id AS label_id, toString(f.kind) AS kind, f.reported_at AS reported_at,
    f.known_at AS known_at, f._appended_at AS appended_at,
    f._appended_at + toIntervalSecond(if(a.digest = '', 2592000, a.horizon_s)) AS orphan_at,
    if(orphan_at < now64(6, 'UTC'), 'orphan', 'pending') AS state
FROM
(
    SELECT
        l.*,
        ifNull(l.environment, 'production') AS said_environment,
        if((l.model, said_environment) IN (SELECT model, environment FROM label_horizons), said_environment, '') AS contract_environment
    FROM labels AS l FINAL
    LEFT ANTI JOIN
    (
        SELECT
            model, prediction_id, output, reported_at,
            -- the joiner puts the time after a label_id that an earlier fact of the same prediction id has
            concat(' ', toString(toUnixTimestamp64Micro(reported_at))) AS again,
            if(endsWith(label_id, again), substring(label_id, 1, length(label_id) - length(again)), label_id) AS fact_id
        FROM outcomes
    ) AS o
        ON l.model = o.model AND l.prediction_id = o.prediction_id AND l.output = o.output AND l.label_id = o.fact_id
        AND l.reported_at = o.reported_at
) AS f
ASOF LEFT JOIN label_horizons AS a
    ON f.model = a.model AND f.contract_environment = a.environment AND f._appended_at >= a.in_effect_from
COMMENT 'Facts that belong to no prediction so far: pending or orphans'
