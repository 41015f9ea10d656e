-- question: How did each column drift over time?
-- The last revision of every verdict. Columns that begin with @ are what the model gave: @score, @decision; @latency_ms and
-- @probability:<class> are not judged.
-- parameters:
--   model String: model name
--   environment String = 'production': where it ran
--   model_version String = '': one version; empty: all
--   column String = '': one column; empty: all
--   slice String = '': slice such as origin=JFK; empty: the whole
--   reference String = 'training' [, training, previous, seasonal, version]: compared with; empty: verdicts of a model that has none (no_reference)
--   since DateTime64(6, 'UTC') = 1970-01-01: first window start, UTC
--   until DateTime64(6, 'UTC') = 2299-12-31: window starts before this, UTC
--   traffic String = 'served' [served, shadow, all]: served, shadow or both
-- columns:
--   window_start: start of the window, UTC
--   window_end: its end, exclusive, UTC
--   model_version: version that answered
--   served: false: shadow traffic
--   column: feature or pseudo-column
--   state: ok, drifted, insufficient, untestable or no_reference
--   material: none, warn or severe
--   significant: adjusted p below the level
--   n: events of the window; with several sampling rates, how many of one rate tell as much
--   psi: population stability index
--   psi_excess: PSI above what chance alone gives
--   jensen_shannon: Jensen-Shannon distance, base 2
--   kolmogorov_smirnov: greatest difference of cumulative shares
--   wasserstein: Wasserstein-1 in deviations of the reference
--   null_rate_change: share of nulls, window less reference
--   p_adjusted: Benjamini-Hochberg
-- example: model=flights column=distance slice=origin=JFK
-- plot: x=window_start y=psi_excess by=column
-- output:
--   window_start  window_end  model_version  served  column    state    material  significant   n   psi  psi_excess  jensen_shannon  kolmogorov_smirnov  wasserstein  null_rate_change  p_adjusted
--   2013-04-10    2013-04-11  2              yes     distance  ok       none      no           10  0.02           0               -                   -            -                 -         0.4
--   2013-04-11    2013-04-12  2              yes     distance  drifted  severe    yes          10  0.44        0.42               -                   -            -                 -       0.001
SELECT
    window_start, window_end, model_version, served, `column`, state, material, significant, n, psi, psi_excess, jensen_shannon,
    kolmogorov_smirnov, wasserstein, null_rate_change, p_adjusted
FROM drift_v
WHERE model = {model:String}
    AND environment = {environment:String}
    AND ({model_version:String} = '' OR model_version = {model_version:String})
    AND ({column:String} = '' OR `column` = {column:String})
    AND slice = {slice:String}
    AND reference = {reference:String}
    AND window_start >= {since:DateTime64(6, 'UTC')}
    AND window_start < {until:DateTime64(6, 'UTC')}
    AND ({traffic:String} = 'all' OR served = ({traffic:String} = 'served'))
ORDER BY `column`, window_start, window_end, model_version, served
