-- hindcast_aligned(bins, counts, reference_bins, reference_counts): both histograms on the union of their bins, in rising
-- order: (bins, counts, reference_counts), 0 where a side has no such bin. Bins may be numbers or category names; a bin
-- stands at most once on each side. Bins of numbers are of one precision p: where two differ, the finer histogram is brought to the p of the
-- other first, by arrayReduce('sumMap', [arrayMap(bin -> hindcast_bin(bin, p), bins)], [counts]).
-- example: SELECT hindcast_aligned([1., 2.], [3, 4], [2., 5.], [7, 8]) -- ([1,2,5],[3,4,0],[0,7,8])
CREATE OR REPLACE FUNCTION hindcast_aligned{on_cluster} AS (bins, counts, reference_bins, reference_counts) ->
    -- sumMap leaves out keys whose sum is 0, so that one is added per side and taken away again
    arrayMap(
        (present, ours, theirs) -> (present.1, arrayMap((a, b) -> a - b, ours.2, present.2), arrayMap((a, b) -> a - b, theirs.2, present.2)),
        [arrayReduce('sumMap', [bins, reference_bins], [arrayMap(c -> toFloat64(1), counts), arrayMap(c -> toFloat64(1), reference_counts)])],
        [arrayReduce('sumMap', [bins, reference_bins], [arrayMap(c -> toFloat64(c) + 1, counts), arrayMap(c -> toFloat64(1), reference_counts)])],
        [arrayReduce('sumMap', [bins, reference_bins], [arrayMap(c -> toFloat64(1), counts), arrayMap(c -> toFloat64(c) + 1, reference_counts)])]
    )[1]
