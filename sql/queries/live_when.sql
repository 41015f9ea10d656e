-- question: Which version was live when, in which role?
-- parameters:
--   model String: model name
--   environment String = 'production': where it ran
--   at DateTime64(6, 'UTC') = 1970-01-01: only what was live at this moment, UTC; 1970-01-01: everything
-- columns:
--   model_version: the version
--   role: champion, challenger or shadow
--   traffic_share: share of the traffic, 0 to 1
--   valid_from: first moment, UTC
--   valid_to: first moment after it, UTC; NULL: still so
--   actor: who deployed it
--   reason: why
--   artifact_digest: digest of the model file
--   code_revision: code that built it
--   known_at: when we knew, UTC
-- example: model=flights
-- output:
--   model_version  role      traffic_share  valid_from  valid_to    actor  reason  artifact_digest  code_revision  known_at
--   1              champion              -  2013-02-01  2013-04-01  -      -       -                -              2013-02-01
--   2              shadow                -  2013-03-01  2013-04-01  -      -       -                -              2013-03-01
--   2              champion              -  2013-04-01  -           -      -       -                -              2013-04-01
SELECT model_version, role, traffic_share, valid_from, valid_to, actor, reason, artifact_digest, code_revision, known_at
FROM live_versions
WHERE model = {model:String}
    AND environment = {environment:String}
    AND (
        {at:DateTime64(6, 'UTC')} = toDateTime64(0, 6, 'UTC')
        OR (valid_from <= {at:DateTime64(6, 'UTC')} AND (valid_to IS NULL OR valid_to > {at:DateTime64(6, 'UTC')}))
    )
ORDER BY valid_from, model_version
