-- labels_as_of(t): the fact that counts about each id as known at t (known_at <= t): the last by (reported_at, kind, label_id).
-- One row per id a source spoke about: model, prediction_id, output, and the version and environment where it named one.
-- Which prediction it belongs to, where an id was used at several times, is outcomes_as_of's business.
-- parameter: t DateTime64(6, 'UTC'), the moment of knowledge
-- columns: model, prediction_id, output, model_version (NULL: every version), environment (NULL: every one), label_id,
--   label_state (labelled, retracted or void), truth, truth_value (both NULL unless labelled), true_at (UTC), reported_at (UTC),
--   known_at (UTC), backfilled, source, facts (how many are known), first_known_at (UTC)
-- example: SELECT label_state, count() FROM labels_as_of(t = '2013-06-01 00:00:00') WHERE model = 'flights' GROUP BY label_state
CREATE OR REPLACE VIEW labels_as_of{on_cluster} AS
WITH argMax(
    (l.label_id, l.kind, l.truth, l.truth_value, l.true_at, l.reported_at, l.known_at, l.backfilled, l.source),
    (l.reported_at, l.kind, l.label_id)
) AS fact
SELECT
    model,
    prediction_id,
    output,
    l.model_version AS model_version,
    l.environment AS environment,
    fact.1 AS label_id,
    multiIf(fact.2 = 'retraction', 'retracted', fact.2 = 'void', 'void', 'labelled') AS label_state,
    if(label_state = 'labelled', fact.3, NULL) AS truth,
    if(label_state = 'labelled', fact.4, NULL) AS truth_value,
    fact.5 AS true_at,
    fact.6 AS reported_at,
    fact.7 AS known_at,
    fact.8 AS backfilled,
    fact.9 AS source,
    count() AS facts,
    min(l.known_at) AS first_known_at
FROM labels AS l FINAL
WHERE l.known_at <= {t:DateTime64(6, 'UTC')}
GROUP BY model, prediction_id, output, model_version, environment
COMMENT 'The fact that counts about each id, as known at t'
