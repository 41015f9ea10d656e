-- question: How are the values of one feature distributed in a period?
-- From the stored sketches, of any windows and slice; whatever is no bin or category has rows of its own, so that the shares add up to 1.
-- Absent are all events of the period, versions and traffic asked for that did not carry it. Counts are of events as streamed; shares are
-- estimates of all events, each weighed 1 / sampling_rate.
-- parameters:
--   model String: model name
--   column String: feature, or what the model gave: @score, @decision, @latency_ms
--   since DateTime64(6, 'UTC') = 1970-01-01: start of the period, UTC
--   until DateTime64(6, 'UTC') = 2299-12-31: its end, exclusive, UTC
--   environment String = 'production': where it ran
--   slice String = '': slice such as origin=JFK; empty: the whole
--   model_version String = '': one version; empty: all
--   bits UInt8 = 3 [0 to 20]: significant bits of a bin, at most the fewest stored: 3 are bins of 6 to 12 % width
--   traffic String = 'served' [served, shadow, all]: served, shadow or both
-- columns:
--   kind: bin, category, other (categories that are counted by hash alone), nan, plus_inf, minus_inf, null or absent
--   bin: numeric: the end of the bin that is nearer to 0
--   middle: numeric: its middle
--   value: categorical: the category
--   count: events
--   share: share of all events
-- example: model=flights column=distance since=2013-02-01 until=2013-05-01
-- plot: x=middle|value y=share
-- output:
--   kind  bin  middle  value  count   share
--   bin   192     200  -        217  0.2411
--   bin   704     736  -        232  0.2578
--   bin   960     992  -        225    0.25
WITH
merged AS
(
    WITH
        -- a window in which nobody sent the feature may have no row of it, but has one of its events
        [arraySum(w.buckets), w.nans, w.plus_inf, w.minus_inf, w.nulls, w.events - w.n - w.nulls] AS each
    SELECT
        least(minIf(w.precision, w.column_kind = 'numeric'), {bits:UInt8}) AS coarse,
        sumMap(
            if(w.column_kind = 'numeric', arrayMap(bin -> hindcast_bin(bin, {bits:UInt8}), w.bins), []),
            if(w.column_kind = 'numeric', w.counts, []),
            if(w.column_kind = 'numeric', arrayMap(n -> n / sampling_rate, w.counts), [])
        ) AS stored,
        -- windows of contracts with other precisions, or coarsened ones, have bins of several widths
        arrayReduce('sumMap', [arrayMap(bin -> hindcast_bin(bin, coarse), stored.1)], [stored.2], [stored.3]) AS numeric,
        sumMap(
            if(w.column_kind = 'categorical', w.values, []),
            if(w.column_kind = 'categorical', w.counts, []),
            if(w.column_kind = 'categorical', arrayMap(n -> n / sampling_rate, w.counts), [])
        ) AS categorical,
        sumForEach(each) AS others,
        sumForEach(arrayMap(n -> n / sampling_rate, each)) AS others_estimated
    FROM feature_windows_between(
        model = {model:String},
        environment = {environment:String},
        since = {since:DateTime64(6, 'UTC')},
        until = {until:DateTime64(6, 'UTC')},
        widest = 86400
    ) AS w
    WHERE `column` IN ('@events', {column:String})
        AND slice = {slice:String}
        AND ({model_version:String} = '' OR model_version = {model_version:String})
        AND ({traffic:String} = 'all' OR served = ({traffic:String} = 'served'))
    HAVING countIf(w.column_kind != 'events') > 0
),
listed AS
(
    SELECT arrayJoin(arrayConcat(
        arrayMap((bin, n, whole) -> ('bin', toNullable(bin), '', n, whole), numeric.1, numeric.2, numeric.3),
        arrayMap((value, n, whole) -> ('category', CAST(NULL, 'Nullable(Float64)'), value, n, whole), categorical.1, categorical.2, categorical.3),
        arrayMap(
            (name, n, whole) -> (name, CAST(NULL, 'Nullable(Float64)'), '', n, whole),
            ['other', 'nan', 'plus_inf', 'minus_inf', 'null', 'absent'],
            others,
            others_estimated
        )
    )) AS line, coarse
    FROM merged
)
SELECT
    line.1 AS kind,
    line.2 AS bin,
    if(kind = 'bin', hindcast_midpoint(assumeNotNull(bin), coarse), NULL) AS middle,
    if(kind = 'category', line.3, NULL) AS value,
    line.4 AS count,
    line.5 / sum(line.5) OVER () AS share
FROM listed
WHERE line.4 > 0
ORDER BY indexOf(['bin', 'category', 'other', 'nan', 'plus_inf', 'minus_inf', 'null', 'absent'], kind), bin, count DESC, value
