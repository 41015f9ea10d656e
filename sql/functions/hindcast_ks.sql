-- hindcast_ks(bins, counts, reference_bins, reference_counts): Kolmogorov-Smirnov distance of two histograms of numbers: the
-- greatest difference of their cumulative shares, 0 to 1; NULL where a side is empty. Exact for the binned values.
-- Both sides are of one precision, as hindcast_aligned says.
-- example: SELECT round(hindcast_ks([1., 2.], [50, 50], [1., 2.], [80, 20]), 4) -- 0.3
CREATE OR REPLACE FUNCTION hindcast_ks{on_cluster} AS (bins, counts, reference_bins, reference_counts) ->
    if(arraySum(counts) = 0 OR arraySum(reference_counts) = 0, NULL, arrayMap(
        (a) -> arrayMax(
            (c, r) -> abs(c / arraySum(a.2) - r / arraySum(a.3)),
            arrayCumSum(a.2), arrayCumSum(a.3)
        ),
        [hindcast_aligned(bins, counts, reference_bins, reference_counts)]
    )[1])
