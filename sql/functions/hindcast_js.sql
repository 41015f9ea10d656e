-- hindcast_js(bins, counts, reference_bins, reference_counts): Jensen-Shannon distance of two histograms on the union of their
-- bins: the square root of the divergence to base 2. 0 for equal shares, 1 for no bin in common; NULL where a side is empty.
-- Bins of numbers are of one precision on both sides, as hindcast_aligned says.
-- Source: Endres and Schindelin, A new metric for probability distributions (2003).
-- example: SELECT round(hindcast_js([1., 2.], [50, 50], [1., 2.], [80, 20]), 4) -- 0.2704
CREATE OR REPLACE FUNCTION hindcast_js{on_cluster} AS (bins, counts, reference_bins, reference_counts) ->
    if(arraySum(counts) = 0 OR arraySum(reference_counts) = 0, NULL, arrayMap(
        (a) -> sqrt(greatest(0., 0.5 * arraySum(
            (p, q) -> if(p > 0, p * log2(2 * p / (p + q)), 0.) + if(q > 0, q * log2(2 * q / (p + q)), 0.),
            arrayMap(c -> c / arraySum(a.2), a.2),
            arrayMap(c -> c / arraySum(a.3), a.3)
        ))),
        [hindcast_aligned(bins, counts, reference_bins, reference_counts)]
    )[1])
