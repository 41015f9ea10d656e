-- hindcast_wasserstein(bins, counts, reference_bins, reference_counts): Wasserstein-1 distance of two histograms of numbers: the
-- area between their cumulative shares, in the unit of the bins; NULL where a side is empty. Each count stands where its bin
-- says: give midpoints for the middle of bins, or bins of one precision, as hindcast_aligned says. A verdict divides it by the reference's standard deviation.
-- Source: Vallender, Calculation of the Wasserstein distance between probability distributions on the line (1974).
-- example: SELECT round(hindcast_wasserstein([1., 2.], [50, 50], [1., 2.], [80, 20]), 4) -- 0.3
CREATE OR REPLACE FUNCTION hindcast_wasserstein{on_cluster} AS (bins, counts, reference_bins, reference_counts) ->
    if(arraySum(counts) = 0 OR arraySum(reference_counts) = 0, NULL, arrayMap(
        (a) -> arraySum(
            (c, r, width) -> abs(c / arraySum(a.2) - r / arraySum(a.3)) * width,
            arrayCumSum(a.2), arrayCumSum(a.3),
            -- the last bin has nothing to its right, and both shares are 1 there
            arrayPushBack(arrayPopFront(arrayDifference(a.1)), 0.)
        ),
        [hindcast_aligned(bins, counts, reference_bins, reference_counts)]
    )[1])
