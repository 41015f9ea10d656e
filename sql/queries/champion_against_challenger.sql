-- question: Which of two versions is better on the predictions that both of them made?
-- Pairs share the id and the fact that labelled them. Differences are challenger less champion; their 95 % intervals take UTC days as clusters
-- (linearised, cluster-robust), because the rows of a day are not independent. Below about 20 days an interval is too narrow.
-- parameters:
--   model String: model name
--   champion String: version to beat
--   challenger String: version to compare, served or shadow
--   environment String = 'production': where they ran
--   since DateTime64(6, 'UTC') = 1970-01-01: first event time, UTC
--   until DateTime64(6, 'UTC') = 2299-12-31: event times before this, UTC
-- columns:
--   month: first day of the month of the champion's event time, UTC
--   pairs: predictions that both made and that are labelled
--   days: UTC days they fall on
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
--   month       pairs  days  champion_accuracy  challenger_accuracy  accuracy_difference  accuracy_low  accuracy_high  champion_log_loss  challenger_log_loss  log_loss_difference  log_loss_low  log_loss_high  champion_roc_auc  challenger_roc_auc  only_champion_right  only_challenger_right
--   2013-03-01    268    31             0.6604               0.6717              0.01132       -0.0642        0.08684             0.8146               0.6094              -0.2052       -0.4916        0.08109            0.6972              0.7307                   43                     46
WITH
pairs AS
(
    SELECT
        toStartOfMonth(a.event_time) AS month,
        toDate(a.event_time) AS day,
        toInt8(a.correct) AS champion_right,
        toInt8(b.correct) AS challenger_right,
        a.log_loss AS champion_loss,
        b.log_loss AS challenger_loss,
        challenger_right - champion_right AS gain,
        challenger_loss - champion_loss AS loss,
        a.positive AS positive,
        a.score AS champion_score,
        b.score AS challenger_score
    FROM
    (
        SELECT prediction_id, output, label_id, event_time, correct, log_loss, positive, score
        FROM outcomes_all_v
        WHERE model = {model:String} AND environment = {environment:String} AND model_version = {champion:String}
            AND event_time >= {since:DateTime64(6, 'UTC')} AND event_time < {until:DateTime64(6, 'UTC')}
            AND label_state = 'labelled'
    ) AS a
    INNER JOIN
    (
        SELECT prediction_id, output, label_id, correct, log_loss, score
        FROM outcomes_all_v
        WHERE model = {model:String} AND environment = {environment:String} AND model_version = {challenger:String}
            AND label_state = 'labelled'
    ) AS b ON a.prediction_id = b.prediction_id AND a.output = b.output AND a.label_id = b.label_id
),
means AS
(
    SELECT
        month,
        count() AS pairs,
        uniqExact(day) AS days,
        avgOrNull(champion_right) AS champion_accuracy,
        avgOrNull(challenger_right) AS challenger_accuracy,
        avgOrNull(gain) AS accuracy_difference,
        avgOrNull(champion_loss) AS champion_log_loss,
        avgOrNull(challenger_loss) AS challenger_log_loss,
        avgOrNull(loss) AS log_loss_difference,
        groupArrayIf(assumeNotNull(champion_score), positive IS NOT NULL AND isFinite(champion_score)) AS champion_scores,
        groupArrayIf(assumeNotNull(positive), positive IS NOT NULL AND isFinite(champion_score)) AS champion_truths,
        groupArrayIf(assumeNotNull(challenger_score), positive IS NOT NULL AND isFinite(challenger_score)) AS challenger_scores,
        groupArrayIf(assumeNotNull(positive), positive IS NOT NULL AND isFinite(challenger_score)) AS challenger_truths,
        countIf(champion_right > challenger_right) AS only_champion_right,
        countIf(challenger_right > champion_right) AS only_challenger_right
    FROM pairs
    GROUP BY month
),
clusters AS
(
    SELECT
        month,
        day,
        sum(p.gain - m.accuracy_difference) AS gain_of_day,
        sum(p.loss - m.log_loss_difference) AS loss_of_day,
        count(p.gain) AS gains,
        count(p.loss) AS losses
    FROM pairs AS p
    INNER JOIN means AS m USING (month)
    GROUP BY month, day
),
errors AS
(
    SELECT
        month,
        1.959963984540054 * sqrt(sum(gain_of_day * gain_of_day) * hindcast_ratio(count(), count() - 1)) / sum(gains) AS gain_half,
        1.959963984540054 * sqrt(sum(loss_of_day * loss_of_day) * hindcast_ratio(count(), count() - 1)) / sum(losses) AS loss_half
    FROM clusters
    GROUP BY month
)
SELECT
    month,
    m.pairs AS pairs,
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
    if(length(arrayDistinct(champion_truths)) < 2, NULL, arrayROCAUC(champion_scores, champion_truths)) AS champion_roc_auc,
    if(length(arrayDistinct(challenger_truths)) < 2, NULL, arrayROCAUC(challenger_scores, challenger_truths)) AS challenger_roc_auc,
    only_champion_right,
    only_challenger_right
FROM means AS m
INNER JOIN errors AS e USING (month)
ORDER BY month
