-- question: What share of predictions has no truth, and is it only not due yet?
-- Counts are of rows on record; the share is an estimate of all predictions, each weighed 1 / sampling_rate.
-- parameters:
--   model String: model name
--   environment String = 'production': where it ran
--   since DateTime64(6, 'UTC') = 1970-01-01: first event time, UTC
--   until DateTime64(6, 'UTC') = 2299-12-31: event times before this, UTC
--   t DateTime64(6, 'UTC') = now: as known at this moment, UTC
--   traffic String = 'served' [served, shadow, all]: served, shadow or both
-- columns:
--   month: first day of the month of event time, UTC
--   model_version: version that answered
--   predictions: known at t
--   labelled: with a truth
--   pending: without one, label horizon not passed
--   overdue: without one, label horizon passed
--   retracted: had one that was taken back
--   void: will never have one
--   unlabelled_share: share of all predictions that are pending, overdue or retracted, void ones left out
--   ambiguous: predictions whose version used their id more than once
-- example: model=flights
-- plot: x=month y=unlabelled_share by=model_version
-- output:
--   month       model_version  predictions  labelled  pending  overdue  retracted  void  unlabelled_share  ambiguous
--   2013-02-01  1                      283       242        0       28          8     5            0.1295          0
--   2013-03-01  1                      304       268        0       26          5     5            0.1037          0
--   2013-04-01  2                      313       280        0       21          7     5           0.09091          0
SELECT
    toStartOfMonth(event_time) AS month,
    model_version,
    count() AS predictions,
    countIf(label_state = 'labelled') AS labelled,
    countIf(label_state = 'unlabelled' AND due_at > {t:DateTime64(6, 'UTC')}) AS pending,
    countIf(label_state = 'unlabelled' AND due_at <= {t:DateTime64(6, 'UTC')}) AS overdue,
    countIf(label_state = 'retracted') AS retracted,
    countIf(label_state = 'void') AS void,
    avgWeightedOrNull(if(label_state = 'void', NULL, label_state != 'labelled'), 1 / sampling_rate) AS unlabelled_share,
    countIf(o.ambiguous) AS ambiguous
FROM outcomes_all_as_of(t = {t:DateTime64(6, 'UTC')}) AS o
WHERE model = {model:String}
    AND environment = {environment:String}
    AND event_time >= {since:DateTime64(6, 'UTC')}
    AND event_time < {until:DateTime64(6, 'UTC')}
    AND ({traffic:String} = 'all' OR served = ({traffic:String} = 'served'))
GROUP BY month, model_version
ORDER BY month, model_version
