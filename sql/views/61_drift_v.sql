-- drift_v: the last revision of every drift verdict. Earlier revisions stand in table drift. The column @model is the whole.
-- What an earlier revision of a window judged and its last did not is left out.
-- example: SELECT window_start, `column`, state, psi FROM drift_v WHERE model = 'flights' AND slice = '' AND served AND state = 'drifted'
CREATE OR REPLACE VIEW drift_v{on_cluster}
(
    `model` LowCardinality(String) COMMENT 'model name',
    `model_version` LowCardinality(String) COMMENT 'version that answered',
    `environment` LowCardinality(String) COMMENT 'where it ran',
    `served` Bool COMMENT 'false: shadow traffic',
    `reference` LowCardinality(String) COMMENT 'training, the only one yet; empty: none (no_reference)',
    `column` LowCardinality(String) COMMENT 'feature, pseudo-column or @model',
    `slice` LowCardinality(String) COMMENT 'empty for the whole, else name=value',
    `window_start` DateTime64(6, 'UTC') COMMENT 'start, UTC',
    `window_end` DateTime64(6, 'UTC') COMMENT 'end, exclusive, UTC',
    `revision` Int64 COMMENT 'offset of the stretch that closed the latest flush included',
    `complete` Bool COMMENT 'the window had closed',
    `state` LowCardinality(String) COMMENT 'ok, drifted, insufficient, untestable or no_reference',
    `material` LowCardinality(String) COMMENT 'none, warn or severe',
    `significant` Bool COMMENT 'adjusted p below the level',
    `n` Int64 COMMENT 'events of the window; with several sampling rates, how many of one rate tell as much',
    `reference_n` Int64 COMMENT 'of the reference',
    `excluded` Int64 COMMENT 'events of the window without a value: null, NaN, infinite, absent; in bins of their own',
    `psi` Nullable(Float64) COMMENT 'population stability index, half a count added',
    `psi_expected` Nullable(Float64) COMMENT 'PSI expected from chance alone',
    `psi_excess` Nullable(Float64) COMMENT 'PSI above that',
    `jensen_shannon` Nullable(Float64) COMMENT 'Jensen-Shannon distance, base 2',
    `kolmogorov_smirnov` Nullable(Float64) COMMENT 'greatest difference of cumulative shares',
    `wasserstein` Nullable(Float64) COMMENT 'Wasserstein-1 over the deviation of the reference',
    `chi_squared` Nullable(Float64) COMMENT 'chi-squared statistic on the bins',
    `null_rate_change` Nullable(Float64) COMMENT 'window less reference',
    `absent_rate_change` Nullable(Float64) COMMENT 'window less reference',
    `p_value` Nullable(Float64) COMMENT 'combined',
    `p_adjusted` Nullable(Float64) COMMENT 'Benjamini-Hochberg over the columns and slices of the window',
    `tests` Map(String, Float64) COMMENT 'p-values combined',
    `dispersion` Nullable(Float64) COMMENT 'what statistics were divided by; NULL: rows were taken as independent',
    `bins` Array(String) COMMENT 'labels of the comparison bins',
    `counts` Array(Int64) COMMENT 'of the window',
    `reference_counts` Array(Int64) COMMENT 'of the reference',
    `evidence` Map(String, Float64) COMMENT 'figures of the whole',
    `contributors` Array(String) COMMENT 'strongest columns first',
    `contract` LowCardinality(String) COMMENT 'digest of the contract'
)
AS
SELECT
    model, model_version, environment, served, reference, `column`, slice, window_start, window_end, revision, complete, state,
    material, significant, n, reference_n, excluded, psi, psi_expected, psi_excess, jensen_shannon, kolmogorov_smirnov, wasserstein,
    chi_squared, null_rate_change, absent_rate_change, p_value, p_adjusted, tests, dispersion, bins, counts, reference_counts,
    evidence, contributors, contract
FROM drift FINAL
LEFT JOIN (
    SELECT model, environment, model_version, served, window_start, window_end, max(revision) AS whole_revision
    FROM drift
    WHERE `column` = '@model'
    GROUP BY model, environment, model_version, served, window_start, window_end
) AS wholes USING (model, environment, model_version, served, window_start, window_end)
WHERE revision >= ifNull(whole_revision, 0)
ORDER BY revision DESC
LIMIT 1 BY model, environment, model_version, served, reference, `column`, slice, window_start, window_end
COMMENT 'The last revision of every drift verdict'
