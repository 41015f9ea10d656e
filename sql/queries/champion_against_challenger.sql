-- question: Which of two versions is better on the predictions that both of them made?
-- Pairs share the id and the fact that labelled them. Every figure of a row is over the same pairs: those of which both versions gave all that
-- the month's figures need (a decision, a score, the probability of the truth; what no pair has, is not needed). Of a regression there are none.
-- Differences are challenger less champion; their 95 % intervals take UTC days as clusters (linearised, cluster-robust), because the rows of a
-- day are not independent. Below about 20 days an interval is too narrow. Counts are of rows on record; in all other figures a pair weighs
-- 1 / the lesser sampling_rate of its two, because what is kept at one rate is kept at every higher one.
-- parameters:
--   model String: model name
--   champion String: version to beat
--   challenger String: version to compare, served or shadow
--   environment String = 'production': where they ran
--   since DateTime64(6, 'UTC') = 1970-01-01: first event time, UTC
--   until DateTime64(6, 'UTC') = 2299-12-31: event times before this, UTC
-- columns:
--   month: first day of the month of the champion's event time, UTC
--   pairs: labelled predictions that both made, compared
--   not_compared: labelled predictions of both that are left out, because one of them failed, or both
--   days: UTC days the pairs fall on
--   champion_accuracy: share of its decisions that were right
--   challenger_accuracy: the same
--   accuracy_difference: challenger less champion; above 0 the challenger is better
--   accuracy_low: lower end of its 95 % interval
--   accuracy_high: upper end
--   champion_log_loss: mean, nats
--   challenger_log_loss: mean, nats
--   log_loss_difference: challenger less champion; below 0 the challenger is better
--   log_loss_low: lower end of its 95 % interval
--   log_loss_high: upper end
--   champion_roc_auc: ties count half
--   challenger_roc_auc: the same
--   only_champion_right: pairs
--   only_challenger_right: pairs
-- example: model=flights champion=1 challenger=2
-- plot: x=month y=accuracy_difference
-- output:
--   month       pairs  not_compared  days  champion_accuracy  challenger_accuracy  accuracy_difference  accuracy_low  accuracy_high  champion_log_loss  challenger_log_loss  log_loss_difference  log_loss_low  log_loss_high  champion_roc_auc  challenger_roc_auc  only_champion_right  only_challenger_right
--   2013-03-01    265             3    31             0.6604               0.6717              0.01132       -0.0642        0.08684             0.8146               0.6094              -0.2052       -0.4916        0.08109            0.6972              0.7307                   43                     46
WITH
joined AS
(
    SELECT
        toStartOfMonth(a.event_time) AS month,
        toDate(a.event_time) AS day,
        1 / least(a.sampling_rate, b.sampling_rate) AS weight,
        toInt8(a.correct) AS champion_right,
        toInt8(b.correct) AS challenger_right,
        a.log_loss AS champion_loss,
        b.log_loss AS challenger_loss,
        challenger_right - champion_right AS gain,
        challenger_loss - champion_loss AS loss,
        a.positive AS positive,
        a.score AS champion_score,
        b.score AS challenger_score,
        gain IS NOT NULL AS decided,
        loss IS NOT NULL AS rated,
        ifNull(positive IS NOT NULL AND isFinite(champion_score) AND isFinite(challenger_score), false) AS ranked
    FROM
    (
        SELECT prediction_id, output, label_id, event_time, correct, log_loss, positive, score, sampling_rate
        FROM outcomes_all_v
        WHERE model = {model:String} AND environment = {environment:String} AND model_version = {champion:String}
            AND event_time >= {since:DateTime64(6, 'UTC')} AND event_time < {until:DateTime64(6, 'UTC')}
            AND label_state = 'labelled'
    ) AS a
    INNER JOIN
    (
        SELECT prediction_id, output, label_id, correct, log_loss, score, sampling_rate
        FROM outcomes_all_v
        WHERE model = {model:String} AND environment = {environment:String} AND model_version = {challenger:String}
            AND label_state = 'labelled'
    ) AS b ON a.prediction_id = b.prediction_id AND a.output = b.output AND a.label_id = b.label_id
),
judged AS
(
    SELECT
        *,
        (decided OR rated OR ranked)
            AND decided = max(decided) OVER of_month
            AND rated = max(rated) OVER of_month
            AND ranked = max(ranked) OVER of_month AS compared
    FROM joined
    WINDOW of_month AS (PARTITION BY month)
),
means AS
(
    SELECT
        month,
        countIf(compared) AS pairs,
        countIf(NOT compared) AS not_compared,
        uniqExactIf(day, compared) AS days,
        avgWeightedOrNullIf(champion_right, weight, compared AND decided) AS champion_accuracy,
        avgWeightedOrNullIf(challenger_right, weight, compared AND decided) AS challenger_accuracy,
        challenger_accuracy - champion_accuracy AS accuracy_difference,
        avgWeightedOrNullIf(champion_loss, weight, compared AND rated) AS champion_log_loss,
        avgWeightedOrNullIf(challenger_loss, weight, compared AND rated) AS challenger_log_loss,
        challenger_log_loss - champion_log_loss AS log_loss_difference,
        groupArrayIf(assumeNotNull(champion_score), compared AND ranked) AS champion_scores,
        groupArrayIf(assumeNotNull(challenger_score), compared AND ranked) AS challenger_scores,
        groupArrayIf(assumeNotNull(positive), compared AND ranked) AS truths,
        groupArrayIf(weight, compared AND ranked) AS weights,
        countIf(compared AND champion_right > challenger_right) AS only_champion_right,
        countIf(compared AND challenger_right > champion_right) AS only_challenger_right
    FROM judged
    GROUP BY month
),
clusters AS
(
    SELECT
        month,
        day,
        sum(weight * (p.gain - m.accuracy_difference)) AS gain_of_day,
        sum(weight * (p.loss - m.log_loss_difference)) AS loss_of_day,
        sum(weight) AS weight_of_day
    FROM judged AS p
    INNER JOIN means AS m USING (month)
    WHERE compared
    GROUP BY month, day
),
errors AS
(
    SELECT
        month,
        1.959963984540054 * sqrt(sum(gain_of_day * gain_of_day) * hindcast_ratio(count(), count() - 1)) / sum(weight_of_day) AS gain_half,
        1.959963984540054 * sqrt(sum(loss_of_day * loss_of_day) * hindcast_ratio(count(), count() - 1)) / sum(weight_of_day) AS loss_half
    FROM clusters
    GROUP BY month
)
SELECT
    month,
    m.pairs AS pairs,
    not_compared,
    m.days AS days,
    champion_accuracy,
    challenger_accuracy,
    accuracy_difference,
    accuracy_difference - gain_half AS accuracy_low,
    accuracy_difference + gain_half AS accuracy_high,
    champion_log_loss,
    challenger_log_loss,
    log_loss_difference,
    log_loss_difference - loss_half AS log_loss_low,
    log_loss_difference + loss_half AS log_loss_high,
    hindcast_roc_auc(champion_scores, truths, weights) AS champion_roc_auc,
    hindcast_roc_auc(challenger_scores, truths, weights) AS challenger_roc_auc,
    only_champion_right,
    only_challenger_right
FROM means AS m
LEFT JOIN errors AS e USING (month)
ORDER BY month
