-- alerts_v: one row per alert and how it stands: its last message tells. Evidence is that of its last firing message, which is its worst.
-- example: SELECT started_at, severity, `column`, slice, summary FROM alerts_v WHERE model = 'flights' ORDER BY started_at
CREATE OR REPLACE VIEW alerts_v{on_cluster}
(
    `alert_id` String COMMENT 'digest of identity and started_at',
    `model` LowCardinality(String) COMMENT 'model name',
    `model_version` LowCardinality(String) COMMENT 'version that answered',
    `environment` LowCardinality(String) COMMENT 'where it ran',
    `served` Bool COMMENT 'false: shadow traffic',
    `kind` LowCardinality(String) COMMENT 'statistical or operational',
    `metric` LowCardinality(String) COMMENT 'drift, or integrity: stream and record differ; others are not raised yet',
    `reference` LowCardinality(String) COMMENT 'reference',
    `column` LowCardinality(String) COMMENT 'column',
    `slice` LowCardinality(String) COMMENT 'slice',
    `state` String COMMENT 'firing, resolved, or withdrawn: verdicts revised since no longer bear it out',
    `severity` String COMMENT 'warn or severe',
    `started_at` DateTime64(6, 'UTC') COMMENT 'start of the first window, UTC',
    `resolved_at` Nullable(DateTime64(6, 'UTC')) COMMENT 'end of the window that resolved it, UTC; NULL unless resolved',
    `window_start` DateTime64(6, 'UTC') COMMENT 'window behind its last firing message, UTC',
    `window_end` DateTime64(6, 'UTC') COMMENT 'its end, UTC',
    `owner` Nullable(String) COMMENT 'owner of the model',
    `summary` String COMMENT 'one sentence',
    `evidence` Map(String, Float64) COMMENT 'figures',
    `link` Nullable(String) COMMENT 'a page that shows it',
    `raised_at` DateTime64(6, 'UTC') COMMENT 'when we first said so: append time, UTC'
)
AS
SELECT
    alert_id, model, model_version, environment, served, kind, metric, reference, `column`, slice,
    argMax(a.state, (_appended_at, _partition, _offset)) AS state,
    argMaxIf(a.severity, (_appended_at, _partition, _offset), a.state = 'firing') AS severity,
    started_at,
    if(state = 'resolved', argMaxIf(toNullable(a.window_end), (_appended_at, _partition, _offset), a.state = 'resolved'), NULL) AS resolved_at,
    argMaxIf(a.window_start, (_appended_at, _partition, _offset), a.state = 'firing') AS window_start,
    argMaxIf(a.window_end, (_appended_at, _partition, _offset), a.state = 'firing') AS window_end,
    argMaxIf(a.owner, (_appended_at, _partition, _offset), a.state = 'firing') AS owner,
    argMaxIf(a.summary, (_appended_at, _partition, _offset), a.state = 'firing') AS summary,
    argMaxIf(a.evidence, (_appended_at, _partition, _offset), a.state = 'firing') AS evidence,
    argMaxIf(a.link, (_appended_at, _partition, _offset), a.state = 'firing') AS link,
    min(_appended_at) AS raised_at
FROM alerts AS a FINAL
GROUP BY alert_id, model, model_version, environment, served, kind, metric, reference, `column`, slice, started_at
COMMENT 'Every alert and how it stands'
