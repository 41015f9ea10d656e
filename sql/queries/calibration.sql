-- question: Do scores mean what they say: of predictions with a score of 0.7, does it come true for 70 %?
-- Scores from 0 to 1 in buckets of equal width, against the share of positives among those labelled; Wilson's interval of 95 % takes rows as
-- independent, so that it is too narrow where the rows of a day are alike. Each prediction weighs 1 / sampling_rate in means and shares, and
-- the interval is of as many equal ones as weigh as surely (Kish).
-- parameters:
--   model String: model name
--   environment String = 'production': where it ran
--   model_version String = '': one version; empty: all, each by itself
--   since DateTime64(6, 'UTC') = 1970-01-01: first event time, UTC
--   until DateTime64(6, 'UTC') = 2299-12-31: event times before this, UTC
--   buckets UInt32 = 10 [1 to 4294967295]: how many buckets from 0 to 1
--   traffic String = 'served' [served, shadow, all]: served, shadow or both
-- columns:
--   model_version: version that answered
--   served: false: shadow traffic
--   score_from: lower end of the bucket
--   score_to: its upper end, exclusive but for the last
--   labelled: predictions with such a score and a truth
--   mean_score: their mean score
--   positive_share: share of them whose truth is the positive class
--   positive_low: lower end of its 95 % interval
--   positive_high: upper end
--   gap: positive_share - mean_score; above 0 the model says too little
-- example: model=flights buckets=5
-- plot: x=mean_score y=positive_share by=model_version
-- output:
--   model_version  served  score_from  score_to  labelled  mean_score  positive_share  positive_low  positive_high       gap
--   1              yes              0       0.2       106     0.09491          0.2453        0.1732         0.3351    0.1504
--   1              yes            0.2       0.4       107      0.2911          0.3271        0.2455         0.4206   0.03598
--   1              yes            0.4       0.6        94      0.4967          0.4574        0.3604         0.5578  -0.03926
WITH judged AS
(
    SELECT
        model_version, served, score, positive, 1 / sampling_rate AS weight,
        least(toUInt32(floor(score * {buckets:UInt32})), {buckets:UInt32} - 1) AS bucket
    FROM outcomes_all_v
    WHERE model = {model:String}
        AND environment = {environment:String}
        AND ({model_version:String} = '' OR model_version = {model_version:String})
        AND event_time >= {since:DateTime64(6, 'UTC')}
        AND event_time < {until:DateTime64(6, 'UTC')}
        AND ({traffic:String} = 'all' OR served = ({traffic:String} = 'served'))
        AND positive IS NOT NULL
        AND score BETWEEN 0 AND 1
),
pow(sum(weight), 2) / sum(weight * weight) AS n
SELECT
    model_version,
    served,
    bucket / {buckets:UInt32} AS score_from,
    (bucket + 1) / {buckets:UInt32} AS score_to,
    count() AS labelled,
    avgWeighted(score, weight) AS mean_score,
    avgWeighted(positive, weight) AS positive_share,
    (positive_share + pow(1.959963984540054, 2) / (2 * n) - 1.959963984540054 * sqrt(positive_share * (1 - positive_share) / n + pow(1.959963984540054 / (2 * n), 2))) / (1 + pow(1.959963984540054, 2) / n) AS positive_low,
    (positive_share + pow(1.959963984540054, 2) / (2 * n) + 1.959963984540054 * sqrt(positive_share * (1 - positive_share) / n + pow(1.959963984540054 / (2 * n), 2))) / (1 + pow(1.959963984540054, 2) / n) AS positive_high,
    positive_share - mean_score AS gap
FROM judged
GROUP BY model_version, served, bucket
ORDER BY model_version, served, bucket
