-- label_horizons: how long a fact waits for its prediction, by the contract that applied from when. An environment that no contract of
-- the model names has the rows of environment ''. A fact that names no environment waits as in production; 30 days before any contract.
-- example: SELECT environment, in_effect_from, horizon_s FROM label_horizons WHERE model = 'flights' ORDER BY in_effect_from
CREATE OR REPLACE VIEW label_horizons{on_cluster}
(
    `model` LowCardinality(String) COMMENT 'model name',
    `environment` String COMMENT 'environment that a contract names; empty: every other',
    `in_effect_from` DateTime64(6, 'UTC') COMMENT 'facts that the broker appends from then on, UTC, until the next row',
    `digest` String COMMENT 'the contract',
    `horizon_s` Int64 COMMENT 'its label horizon, seconds'
)
AS
WITH
published AS
(
    SELECT
        model, ifNull(c.environment, '') AS environment, c.in_effect_from AS in_effect_from, _offset, digest,
        JSONExtractInt(body, 'label', 'horizon') AS horizon_s
    FROM contracts AS c FINAL
),
named AS (SELECT DISTINCT model, environment FROM published)
SELECT
    p.model AS model, n.environment AS environment, p.in_effect_from AS in_effect_from,
    argMax(p.digest, p._offset) AS digest,
    argMax(p.horizon_s, p._offset) AS horizon_s
FROM published AS p
INNER JOIN named AS n ON p.model = n.model
WHERE p.environment IN ('', n.environment)
GROUP BY model, environment, in_effect_from
COMMENT 'How long a fact waits for its prediction, by the contract that applied from when'
