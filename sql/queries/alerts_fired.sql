-- question: Which alerts fired, how bad, and how long?
-- Withdrawn alerts, which revised verdicts no longer bear out, are left out unless asked for.
-- parameters:
--   model String = '': one model; empty: all
--   environment String = 'production': where it ran
--   since DateTime64(6, 'UTC') = 1970-01-01: first start, UTC
--   until DateTime64(6, 'UTC') = 2299-12-31: starts before this, UTC
--   state String = '' [, firing, resolved, withdrawn]: only those; empty: firing and resolved
-- columns:
--   started_at: start of the first window, UTC
--   resolved_at: end of the window that resolved it, UTC; NULL unless resolved
--   state: firing, resolved or withdrawn
--   severity: warn or severe
--   model: model name
--   model_version: version that answered
--   served: false: shadow traffic
--   kind: statistical or operational
--   metric: drift, quality, silence, volume, errors, latency or lag
--   reference: compared with
--   column: column
--   slice: slice
--   owner: owner of the model
--   summary: one sentence
--   raised_at: when we first said so, UTC
-- example: model=flights
-- output:
--   started_at  resolved_at  state     severity  model    model_version  served  kind         metric  reference  column    slice  owner    summary                                   raised_at
--   2013-04-11  2013-04-14   resolved  severe    flights  2              yes     statistical  drift   training   distance         o'brien  distance drifted from training, severely  2013-04-12
SELECT
    started_at, resolved_at, state, severity, model, model_version, served, kind, metric, reference, `column`, slice, owner, summary, raised_at
FROM alerts_v
WHERE ({model:String} = '' OR model = {model:String})
    AND environment = {environment:String}
    AND started_at >= {since:DateTime64(6, 'UTC')}
    AND started_at < {until:DateTime64(6, 'UTC')}
    AND if({state:String} = '', state != 'withdrawn', state = {state:String})
ORDER BY started_at, severity, model, model_version, `column`, slice, served
