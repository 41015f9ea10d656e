-- question: Which labels found no prediction, and will one still come?
-- A fact waits for its prediction until the label horizon has passed; after that it is an orphan: a wrong id, or a prediction that was lost.
-- parameters:
--   model String: model name
--   state String = '' [, pending, orphan]: one state; empty: both
--   since DateTime64(6, 'UTC') = 1970-01-01: first reported_at, UTC
--   until DateTime64(6, 'UTC') = 2299-12-31: reported before this, UTC
--   most UInt32 = 1000: rows at most, the newest
-- columns:
--   state: pending or orphan
--   prediction_id: the id it is about
--   output: output
--   kind: truth, correction, retraction or void
--   reported_at: when the source told, UTC
--   known_at: when we knew, UTC
--   orphan_at: when a prediction comes too late for it, UTC
--   model_version: version it names; NULL: every version
--   environment: environment it names; NULL: everywhere
--   label_id: the fact
-- whole:
--   outcomes: a label's prediction may be of any time
-- example: model=flights since=2013-04-01 most=5
-- output:
--   state   prediction_id  output  kind   reported_at  known_at    orphan_at   model_version  environment  label_id
--   orphan  lost                   truth  2013-05-01   2013-05-01  2013-06-15  -              -            a-lost
SELECT state, prediction_id, output, kind, reported_at, known_at, orphan_at, model_version, environment, label_id
FROM unmatched_labels
WHERE model = {model:String}
    AND ({state:String} = '' OR state = {state:String})
    AND reported_at >= {since:DateTime64(6, 'UTC')}
    AND reported_at < {until:DateTime64(6, 'UTC')}
ORDER BY reported_at DESC, prediction_id, output, label_id
LIMIT {most:UInt32}
