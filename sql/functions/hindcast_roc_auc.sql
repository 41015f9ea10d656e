-- hindcast_roc_auc(scores, positives, weights): area under the ROC curve: the weight of the pairs (positive, negative) in which the positive
-- scores higher, over that of all pairs; ties count half. NULL without a pair. Scores are no NaN, weights above 0, such as 1 / sampling_rate.
-- Source: Hanley and McNeil, The meaning and use of the area under a ROC curve (1982).
-- example: SELECT round(hindcast_roc_auc([0.1, 0.4, 0.8], [0, 1, 0], [1, 1, 3]), 4) -- 0.25
CREATE OR REPLACE FUNCTION hindcast_roc_auc{on_cluster} AS (scores, positives, weights) ->
    multiIf(
        length(arrayDistinct(positives)) < 2, NULL,
        -- sorting is several times faster than summing by score
        arrayMin(weights) = arrayMax(weights), arrayROCAUC(scores, positives),
        arrayMap(
            by_score -> arraySum(
                (positive, negative, reached) -> positive * (reached - negative / 2),
                by_score.2, by_score.3, arrayCumSum(by_score.3)
            ) / arraySum(by_score.2) / arraySum(by_score.3),
            [arrayReduce(
                'sumMap',
                -- -0.0 is 0.0
                [arrayMap(score -> score + 0.0, scores)],
                [arrayMap((w, positive) -> if(positive, toFloat64(w), 0), weights, positives)],
                [arrayMap((w, positive) -> if(positive, 0, toFloat64(w)), weights, positives)]
            )]
        )[1]
    )
