-- question: How does one period differ from another, feature by feature?
-- Any two periods, from the stored sketches; no reference had to be chosen beforehand. Over the sketches' own bins, which are finer than a
-- verdict's, so PSI is greater; values are those of bins' midpoints. Counts as streamed; all other figures are of estimates of all events, each
-- weighed 1 / sampling_rate (PSI adds half a count at the size n). Categories by name only. A feature with values of both kinds has a row of each.
-- parameters:
--   model String: model name
--   since DateTime64(6, 'UTC'): start of the period, UTC
--   until DateTime64(6, 'UTC'): its end, exclusive, UTC
--   reference_since DateTime64(6, 'UTC'): start of the period compared with, UTC
--   reference_until DateTime64(6, 'UTC'): its end, exclusive, UTC
--   environment String = 'production': where it ran
--   slice String = '': slice such as origin=JFK; empty: the whole
--   model_version String = '': one version in both periods; empty: all
--   traffic String = 'served' [served, shadow, all]: served, shadow or both
-- columns:
--   column: feature or pseudo-column
--   column_kind: numeric or categorical
--   n: values of the period, of this kind
--   reference_n: values of the other
--   mean: of finite values
--   reference_mean: of the other
--   null_share: nulls / (values + nulls) of the column, of both kinds; what the model did not give (@score, @decision) is absent, not null
--   reference_null_share: of the other
--   psi: population stability index
--   jensen_shannon: Jensen-Shannon distance, base 2
--   kolmogorov_smirnov: numeric: greatest difference of cumulative shares
--   wasserstein: numeric: Wasserstein-1 distance in the unit of the feature
-- example: model=flights since=2013-04-01 until=2013-05-01 reference_since=2013-02-01 reference_until=2013-03-01
-- output:
--   column       column_kind    n  reference_n      mean  reference_mean  null_share  reference_null_share     psi  jensen_shannon  kolmogorov_smirnov  wasserstein
--   temperature  numeric      274          257  0.006974        -0.04805      0.1246               0.09187   1.062          0.8925                0.07       0.1222
--   @score       numeric      306          278     0.494          0.4879           0                     0  0.8259          0.4534              0.1145      0.06171
--   carrier      categorical  307          281         -               -     0.01917              0.007067  0.3837          0.2212                   -            -
WITH
both AS
(
    SELECT *, true AS ours
    FROM feature_windows_between(
        model = {model:String},
        environment = {environment:String},
        since = {since:DateTime64(6, 'UTC')},
        until = {until:DateTime64(6, 'UTC')},
        widest = 86400
    )
    WHERE slice = {slice:String}
        AND ({model_version:String} = '' OR model_version = {model_version:String})
        AND ({traffic:String} = 'all' OR served = ({traffic:String} = 'served'))
        AND column_kind != 'events'
    UNION ALL
    SELECT *, false AS ours
    FROM feature_windows_between(
        model = {model:String},
        environment = {environment:String},
        since = {reference_since:DateTime64(6, 'UTC')},
        until = {reference_until:DateTime64(6, 'UTC')},
        widest = 86400
    )
    WHERE slice = {slice:String}
        AND ({model_version:String} = '' OR model_version = {model_version:String})
        AND ({traffic:String} = 'all' OR served = ({traffic:String} = 'served'))
        AND column_kind != 'events'
),
chosen AS
(
    SELECT
        *,
        NOT ours AS theirs,
        1 / sampling_rate AS weight,
        -- histograms are of the whole in their shares and of what was seen in their size
        weight * sum(n) OVER of_side / sum(n * weight) OVER of_side AS scale,
        min(precision) OVER (PARTITION BY `column`, column_kind) AS least_precision
    FROM both
    WINDOW of_side AS (PARTITION BY `column`, column_kind, ours)
),
midpoints AS
(
    SELECT
        *,
        arrayMap(bin -> hindcast_midpoint(hindcast_bin(bin, least_precision), least_precision), bins) AS middles,
        arrayMap(count -> count * scale, counts) AS scaled
    FROM chosen
),
sides AS
(
    SELECT
        `column`,
        column_kind,
        any(m.column_kind = 'numeric') AS is_numeric,
        sumIf(m.n, ours) AS n,
        sumIf(m.n, theirs) AS reference_n,
        sumIf(m.n * weight, ours) AS whole,
        sumIf(m.n * weight, theirs) AS reference_whole,
        hindcast_ratio(sumIf(m.sum * weight, ours), sumIf(m.finite * weight, ours)) AS mean,
        hindcast_ratio(sumIf(m.sum * weight, theirs), sumIf(m.finite * weight, theirs)) AS reference_mean,
        sumIf(m.nulls * weight, ours) AS nulls,
        sumIf(m.nulls * weight, theirs) AS reference_nulls,
        sumMapIf(m.middles, m.scaled, ours AND m.column_kind = 'numeric') AS a,
        sumMapIf(m.middles, m.scaled, theirs AND m.column_kind = 'numeric') AS b,
        sumMapIf(m.values, m.scaled, ours AND m.column_kind = 'categorical') AS c,
        sumMapIf(m.values, m.scaled, theirs AND m.column_kind = 'categorical') AS d
    FROM midpoints AS m
    GROUP BY `column`, column_kind
),
-- a null that its sender gave no kind is counted as a number, whatever the feature's values are
shared AS
(
    SELECT
        *,
        hindcast_ratio(sum(nulls) OVER of_column, sum(whole + nulls) OVER of_column) AS null_share,
        hindcast_ratio(sum(reference_nulls) OVER of_column, sum(reference_whole + reference_nulls) OVER of_column) AS reference_null_share,
        row_number() OVER (PARTITION BY `column` ORDER BY n + reference_n DESC, column_kind) AS place
    FROM sides
    WINDOW of_column AS (PARTITION BY `column`)
)
SELECT
    `column`,
    toString(column_kind) AS column_kind,
    n,
    reference_n,
    mean,
    reference_mean,
    null_share,
    reference_null_share,
    if(is_numeric, hindcast_psi(a.1, a.2, b.1, b.2), hindcast_psi(c.1, c.2, d.1, d.2)) AS psi,
    if(is_numeric, hindcast_js(a.1, a.2, b.1, b.2), hindcast_js(c.1, c.2, d.1, d.2)) AS jensen_shannon,
    if(is_numeric, hindcast_ks(a.1, a.2, b.1, b.2), NULL) AS kolmogorov_smirnov,
    if(is_numeric, hindcast_wasserstein(a.1, a.2, b.1, b.2), NULL) AS wasserstein
FROM shared
WHERE n + reference_n > 0 OR place = 1
ORDER BY psi DESC NULLS LAST, `column`, column_kind
