"""One query that counts and sums whole windows, per slice: from predictions and outcomes appended at or before the revision.

Rows are predictions, each once, beside the fact that counts (the last by reported_at, kind, label_id). Classification, where there is a true
class: confusion of true class and decision (the event's, else the score against the threshold), score histograms per class, log loss
-ln p clipped at 1e-15, Brier score (p - y)^2 (over classes: sum of squares; Brier 1950), ROC and precision-recall curve areas from the rows with
ties counted half, expected calibration error over 15 bins of equal mass (Naeini et al. 2015; rows of equal score count as their mean truth each,
so that it does not matter where a bin cuts them). Regression, where there is a true number: sums of score - truth. What is not finite, a score,
any of the probabilities or a truth, is in no figure.
"""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from stream_processors.clickhouse import Store
from stream_processors.joiner.micros import SECOND
from stream_processors.joiner.quality.judging import (
    MULTICLASS,
    RANKING,
    REGRESSION,
    UNKNOWN,
    Judged,
    judging_columns,
    slices_column,
)
from stream_processors.joiner.quality.windows import Window

PRECISION = 7
CALIBRATION_BINS = 15
LAG_SHARES = (50, 90, 99)

_JUDGED = """
SELECT
    model_version, output, served, prediction_id, event_time, score, decision, probabilities,
    -- the newest prediction's contract speaks for its window
    toUnixTimestamp64Milli(_appended_at) * 65536 + place AS newest,
    {judging},
    toUnixTimestamp64Micro(event_time) - toUnixTimestamp64Micro(event_time) % (width_s * 1000000) AS start,
    {slices} AS slices
FROM predictions FINAL
WHERE model = {model:String} AND environment = {environment:String}
    AND event_time >= fromUnixTimestamp64Micro({first_time:Int64}, 'UTC')
    AND event_time < fromUnixTimestamp64Micro({end_time:Int64}, 'UTC')
    AND _appended_at <= fromUnixTimestamp64Micro({revision:Int64}, 'UTC')
    AND (toString(model_version), toString(output), toUInt8(served), width_s, start) IN
    (
        SELECT w.1, w.2, w.3, w.4, w.5 FROM
        (
            SELECT arrayJoin(arrayZip(
                {versions:Array(String)}, {outputs:Array(String)}, {served:Array(UInt8)}, {all_widths:Array(Int64)}, {starts:Array(Int64)}
            )) AS w
        )
    )
"""

_FACTS = """
SELECT
    model_version, output, prediction_id, event_time,
    argMax(
        (toString(kind), truth, truth_value, true_at),
        (reported_at, indexOf(['truth', 'correction', 'retraction', 'void'], toString(kind)), label_id)
    ) AS last,
    minIf(known_at, kind IN ('truth', 'correction')) AS first_known_at
FROM outcomes
WHERE model = {model:String} AND environment = {environment:String}
    AND event_time >= fromUnixTimestamp64Micro({first_time:Int64}, 'UTC')
    AND event_time < fromUnixTimestamp64Micro({end_time:Int64}, 'UTC')
    AND label_appended_at <= fromUnixTimestamp64Micro({revision:Int64}, 'UTC')
GROUP BY model_version, output, prediction_id, event_time
"""

# y, said, p_true, error: NULL wherever there is nothing to judge
_ROWS = f"""
SELECT
    p.*,
    f.last.1 IN ('truth', 'correction') AS labelled,
    f.last.1 = 'void' AS void,
    if(labelled AND kind NOT IN ({REGRESSION}, {RANKING}), f.last.2, NULL) AS class,
    if(isFinite(score), score, NULL) AS number,
    multiIf(
        class IS NULL OR kind = {MULTICLASS}, NULL,
        kind = {UNKNOWN} AND class NOT IN ('true', 'false'), NULL,
        class = positive
    ) AS y,
    multiIf(
        class IS NULL, NULL,
        decision IS NOT NULL, toString(decision),
        number IS NULL OR y IS NULL, NULL,
        number >= threshold, positive,
        negative
    ) AS said,
    if(
        kind = {MULTICLASS},
        arrayAll(p -> isFinite(p), mapValues(probabilities)) AND mapContains(probabilities, ifNull(class, '')),
        y IS NOT NULL AND number BETWEEN 0 AND 1
    ) AS has_probability,
    multiIf(
        NOT has_probability, NULL,
        kind = {MULTICLASS}, probabilities[assumeNotNull(class)],
        y, number,
        1 - number
    ) AS p_true,
    -- least and greatest pass over NULL
    if(p_true IS NULL, NULL, -log(least(greatest(p_true, 1e-15), 1 - 1e-15))) AS log_loss,
    multiIf(
        p_true IS NULL, NULL,
        kind = {MULTICLASS}, arraySum(p -> p * p, mapValues(probabilities)) - 2 * p_true + 1,
        pow(1 - p_true, 2)
    ) AS brier,
    if(labelled AND isFinite(f.last.3) AND (kind = {REGRESSION} OR (kind = {UNKNOWN} AND f.last.2 IS NULL)), f.last.3, NULL) AS true_number,
    number - true_number AS error,
    if(labelled, dateDiff('microsecond', event_time, f.last.4) / 1e6, NULL) AS truth_lag,
    if(labelled, dateDiff('microsecond', event_time, f.first_known_at) / 1e6, NULL) AS known_lag,
    hindcast_bin(ifNull(number, 0), {PRECISION}) AS bin
FROM ({{judged}}) AS p
LEFT ANY JOIN ({_FACTS}) AS f USING (model_version, output, prediction_id, event_time)
"""

_KEY = "model_version, output, served, width_s, start, slice"

_BY_DECISION = f"""
SELECT
    {_KEY}, class, said,
    max(r.newest) AS newest, max(r.horizon_s) AS longest_s,
    toInt64(count()) AS n,
    toInt64(countIf(toUnixTimestamp64Micro(event_time) + horizon_s * {SECOND} <= {{revision:Int64}})) AS n_due,
    toInt64(countIf(labelled)) AS n_labelled,
    toInt64(countIf(void)) AS n_void,
    groupArrayIf(bin, number IS NOT NULL AND class IS NOT NULL) AS bins,
    toInt64(countIf(y AND said = positive)) AS tp,
    toInt64(countIf(NOT y AND said = positive)) AS fp,
    toInt64(countIf(y AND said != positive)) AS fn,
    toInt64(countIf(NOT y AND said != positive)) AS tn,
    groupArrayIf((assumeNotNull(number), assumeNotNull(y)), number IS NOT NULL AND y IS NOT NULL) AS scored,
    countIf(log_loss IS NOT NULL) AS n_log_loss, sumIf(assumeNotNull(log_loss), log_loss IS NOT NULL) AS s_log_loss,
    sumIf(assumeNotNull(brier), brier IS NOT NULL) AS s_brier,
    countIf(error IS NOT NULL) AS n_error, sumIf(assumeNotNull(error), error IS NOT NULL) AS s_error,
    sumIf(assumeNotNull(error * error), error IS NOT NULL) AS s_squared_error,
    sumIf(assumeNotNull(abs(error)), error IS NOT NULL) AS s_absolute_error,
    countIf(error IS NOT NULL AND true_number != 0) AS n_relative_error,
    sumIf(assumeNotNull(abs(error / true_number)), error IS NOT NULL AND true_number != 0) AS s_relative_error,
    -- only where no true class stands beside the number, and then there is one group
    n_error * varPopStableIf(assumeNotNull(true_number), error IS NOT NULL) AS s_squared_deviation,
    groupArrayIf(assumeNotNull(truth_lag), truth_lag IS NOT NULL) AS truth_lags,
    groupArrayIf(assumeNotNull(known_lag), known_lag IS NOT NULL) AS known_lags
FROM ({_ROWS}) AS r ARRAY JOIN slices AS slice
GROUP BY {_KEY}, class, said
"""

_ADDED = (
    "n", "n_due", "n_labelled", "n_void", "tp", "fp", "fn", "tn", "n_log_loss", "s_log_loss", "s_brier", "n_error", "s_error",
    "s_squared_error", "s_absolute_error", "n_relative_error", "s_relative_error", "s_squared_deviation",
)  # fmt: skip
_JOINED = ("scored", "truth_lags", "known_lags")

_BY_CLASS = f"""
SELECT
    {_KEY}, class,
    max(d.newest) AS newest, max(d.longest_s) AS longest_s,
    arraySort(groupArrayIf((assumeNotNull(said), d.n), said IS NOT NULL)) AS decisions,
    -- run lengths of the sorted bins; sumMap costs a microsecond a value
    arraySort(groupArrayArray(d.bins)) AS sorted,
    arrayShiftRight(sorted, 1, nan) AS before,
    arrayFilter((bin, last) -> bin != last, sorted, before) AS bins,
    arrayFilter((at, bin, last) -> bin != last, arrayEnumerate(sorted), sorted, before) AS firsts,
    arrayMap((at, next) -> toInt64(next) - at, firsts, arrayShiftLeft(firsts, 1, toUInt32(length(sorted) + 1))) AS counts,
    {", ".join(f"sum(d.{name}) AS {name}" for name in _ADDED)},
    {", ".join(f"groupArrayArray(d.{name}) AS {name}" for name in _JOINED)}
FROM ({_BY_DECISION}) AS d
GROUP BY {_KEY}, class
"""


def _quantiles(name: str) -> str:
    """Lags after which shares of *all* predictions were labelled; NULL where so many are not yet."""
    ranks = (f"toUInt64(ceil(predictions * {share} / 100))" for share in LAG_SHARES)
    return ", ".join(
        f"if({rank} BETWEEN 1 AND length(sorted_{name}), sorted_{name}[{rank}], NULL) AS {name}_p{share}"
        for share, rank in zip(LAG_SHARES, ranks, strict=True)
    )


_WHOLE = f"""
SELECT
    {_KEY},
    toInt32(max(g.newest) % 65536) AS place, max(g.longest_s) AS horizon_s,
    sum(g.n) AS predictions, sum(g.n_due) AS due, sum(g.n_labelled) AS labelled, sum(g.n_void) AS void,
    arraySort(groupArrayIf((assumeNotNull(class), g.decisions), class IS NOT NULL)) AS of_classes,
    arrayFlatten(arrayMap(
        c -> arrayMap(d -> CAST((c.1, d.1, d.2), 'Tuple(truth String, decision String, count Int64)'), c.2), of_classes
    )) AS confusion,
    arrayMap(
        h -> CAST(h, 'Tuple(truth String, bins Array(Float64), counts Array(Int64))'),
        arraySort(groupArrayIf((assumeNotNull(class), g.bins, g.counts), class IS NOT NULL AND notEmpty(g.bins)))
    ) AS score_histograms,
    sum(g.tp) AS tp, sum(g.fp) AS fp, sum(g.fn) AS fn, sum(g.tn) AS tn,
    toFloat64(sum(g.n_log_loss)) AS n_log_loss, sum(g.s_log_loss) AS log_loss, sum(g.s_brier) AS brier,
    toFloat64(sum(g.n_error)) AS n_error, sum(g.s_error) AS error, sum(g.s_squared_error) AS squared_error,
    sum(g.s_absolute_error) AS absolute_error,
    toFloat64(sum(g.n_relative_error)) AS n_relative_error, sum(g.s_relative_error) AS relative_error,
    sum(g.s_squared_deviation) AS squared_deviation,
    arraySort(groupArrayArray(g.scored)) AS ranked,
    arrayMap(r -> r.1, ranked) AS ranked_scores, arrayMap(r -> r.2, ranked) AS ranked_truths,
    toInt64(length(ranked)) AS n_ranked, toInt64(arraySum(ranked_truths)) AS n_positive,
    n_positive > 0 AND n_positive < n_ranked AS both_classes,
    if(both_classes, arrayROCAUC(ranked_scores, ranked_truths), NULL) AS roc_auc,
    if(both_classes, arrayAUCPR(ranked_scores, ranked_truths), NULL) AS pr_auc,
    arraySplit(
        (r, score, before) -> score != before, ranked, ranked_scores, arrayShiftRight(ranked_scores, 1, nan)
    ) AS ties,
    arrayFlatten(arrayMap(
        tie -> arrayWithConstant(length(tie), tie[1].1 - arrayAvg(arrayMap(r -> r.2, tie))), ties
    )) AS deviations,
    arrayPushFront(arrayCumSum(deviations), 0.) AS excess,
    if(
        n_ranked > 0 AND ranked_scores[1] >= 0 AND ranked_scores[-1] <= 1,
        arraySum(
            k -> abs(excess[intDiv((k + 1) * n_ranked, {CALIBRATION_BINS}) + 1] - excess[intDiv(k * n_ranked, {CALIBRATION_BINS}) + 1]),
            range({CALIBRATION_BINS})
        ) / n_ranked,
        NULL
    ) AS ece,
    arraySort(groupArrayArray(g.truth_lags)) AS sorted_truth, arraySort(groupArrayArray(g.known_lags)) AS sorted_known,
    {_quantiles("truth")}, {_quantiles("known")}
FROM ({_BY_CLASS}) AS g
GROUP BY {_KEY}
"""

# everything but the arrays that only the figures above are made of
_SQL = f"""
SELECT * EXCEPT (of_classes, ranked, ranked_scores, ranked_truths, ties, deviations, excess, sorted_truth, sorted_known, both_classes)
FROM ({_WHOLE})
ORDER BY start, model_version, output, served, slice
"""


def count_windows(store: Store, windows: list[Window], contracts: list[Judged], revision: int) -> pa.Table:
    """Counts, sums and curve areas of windows of one model and environment: one row per window and slice.

    ``contracts`` are every contract of the model; facts and predictions appended after ``revision`` (microseconds) are left out. A window
    without any prediction by then has no row.
    """
    judging, parameters = judging_columns(contracts)
    slices, more = slices_column(contracts)
    parameters |= more
    parameters |= {
        "model": windows[0].model,
        "environment": windows[0].environment,
        "first_time": min(window.start for window in windows),
        "end_time": max(window.end for window in windows),
        "revision": revision,
    }
    parameters |= _in_columns(windows)
    sql = _SQL.replace("{judged}", _JUDGED.replace("{judging}", judging).replace("{slices}", slices))
    return store.arrow(sql, parameters)


def _in_columns(windows: list[Window]) -> dict[str, Any]:
    return {
        "versions": [window.model_version for window in windows],
        "outputs": [window.output for window in windows],
        "served": [int(window.served) for window in windows],
        "all_widths": [window.width_s for window in windows],
        "starts": [window.start for window in windows],
    }
