-- live_versions: which version played which role from when to when. An interval ends when its version takes or leaves a role, and
-- a champion's also when another version becomes champion: one model and environment has one champion at a time.
-- Retired versions are not live. Several facts of one version and moment: the one appended last holds.
-- example: SELECT model_version FROM live_versions WHERE model = 'flights' AND role = 'champion' AND valid_to IS NULL
CREATE OR REPLACE VIEW live_versions{on_cluster}
(
    `model` LowCardinality(String) COMMENT 'model name',
    `environment` LowCardinality(String) COMMENT 'where it ran',
    `model_version` LowCardinality(String) COMMENT 'the version',
    `role` String COMMENT 'champion, challenger or shadow',
    `traffic_share` Nullable(Float64) COMMENT 'share of the traffic, 0 to 1',
    `valid_from` DateTime64(6, 'UTC') COMMENT 'first moment, UTC',
    `valid_to` Nullable(DateTime64(6, 'UTC')) COMMENT 'first moment after it, UTC; NULL: still so',
    `actor` Nullable(String) COMMENT 'who deployed it',
    `reason` Nullable(String) COMMENT 'why',
    `artifact_digest` Nullable(String) COMMENT 'digest of the model file',
    `code_revision` Nullable(String) COMMENT 'code that built it',
    `training_data_digest` Nullable(String) COMMENT 'digest of its training data',
    `known_at` DateTime64(6, 'UTC') COMMENT 'when we knew, UTC'
)
AS
WITH facts AS
(
    SELECT
        model,
        environment,
        model_version,
        valid_from,
        max((_appended_at, _partition, _offset, _row)) AS place,
        argMax(
            (role, traffic_share, actor, reason, artifact_digest, code_revision, training_data_digest, known_at),
            (_appended_at, _partition, _offset, _row)
        ) AS fact
    FROM deployments FINAL
    GROUP BY model, environment, model_version, valid_from
),
intervals AS
(
    SELECT
        *,
        leadInFrame(toNullable(valid_from)) OVER (
            PARTITION BY model, environment, model_version
            ORDER BY valid_from ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING
        ) AS next_of_version,
        leadInFrame(toNullable(valid_from)) OVER (
            PARTITION BY model, environment, fact.1 = 'champion'
            ORDER BY valid_from, place ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING
        ) AS next_champion
    FROM facts
)
SELECT
    model,
    environment,
    model_version,
    fact.1 AS role,
    fact.2 AS traffic_share,
    valid_from,
    multiIf(
        role != 'champion' OR next_champion IS NULL, next_of_version,
        next_of_version IS NULL, next_champion,
        least(next_of_version, next_champion)
    ) AS valid_to,
    fact.3 AS actor,
    fact.4 AS reason,
    fact.5 AS artifact_digest,
    fact.6 AS code_revision,
    fact.7 AS training_data_digest,
    fact.8 AS known_at
FROM intervals
WHERE role != 'retired' AND (valid_to IS NULL OR valid_to > valid_from)
COMMENT 'Which version played which role from when to when'
