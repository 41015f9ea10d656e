-- quality_v: the last revision of every quality window, as the joiner stored it. Earlier revisions stand in table quality.
-- Counts and figures are of rows as they are, whatever their sampling_rate; quality_as_of weighs them.
-- example: SELECT window_start, coverage, metrics['log_loss'] FROM quality_v WHERE model = 'flights' AND slice = '' AND served
CREATE OR REPLACE VIEW quality_v{on_cluster}
(
    `model` LowCardinality(String) COMMENT 'model name',
    `model_version` LowCardinality(String) COMMENT 'version that answered',
    `environment` LowCardinality(String) COMMENT 'where it ran',
    `output` LowCardinality(String) COMMENT 'output',
    `slice` LowCardinality(String) COMMENT 'empty for the whole, else name=value',
    `served` Bool COMMENT 'false: shadow traffic',
    `window_start` DateTime64(6, 'UTC') COMMENT 'start of the window of event time, UTC',
    `window_end` DateTime64(6, 'UTC') COMMENT 'its end, exclusive, UTC',
    `revision` DateTime64(6, 'UTC') COMMENT 'facts appended later are not in, UTC',
    `closed` Bool COMMENT 'the window had closed',
    `provisional` Bool COMMENT 'the label horizon had not passed',
    `predictions` Int64 COMMENT 'predictions',
    `due` Int64 COMMENT 'of these, older than the label horizon',
    `labelled` Int64 COMMENT 'of these, with a truth',
    `void` Int64 COMMENT 'of these, whose truth will never come',
    `coverage` Nullable(Float64) COMMENT 'labelled / (due - void); provisional: labelled / predictions',
    `covered` Nullable(Bool) COMMENT 'coverage has reached the minimum_coverage of the contract; NULL: no coverage yet',
    `confusion` Array(Tuple(truth String, decision String, count Int64)) COMMENT 'counts per (truth, decision)',
    `score_histograms` Array(Tuple(truth String, bins Array(Float64), counts Array(Int64))) COMMENT 'scores per true class',
    `sums` Map(String, Float64) COMMENT 'sums over labelled predictions',
    `metrics` Map(String, Float64) COMMENT 'figures made of them',
    `lags` Map(String, Float64) COMMENT 'seconds after which a share was labelled',
    `contract` String COMMENT 'digest of the contract it was judged under'
)
AS
SELECT last.*, last.coverage >= c.minimum_coverage AS covered
FROM
(
    SELECT
        model, model_version, environment, output, slice, served, window_start, window_end,
        max(q.revision) AS revision,
        argMax(q.closed, q.revision) AS closed,
        argMax(q.provisional, q.revision) AS provisional,
        argMax(q.predictions, q.revision) AS predictions,
        argMax(q.due, q.revision) AS due,
        argMax(q.labelled, q.revision) AS labelled,
        argMax(q.void, q.revision) AS void,
        -- in a tuple, because argMax alone passes over NULLs
        argMax(tuple(q.coverage), q.revision).1 AS coverage,
        argMax(q.confusion, q.revision) AS confusion,
        argMax(q.score_histograms, q.revision) AS score_histograms,
        argMax(q.sums, q.revision) AS sums,
        argMax(q.metrics, q.revision) AS metrics,
        argMax(q.lags, q.revision) AS lags,
        argMax(q.contract, q.revision) AS contract
    FROM quality AS q FINAL
    GROUP BY model, model_version, environment, output, slice, served, window_start, window_end
) AS last
LEFT ANY JOIN contracts_v AS c ON last.contract = c.digest
COMMENT 'The last revision of every quality window'
