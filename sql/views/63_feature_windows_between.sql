-- feature_windows_between(model, environment, since, until, widest): a period in the fewest windows: whole days and hours that are
-- rolled up, base windows for the rest. All lie inside the period and none lies in another, so that whatever adds up over
-- feature_windows adds up to the same here, from a hundredth of the rows. A roll-up that a later delta or total has overtaken is
-- not used; where the base windows that it was made of have expired (contract: windows.keep_days), what came later stands beside it. Columns as in feature_windows
-- but for mean and deviation: hindcast_ratio(sum(sum), sum(finite)) is a mean.
-- parameter: model String, environment String, since and until DateTime64(6, 'UTC'), widest UInt32: seconds of the longest
--   window wanted: 86400, 3600, or 0 for base windows only
-- example: SELECT `column`, sum(nulls) AS nulls FROM feature_windows_between(model = 'flights', environment = 'production', since = '2013-02-01', until = '2013-05-01', widest = 86400) WHERE slice = '' GROUP BY `column`
CREATE OR REPLACE VIEW feature_windows_between{on_cluster} AS
WITH
-- every message has one row of number 0, also a part or a slice that was recorded after the rest of its flush
flushed AS
(
    SELECT
        window_start,
        window_end,
        concat(_topic_id, '/', toString(_partition)) AS place,
        min(_offset) AS first,
        max(_offset) AS last
    FROM sketches
    WHERE kind != 'reference'
        AND model = {model:String}
        AND environment = {environment:String}
        AND _row = 0
        AND window_start >= {since:DateTime64(6, 'UTC')}
        AND window_start < {until:DateTime64(6, 'UTC')}
        AND window_end <= {until:DateTime64(6, 'UTC')}
    GROUP BY window_start, window_end, place
),
marked AS
(
    SELECT width, window_start, argMax(tuple(up_to), _rolled_at).1 AS counted_to
    FROM rollups
    WHERE model = {model:String}
        AND environment = {environment:String}
        AND `column` = '@events'
        AND slice = ''
        AND width <= {widest:UInt32}
        AND window_start >= {since:DateTime64(6, 'UTC')}
        AND window_start < {until:DateTime64(6, 'UTC')}
        AND window_end <= {until:DateTime64(6, 'UTC')}
    GROUP BY width, window_start
),
-- of those that something was recorded of later: whether rows that they count are there still
later AS
(
    SELECT m.width AS width, m.window_start AS window_start, max(f.first < m.counted_to[f.place]) AS overtaken
    FROM
    (
        SELECT
            span,
            window_start - toIntervalMicrosecond(positiveModulo(toUnixTimestamp64Micro(window_start), span * 1000000)) AS rolled_start,
            place,
            min(first) AS first,
            max(last) AS last
        FROM flushed
        ARRAY JOIN [toUInt32(3600), toUInt32(86400)] AS span
        WHERE window_end <= rolled_start + toIntervalSecond(span)
        GROUP BY span, rolled_start, place
    ) AS f
    INNER JOIN marked AS m ON m.width = f.span AND m.window_start = f.rolled_start
    GROUP BY width, window_start
    HAVING max(f.last >= m.counted_to[f.place])
),
-- scalars, which are worked out once however often they are named
(
    SELECT groupArray((width, window_start))
    FROM marked
    WHERE (width, window_start) NOT IN (SELECT width, window_start FROM later WHERE overtaken)
) AS fresh,
(SELECT groupArray((width, window_start)) FROM later WHERE NOT overtaken) AS topped,
(SELECT groupArray(one.2) FROM (SELECT arrayJoin(fresh) AS one) WHERE one.1 = 86400) AS days,
(
    SELECT groupArray(one.2)
    FROM (SELECT arrayJoin(fresh) AS one, one.2 AS window_start)
    WHERE one.1 = 3600
        AND window_start - toIntervalMicrosecond(positiveModulo(toUnixTimestamp64Micro(window_start), 86400000000)) NOT IN days
) AS hours,
others AS
(
    SELECT DISTINCT window_start, window_end
    FROM
    (
        SELECT
            window_start,
            window_end,
            window_start - toIntervalMicrosecond(positiveModulo(toUnixTimestamp64Micro(window_start), 86400000000)) AS day,
            window_start - toIntervalMicrosecond(positiveModulo(toUnixTimestamp64Micro(window_start), 3600000000)) AS hour
        FROM flushed
    )
    WHERE (day NOT IN days OR (toUInt32(86400), day) IN topped)
        AND NOT (day NOT IN days AND hour IN hours AND (toUInt32(3600), hour) NOT IN topped AND window_end <= hour + toIntervalHour(1))
)
SELECT
    r.model AS model, r.model_version AS model_version, r.environment AS environment, r.served AS served, r.sampling_rate AS sampling_rate,
    r.shape AS shape, r.slice AS slice, r.window_start AS window_start, r.window_end AS window_end, r.`column` AS `column`,
    r.column_kind AS column_kind,
    if(r.column_kind = 'numeric', arraySum(r.counts) + r.nans + r.plus_inf + r.minus_inf, arraySum(r.counts) + arraySum(r.buckets)) AS n,
    r.events AS events, r.errors AS errors, r.warnings AS warnings, r.min_event_time AS min_event_time, r.max_event_time AS max_event_time,
    r.precision AS precision, r.bins AS bins, r.counts AS counts, r.values AS values, r.buckets AS buckets, r.nulls AS nulls, r.nans AS nans,
    r.plus_inf AS plus_inf, r.minus_inf AS minus_inf, r.absent AS absent,
    if(r.column_kind = 'numeric', arraySum(r.counts), 0) AS finite,
    r.sum AS sum, r.sum_of_squares AS sum_of_squares, r.min AS min, r.max AS max, r.degraded AS degraded
FROM rollups AS r FINAL
WHERE r.model = {model:String}
    AND r.environment = {environment:String}
    AND (
        (r.width = 86400 AND r.window_start IN days)
        OR (r.width = 3600 AND r.window_start IN hours)
    )
UNION ALL
SELECT
    b.model, b.model_version, b.environment, b.served, b.sampling_rate, b.shape, b.slice, b.window_start, b.window_end, b.`column`,
    b.column_kind, b.n, b.events, b.errors, b.warnings, b.min_event_time, b.max_event_time, b.precision, b.bins, b.counts, b.values, b.buckets,
    b.nulls, b.nans, b.plus_inf, b.minus_inf, b.absent, b.finite, b.sum, b.sum_of_squares, b.min, b.max, b.degraded
FROM feature_windows AS b
WHERE b.model = {model:String}
    AND b.environment = {environment:String}
    AND (b.window_start, b.window_end) IN (SELECT window_start, window_end FROM others)
COMMENT 'A period in the fewest windows: rolled-up days and hours, base windows for the rest'
