-- question: Who published which contract, when, and from when did it hold?
-- Every publication, also one that says again what held before. Shapes tell what a sketch depends on: windows of different shapes are not compared.
-- parameters:
--   model String = '': one model; empty: all
--   since DateTime64(6, 'UTC') = 1970-01-01: first append time, UTC
--   until DateTime64(6, 'UTC') = 2299-12-31: append times before this, UTC
-- columns:
--   published_at: append time, UTC
--   model: model name
--   environment: where it holds; empty: everywhere
--   in_effect_from: applies to events appended from then on, UTC
--   in_effect_to: until the next contract of this model and environment, or of the model everywhere, UTC; NULL: still so
--   actor: who published
--   reason: why
--   digest: SHA-256 of the contract; predictions carry it
--   changed: it says something else than the one before
--   shape_changed: sketches before and after are not comparable
--   owner: who answers for the model, by this contract
--   horizon_s: seconds after which a truth is due
-- example: model=flights
-- output:
--   published_at  model    environment  in_effect_from  in_effect_to  actor  reason  digest  changed  shape_changed  owner    horizon_s
--   2013-02-01    flights               2013-02-01      -             -      -       c1      yes      no             o'brien    3888000
WITH published AS
(
    SELECT
        _appended_at AS published_at,
        model,
        ifNull(c.environment, '') AS environment,
        c.in_effect_from AS in_effect_from,
        -- least passes over NULLs
        least(
            leadInFrame(toNullable(c.in_effect_from)) OVER of_model,
            min(if(c.environment IS NULL, toNullable(c.in_effect_from), NULL)) OVER everywhere
        ) AS in_effect_to,
        c.actor AS actor,
        c.reason AS reason,
        c.digest AS digest,
        c.digest != lagInFrame(c.digest, 1, '') OVER of_model AS changed,
        lagInFrame(c.shape, 1, c.shape) OVER of_model != c.shape AS shape_changed,
        JSONExtractString(body, 'owner') AS owner,
        JSONExtractInt(body, 'label', 'horizon') AS horizon_s
    FROM contracts AS c FINAL
    WHERE {model:String} = '' OR model = {model:String}
    WINDOW
        of_model AS (
            PARTITION BY model, environment ORDER BY c.in_effect_from, _appended_at, _partition, _offset
            ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING
        ),
        everywhere AS (
            PARTITION BY model ORDER BY c.in_effect_from, _appended_at, _partition, _offset
            ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING
        )
)
SELECT
    published_at, model, environment, in_effect_from, in_effect_to, actor, reason, digest, toBool(p.changed) AS changed,
    toBool(p.shape_changed) AS shape_changed, owner, horizon_s
FROM published AS p
WHERE published_at >= {since:DateTime64(6, 'UTC')}
    AND published_at < {until:DateTime64(6, 'UTC')}
ORDER BY published_at, model, environment, in_effect_from
