-- question: Which columns drifted most, and in which window worst?
-- The last revision of every verdict, counted per column and slice. Only windows that could be judged count.
-- parameters:
--   model String: model name
--   environment String = 'production': where it ran
--   model_version String = '': one version; empty: all
--   reference String = 'training' [training, previous, seasonal, version]: compared with
--   since DateTime64(6, 'UTC') = 1970-01-01: first window start, UTC
--   until DateTime64(6, 'UTC') = 2299-12-31: window starts before this, UTC
--   traffic String = 'served' [served, shadow, all]: served, shadow or both
--   most UInt32 = 20: rows at most
-- columns:
--   column: feature or pseudo-column
--   slice: slice; empty: the whole
--   windows: verdicts of ok or drifted
--   drifted: of these, drifted
--   drifted_share: drifted / windows
--   severe: of these, severe
--   worst_psi_excess: greatest PSI above what chance alone gives
--   worst_window: start of the window that has it, UTC
--   worst_version: version that has it
--   last_drifted: start of the last drifted window, UTC
--   not_judged: verdicts of other states
-- example: model=flights
-- plot: x=column y=drifted_share by=slice
-- output:
--   column    slice       windows  drifted  drifted_share  severe  worst_psi_excess  worst_window  worst_version  last_drifted  not_judged
--   distance                    3        2         0.6667       2              0.31  2013-04-11    2              2013-04-12             0
--   distance  origin=JFK        2        1            0.5       1              0.42  2013-04-11    2              2013-04-11             0
--   carrier                     3        0              0       0              0.02  2013-04-12    2              -                      0
SELECT
    `column`,
    slice,
    countIf(state IN ('ok', 'drifted')) AS windows,
    countIf(state = 'drifted') AS drifted,
    hindcast_ratio(drifted, windows) AS drifted_share,
    countIf(state = 'drifted' AND material = 'severe') AS severe,
    maxIf(psi_excess, state IN ('ok', 'drifted')) AS worst_psi_excess,
    argMaxIf(toNullable(window_start), psi_excess, state IN ('ok', 'drifted')) AS worst_window,
    argMaxIf(model_version, psi_excess, state IN ('ok', 'drifted')) AS worst_version,
    maxIf(toNullable(window_start), state = 'drifted') AS last_drifted,
    count() - windows AS not_judged
FROM drift_v
WHERE model = {model:String}
    AND environment = {environment:String}
    AND ({model_version:String} = '' OR model_version = {model_version:String})
    AND reference = {reference:String}
    AND window_start >= {since:DateTime64(6, 'UTC')}
    AND window_start < {until:DateTime64(6, 'UTC')}
    AND ({traffic:String} = 'all' OR served = ({traffic:String} = 'served'))
GROUP BY `column`, slice
ORDER BY drifted DESC, worst_psi_excess DESC NULLS LAST, `column`, slice
LIMIT {most:UInt32}
