-- question: For which predictions did the truth change, or do the sources disagree?
-- Ids about which more was said than one truth: corrected, taken back, declared void, or told differently by two sources.
-- parameters:
--   model String: model name
--   since DateTime64(6, 'UTC') = 1970-01-01: last word at or after this, UTC
--   until DateTime64(6, 'UTC') = 2299-12-31: last word before this, UTC
--   only String = '' [, disagreement, correction, retraction, void]: one kind of change; empty: all
--   most UInt32 = 1000: rows at most, the newest
-- columns:
--   prediction_id: the id they are about
--   output: which output of a multi-output model
--   facts: how many facts there are
--   kinds: truth, correction, retraction or void, in the order in which they were reported
--   truths: the truth of each, class or number as text; NULL: none
--   sources: the source of each
--   first_reported_at: when the first was told, UTC
--   last_reported_at: when the last was told, UTC
--   disagreement: two sources told different truths and neither calls it a correction
-- example: model=flights only=retraction
-- output:
--   prediction_id  output  facts  kinds                    truths             sources       first_reported_at           last_reported_at            disagreement
--   p497                       2  ["truth", "retraction"]  ["on_time", null]  [null, null]  2013-04-23 02:33:01.784348  2013-04-24 02:33:01.784348  no
--   p452                       2  ["truth", "retraction"]  ["late", null]     [null, null]  2013-04-16 04:09:46.894688  2013-04-17 04:09:46.894688  no
--   p812                       2  ["truth", "retraction"]  ["on_time", null]  [null, null]  2013-04-15 04:21:24.323459  2013-04-16 04:21:24.323459  no
WITH said AS
(
    SELECT
        prediction_id,
        output,
        arraySort(groupArray((reported_at, kind, label_id, ifNull(l.truth, toString(l.truth_value)), source))) AS facts,
        uniqExact((l.truth, l.truth_value)) AS meanings,
        uniqExactIf((l.truth, l.truth_value), kind = 'truth') > 1 AND uniqExactIf(ifNull(source, ''), kind = 'truth') > 1 AS disagreement
    FROM labels AS l FINAL
    WHERE model = {model:String}
    GROUP BY prediction_id, output
)
SELECT
    prediction_id,
    output,
    length(s.facts) AS facts,
    arrayMap(fact -> toString(fact.2), s.facts) AS kinds,
    arrayMap(fact -> fact.4, s.facts) AS truths,
    arrayMap(fact -> fact.5, s.facts) AS sources,
    s.facts[1].1 AS first_reported_at,
    s.facts[-1].1 AS last_reported_at,
    toBool(s.disagreement) AS disagreement
FROM said AS s
WHERE (s.disagreement OR meanings > 1 OR arrayExists(kind -> kind != 'truth', kinds))
    AND last_reported_at >= {since:DateTime64(6, 'UTC')}
    AND last_reported_at < {until:DateTime64(6, 'UTC')}
    AND multiIf({only:String} = '', true, {only:String} = 'disagreement', s.disagreement, has(kinds, {only:String}))
ORDER BY last_reported_at DESC, prediction_id, output
LIMIT {most:UInt32}
