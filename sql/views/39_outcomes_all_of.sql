-- outcomes_all_of(t, model, entity): every prediction of one entity beside its truth as both were known at t (known_at <= t), shadow
-- traffic and unlabelled predictions included. It reads what is about that entity's ids alone; with entity = '' it is
-- outcomes_all_as_of(t), of every model and entity.
--
-- A fact belongs to the predictions of its model, prediction_id and output (and version and environment, where it names one). Of
-- several of one version it belongs to one: of those appended no later than the fact, and of these within an hour of its predicted_at (or of
-- the time in a UUIDv7 id) if there are any, to the latest before its true_at (its reported_at where it has none), or to the earliest if none is
-- before. If none was appended so early, to the first one appended after it, which must come within the label horizon of the contract in
-- effect when the fact was appended (see label_horizons): past it the fact is an orphan.
-- Of the facts that belong to a prediction the last by (reported_at, kind, label_id) counts.
-- parameter: t DateTime64(6, 'UTC'), the moment of knowledge
-- parameter: model String, the entity's model; not looked at where entity is empty
-- parameter: entity String, entity_id; empty: all
-- columns: as predictions_all_v without role, trace_id, span_id, producer_id, sequence and warnings, with error_class for error, and
--   label_state (labelled; unlabelled; retracted: had a truth that was taken back; void: will never have one),
--   truth, truth_value (NULL unless labelled), true_at, reported_at (UTC), label_id, facts (how many belong to it),
--   ambiguous (its version used the id more than once), truth_known_at (when we knew prediction and fact, UTC),
--   first_truth_known_at (of the first truth, UTC), truth_lag_s (true_at - event_time, seconds),
--   known_lag_s (first_truth_known_at - event_time, seconds), due_at (event_time + the contract's label horizon, UTC),
--   positive_class (of the contract; true without one), true_class (the truth, where it is a class: NULL for a regression or ranking), positive
--   (the truth is the positive class; NULL for other kinds than binary, and without a contract for a truth that is neither true nor false),
--   decided_positive (by decision, else by threshold), correct (NULL where the truth is no class),
--   probability_of_truth (what the model gave to the true class; NULL where a probability is not finite), log_loss (nats, clipped at 1e-15),
--   brier ((score - positive) squared), error (score - truth_value of a regression, both finite; without a contract where the truth is no class)
-- whole: predictions: without an entity, whether an id was used twice is looked for in all of the model's predictions
-- example: SELECT event_time, label_state FROM outcomes_all_of(t = '2013-06-01 00:00:00', model = 'flights', entity = 'N7')
CREATE OR REPLACE VIEW outcomes_all_of{on_cluster} AS
WITH
(
    -- as a value, so that partitions, sort key and indexes serve it: FINAL reads every column of a row before it looks at one
    -- that is not of the sort key, as entity_id
    SELECT (groupUniqArray(prediction_id), groupUniqArray(event_time)) FROM predictions
    WHERE {entity:String} != '' AND model = {model:String} AND entity_id = {entity:String}
) AS of_entity,
facts AS
(
    SELECT
        -- names of their own keep p.* unqualified
        l.model AS fact_model,
        prediction_id AS fact_prediction_id,
        output AS fact_output,
        groupArray(CAST(
            (
                reported_at, kind, label_id, model_version, l.environment, truth, truth_value, true_at, known_at, _appended_at,
                _appended_at + toIntervalSecond(if(h.digest = '', 2592000, h.horizon_s)),
                -- the time in a UUIDv7 (RFC 9562, 5.7) is its first 48 bits, milliseconds
                coalesce(predicted_at, if(
                    substring(prediction_id, 15, 1) = '7' AND toUUIDOrNull(prediction_id) IS NOT NULL,
                    fromUnixTimestamp64Milli(
                        reinterpretAsInt64(reverse(unhex(concat(substring(prediction_id, 1, 8), substring(prediction_id, 10, 4))))), 'UTC'
                    ),
                    NULL
                ))
            ),
            'Tuple(reported_at DateTime64(6, \'UTC\'), kind Int8, label_id String, model_version Nullable(String),
                environment Nullable(String), truth Nullable(String), truth_value Nullable(Float64),
                true_at Nullable(DateTime64(6, \'UTC\')), known_at DateTime64(6, \'UTC\'), appended_at DateTime64(6, \'UTC\'),
                orphan_at DateTime64(6, \'UTC\'), hint Nullable(DateTime64(6, \'UTC\')))'
        )) AS facts
    FROM
    (
        SELECT
            *,
            ifNull(environment, 'production') AS said_environment,
            if((model, said_environment) IN (SELECT model, environment FROM label_horizons), said_environment, '') AS contract_environment
        FROM labels FINAL
        WHERE known_at <= {t:DateTime64(6, 'UTC')}
            AND ({entity:String} = '' OR (model = {model:String} AND prediction_id IN (of_entity.1)))
    ) AS l
    ASOF LEFT JOIN label_horizons AS h
        ON l.model = h.model AND l.contract_environment = h.environment AND l._appended_at >= h.in_effect_from
    GROUP BY fact_model, fact_prediction_id, fact_output
),
-- ids that one version used more than once; hashes first, because nearly every id is used once (resends and collisions among
-- them leave a single rival, which takes every fact)
reused AS
(
    SELECT
        p.model AS reused_model,
        p.environment AS reused_environment,
        model_version AS reused_version,
        prediction_id AS reused_id,
        output AS reused_output,
        groupArray(CAST(
            (event_time, _appended_at, _offset),
            'Tuple(event_time DateTime64(6, \'UTC\'), appended_at DateTime64(6, \'UTC\'), offset UInt64)'
        )) AS rivals
    FROM (SELECT * FROM predictions FINAL WHERE known_at <= {t:DateTime64(6, 'UTC')} AND ({entity:String} = '' OR (model = {model:String} AND prediction_id IN (of_entity.1)))) AS p
    -- model and environment stay by themselves, so that a question about one model reads no other's
    INNER JOIN
    (
        SELECT model, environment, cityHash64(model_version, prediction_id, output) AS id
        FROM predictions
        WHERE known_at <= {t:DateTime64(6, 'UTC')}
            AND ({entity:String} = '' OR (model = {model:String} AND prediction_id IN (of_entity.1)))
        GROUP BY model, environment, id
        HAVING count() > 1
    ) AS twice
        ON p.model = twice.model AND p.environment = twice.environment
        AND cityHash64(p.model_version, p.prediction_id, p.output) = twice.id
    GROUP BY reused_model, reused_environment, model_version, prediction_id, output
),
matched AS
(
    SELECT
        p.*,
        length(r.rivals) > 1 AS ambiguous,
        arrayReverseSort(
            fact -> (fact.reported_at, fact.kind, fact.label_id),
            arrayFilter(
                fact -> ifNull(fact.model_version = p.model_version, true)
                    AND ifNull(fact.environment = p.environment, true)
                    AND p._appended_at <= fact.orphan_at
                    -- the first of the rivals by the rule
                    AND (empty(r.rivals) OR p.event_time = (arraySort(
                        rival -> (
                            rival.appended_at > fact.appended_at,
                            rival.appended_at <= fact.appended_at
                                AND ifNull(abs(dateDiff('microsecond', rival.event_time, fact.hint)) > 3600000000, true),
                            rival.appended_at <= fact.appended_at AND rival.event_time >= ifNull(fact.true_at, fact.reported_at),
                            multiIf(
                                rival.appended_at > fact.appended_at, toUnixTimestamp64Micro(rival.appended_at),
                                rival.event_time >= ifNull(fact.true_at, fact.reported_at), toUnixTimestamp64Micro(rival.event_time),
                                -toUnixTimestamp64Micro(rival.event_time)
                            ),
                            rival.offset
                        ),
                        r.rivals
                    )[1]).event_time),
                f.facts
            )
        ) AS facts_of_it,
        facts_of_it[1] AS last_fact,
        arrayFilter(fact -> fact.kind <= 2, facts_of_it) AS truths_of_it
    FROM
    (
        SELECT * FROM predictions FINAL
        WHERE known_at <= {t:DateTime64(6, 'UTC')}
            AND ({entity:String} = '' OR (
                model = {model:String} AND prediction_id IN (of_entity.1) AND event_time IN (of_entity.2)
                AND entity_id = {entity:String}
            ))
    ) AS p
    LEFT ANY JOIN facts AS f
        ON p.model = f.fact_model AND p.prediction_id = f.fact_prediction_id AND p.output = f.fact_output
    LEFT ANY JOIN reused AS r
        ON p.model = r.reused_model AND p.environment = r.reused_environment AND p.model_version = r.reused_version
        AND p.prediction_id = r.reused_id AND p.output = r.reused_output
)
SELECT
    m.model AS model,
    m.environment AS environment,
    m.model_version AS model_version,
    m.prediction_id AS prediction_id,
    m.output AS output,
    m.event_time AS event_time,
    m.served AS served,
    m.request_id AS request_id,
    m.item_index AS item_index,
    m.rank AS rank,
    m.entity_id AS entity_id,
    m.target_time AS target_time,
    m.numeric_features AS numeric_features,
    m.categorical_features AS categorical_features,
    m.segments AS segments,
    m.score AS score,
    m.decision AS decision,
    m.probabilities AS probabilities,
    m.quantiles AS quantiles,
    m.status AS status,
    m.error AS error_class,
    m.latency_ms AS latency_ms,
    m.sampling_rate AS sampling_rate,
    m.known_at AS known_at,
    m.backfilled AS backfilled,
    m.contract AS contract,
    multiIf(empty(facts_of_it), 'unlabelled', last_fact.kind = 3, 'retracted', last_fact.kind = 4, 'void', 'labelled') AS label_state,
    if(label_state = 'labelled', last_fact.truth, NULL) AS truth,
    if(label_state = 'labelled', last_fact.truth_value, NULL) AS truth_value,
    last_fact.true_at AS true_at,
    if(empty(facts_of_it), NULL, last_fact.reported_at) AS reported_at,
    last_fact.label_id AS label_id,
    length(facts_of_it) AS facts,
    ambiguous,
    if(empty(facts_of_it), NULL, greatest(m.known_at, last_fact.known_at)) AS truth_known_at,
    if(empty(truths_of_it), NULL, greatest(m.known_at, (arraySort(fact -> fact.known_at, truths_of_it)[1]).known_at)) AS first_truth_known_at,
    dateDiff('microsecond', m.event_time, last_fact.true_at) / 1e6 AS truth_lag_s,
    dateDiff('microsecond', m.event_time, first_truth_known_at) / 1e6 AS known_lag_s,
    m.event_time + toIntervalSecond(if(m.contract = '', 2592000, c.horizon_s)) AS due_at,
    if(m.contract = '', 'true', c.positive_class) AS positive_class,
    -- a whole number is told as class and value: only the contract knows which is meant
    if(c.prediction_kind IN ('regression', 'ranking'), NULL, truth) AS true_class,
    multiIf(
        c.prediction_kind = 'multiclass', NULL,
        c.prediction_kind = '' AND true_class NOT IN ('true', 'false'), NULL,
        true_class = positive_class
    ) AS positive,
    multiIf(
        c.prediction_kind NOT IN ('', 'binary'), NULL,
        m.decision IS NOT NULL, m.decision = positive_class,
        -- NaN is below no threshold and above none
        isFinite(m.score), m.score >= if(m.contract = '', 0.5, c.threshold),
        NULL
    ) AS decided_positive,
    -- of two classes: what is not the positive one may have another name as a decision than as a truth
    if(positive IS NOT NULL OR m.decision IS NULL, decided_positive = positive, m.decision = true_class) AS correct,
    multiIf(
        true_class IS NULL, NULL,
        c.prediction_kind IN ('', 'binary'), if(positive IS NOT NULL AND m.score BETWEEN 0 AND 1, if(positive, m.score, 1 - m.score), NULL),
        arrayAll(p -> isFinite(p), mapValues(m.probabilities)) AND mapContains(m.probabilities, assumeNotNull(true_class)),
        m.probabilities[assumeNotNull(true_class)],
        NULL
    ) AS probability_of_truth,
    -- least and greatest pass over NULLs
    if(probability_of_truth IS NULL, NULL, -log(least(greatest(probability_of_truth, 1e-15), 1 - 1e-15))) AS log_loss,
    if(c.prediction_kind IN ('', 'binary') AND m.score BETWEEN 0 AND 1, pow(m.score - positive, 2), NULL) AS brier,
    if(
        isFinite(m.score) AND isFinite(truth_value) AND (c.prediction_kind = 'regression' OR (c.prediction_kind = '' AND truth IS NULL)),
        m.score - truth_value,
        NULL
    ) AS error
FROM matched AS m
LEFT ANY JOIN contracts_v AS c ON m.contract = c.digest
COMMENT 'Every prediction of one entity beside its truth as both were known at t, shadow traffic included'
