-- hindcast_quantile(values, weights, percent): the least value that this share of the weights does not exceed, 0 < percent <= 100; NULL
-- where there is none. Weights are above 0, such as 1 / sampling_rate. Where all are equal, it is the value of rank ceil(n percent / 100).
-- example: SELECT hindcast_quantile([30, 10, 20], [1, 1, 10], 50) -- 20
CREATE OR REPLACE FUNCTION hindcast_quantile{on_cluster} AS (values, weights, percent) ->
    -- over the least weight, so that equal ones are whole numbers and their sums exact
    arrayElementOrNull(arraySort(values), arrayFirstIndex(
        reached -> reached * 100 >= percent * arraySum(arrayMap(w -> w / arrayMin(weights), weights)),
        arrayCumSum(arrayMap(w -> w / arrayMin(weights), arraySort((w, value) -> value, weights, values)))
    ))
