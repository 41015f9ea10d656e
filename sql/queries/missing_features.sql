-- question: Which features are missing, and how often, day by day?
-- From the stored sketches: null (said to be unknown), absent (not sent at all) and NaN (not a number) are told apart. A version's features
-- are those of its contract and those that it sent at any time from since to until. Counts are of events as streamed; the share is an estimate
-- of all events, each weighed 1 / sampling_rate.
-- parameters:
--   model String: model name
--   environment String = 'production': where it ran
--   column String = '': one feature; empty: all
--   slice String = '': slice such as origin=JFK; empty: the whole
--   every String = 'day' [hour, day, week, month, all]: length of a row's window
--   since DateTime64(6, 'UTC') = 1970-01-01: first window start, UTC
--   until DateTime64(6, 'UTC') = 2299-12-31: end of the last window, exclusive, UTC
--   least Float64 = 0: missing share from which a row is shown, 0 to 1
--   traffic String = 'served' [served, shadow, all]: served, shadow or both
-- columns:
--   window: start of the window, UTC
--   model_version: version that answered
--   column: feature or pseudo-column
--   events: events of this window and version
--   nulls: events that said null
--   absent: events that did not carry it
--   nans: events with NaN
--   missing_share: share of all events of which it is null, absent or NaN
-- example: model=flights column=temperature every=month
-- plot: x=window y=missing_share by=column
-- output:
--   window      model_version  column       events  nulls  absent  nans  missing_share
--   2013-02-01  1              temperature     283     26       0     0        0.09187
--   2013-03-01  1              temperature     304     35       0     0         0.1151
--   2013-04-01  2              temperature     313     39       0     0         0.1246
WITH
summed AS
(
    SELECT
        toDateTime64(multiIf(
            {every:String} = 'hour', toStartOfHour(window_start),
            {every:String} = 'day', toStartOfDay(window_start),
            {every:String} = 'week', toDateTime(toMonday(window_start), 'UTC'),
            {every:String} = 'month', toDateTime(toStartOfMonth(window_start), 'UTC'),
            toDateTime(0, 'UTC')
        ), 0, 'UTC') AS window,
        model_version,
        sampling_rate,
        `column`,
        sum(w.events) AS events,
        sum(w.n + w.nulls) AS carried,
        sum(w.nulls) AS nulls,
        sum(w.nans) AS nans
    FROM feature_windows_between(
        model = {model:String},
        environment = {environment:String},
        since = {since:DateTime64(6, 'UTC')},
        until = {until:DateTime64(6, 'UTC')},
        widest = if({every:String} = 'hour', 3600, 86400)
    ) AS w
    WHERE ({column:String} = '' OR `column` IN ('@events', {column:String}))
        AND slice = {slice:String}
        AND ({traffic:String} = 'all' OR served = ({traffic:String} = 'served'))
    GROUP BY window, model_version, sampling_rate, `column`
),
-- a window in which nobody sent a feature may have no row of it, but has one of its events
windows AS
(
    SELECT
        window,
        model_version,
        sampling_rate,
        sum(s.events) AS events,
        mapFromArrays(groupArray(`column`), groupArray((carried, nulls, nans))) AS counts,
        groupUniqArrayArray(mapKeys(counts)) OVER (PARTITION BY model_version) AS columns
    FROM summed AS s
    GROUP BY window, model_version, sampling_rate
),
told AS
(
    SELECT
        window,
        model_version,
        1 / sampling_rate AS weight,
        arrayJoin(columns) AS `column`,
        events,
        counts[`column`].2 AS nulls,
        events - counts[`column`].1 AS absent,
        counts[`column`].3 AS nans
    FROM windows
)
SELECT
    window,
    model_version,
    `column`,
    sum(t.events) AS events,
    sum(t.nulls) AS nulls,
    sum(t.absent) AS absent,
    sum(t.nans) AS nans,
    hindcast_ratio(sum((t.nulls + t.absent + t.nans) * weight), sum(t.events * weight)) AS missing_share
FROM told AS t
WHERE `column` != '@events'
GROUP BY window, model_version, `column`
HAVING missing_share >= {least:Float64}
ORDER BY window, missing_share DESC, `column`, model_version
