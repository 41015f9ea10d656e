-- contracts_v: one row per contract ever published (per digest), with what a query needs of it. Predictions carry the digest.
-- Which of them held when is not told here, because one may be published again: the question contracts_published has every publication.
-- example: SELECT digest, positive_class, horizon_s FROM contracts_v WHERE model = 'flights'
CREATE OR REPLACE VIEW contracts_v{on_cluster}
(
    `digest` String COMMENT 'SHA-256 of the canonical JSON',
    `model` String COMMENT 'model name',
    `environment` String COMMENT 'empty: every environment',
    `owner` String COMMENT 'who answers for the model; empty: nobody named',
    `prediction_kind` String COMMENT 'binary, multiclass, regression or ranking',
    `positive_class` String COMMENT 'the class whose probability the score is; without one in the contract: true',
    `threshold` Float64 COMMENT 'score from which a decision is positive where the event states none',
    `horizon_s` Int64 COMMENT 'seconds after which a truth is due',
    `minimum_coverage` Float64 COMMENT 'share of the truths that are due without which figures of quality say little; 0: not stated',
    `base_s` Int64 COMMENT 'base window, seconds',
    `in_effect_from` DateTime64(6, 'UTC') COMMENT 'first moment it took effect, UTC',
    `published_at` DateTime64(6, 'UTC') COMMENT 'first append time, UTC',
    `actor` Nullable(String) COMMENT 'who published it first',
    `reason` Nullable(String) COMMENT 'why'
)
AS
SELECT
    digest,
    any(c.model) AS model,
    ifNull(any(c.environment), '') AS environment,
    JSONExtractString(any(body), 'owner') AS owner,
    JSONExtractString(any(body), 'prediction', 'kind') AS prediction_kind,
    ifNull(nullIf(JSONExtractString(any(body), 'prediction', 'positive_class'), ''), 'true') AS positive_class,
    ifNull(JSONExtract(any(body), 'prediction', 'threshold', 'Nullable(Float64)'), 0.5) AS threshold,
    JSONExtractInt(any(body), 'label', 'horizon') AS horizon_s,
    JSONExtractFloat(any(body), 'label', 'minimum_coverage') AS minimum_coverage,
    JSONExtractInt(any(body), 'windows', 'base') AS base_s,
    min(c.in_effect_from) AS in_effect_from,
    min(_appended_at) AS published_at,
    argMin(c.actor, _appended_at) AS actor,
    argMin(c.reason, _appended_at) AS reason
FROM contracts AS c FINAL
GROUP BY digest
COMMENT 'Every contract, with what queries need of it'
