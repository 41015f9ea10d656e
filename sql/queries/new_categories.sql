-- question: Which categories are new in a period, and which are gone?
-- Values of categorical features in one period and not in another. By name only: values that sketches count by hash alone are not seen, so that
-- a rare one may be called new when it enters the names. Windows are days and hours where these are rolled up. Counts are of events as
-- streamed; the share is an estimate of all events, each weighed 1 / sampling_rate.
-- parameters:
--   model String: model name
--   since DateTime64(6, 'UTC'): start of the period, UTC
--   until DateTime64(6, 'UTC'): its end, exclusive, UTC
--   reference_since DateTime64(6, 'UTC'): start of the period compared with, UTC
--   reference_until DateTime64(6, 'UTC'): its end, exclusive, UTC
--   environment String = 'production': where it ran
--   column String = '': one feature; empty: all
--   slice String = '': slice such as origin=JFK; empty: the whole
--   traffic String = 'served' [served, shadow, all]: served, shadow or both
--   most UInt32 = 1000: rows at most
-- columns:
--   column: feature or pseudo-column
--   value: the category
--   change: new or gone
--   count: events that had it, in the period where it is
--   share: share of all events with a value of that column in that period
--   first_window: start of the first window that has it, UTC
--   last_window: start of the last window that has it, UTC
-- example: model=flights since=2013-04-01 until=2013-05-01 reference_since=2013-03-01 reference_until=2013-04-01
-- output:
--   column   value  change  count    share  first_window  last_window
--   carrier  UA     new        29  0.09446  2013-04-04    2013-04-30
WITH
chosen AS
(
    SELECT `column`, values, counts, n, 1 / sampling_rate AS weight, window_start, ours, NOT ours AS theirs
    FROM
    (
        SELECT *, true AS ours
        FROM feature_windows_between(
            model = {model:String}, environment = {environment:String}, widest = 86400,
            since = {since:DateTime64(6, 'UTC')}, until = {until:DateTime64(6, 'UTC')}
        )
        UNION ALL
        SELECT *, false AS ours
        FROM feature_windows_between(
            model = {model:String}, environment = {environment:String}, widest = 86400,
            since = {reference_since:DateTime64(6, 'UTC')}, until = {reference_until:DateTime64(6, 'UTC')}
        )
    )
    WHERE ({column:String} = '' OR `column` = {column:String})
        AND slice = {slice:String}
        AND ({traffic:String} = 'all' OR served = ({traffic:String} = 'served'))
        AND column_kind = 'categorical'
),
seen AS
(
    SELECT
        `column`, value,
        sumIf(each, ours) AS of_ours, sumIf(each, theirs) AS of_theirs, sum(each * weight) AS estimated,
        min(window_start) AS first_window, max(window_start) AS last_window
    FROM chosen
    ARRAY JOIN values AS value, counts AS each
    GROUP BY `column`, value
    HAVING (of_ours > 0) != (of_theirs > 0)
),
whole AS (SELECT `column`, sumIf(n * weight, ours) AS of_ours, sumIf(n * weight, theirs) AS of_theirs FROM chosen GROUP BY `column`)
SELECT
    s.`column` AS `column`,
    s.value AS value,
    if(s.of_ours > 0, 'new', 'gone') AS change,
    s.of_ours + s.of_theirs AS count,
    hindcast_ratio(s.estimated, if(change = 'new', w.of_ours, w.of_theirs)) AS share,
    s.first_window AS first_window,
    s.last_window AS last_window
FROM seen AS s
INNER JOIN whole AS w ON s.`column` = w.`column`
ORDER BY change DESC, count DESC, `column`, value
LIMIT {most:UInt32}
