-- hindcast_psi(bins, counts, reference_bins, reference_counts): population stability index of two histograms on the union of
-- their bins, half a count added to each bin: sum of (p - q) ln(p / q). Dimensionless, 0 or more; NULL where a side is empty.
-- It grows with the number of bins by chance alone, by about (1/n + 1/reference_n)(B - 1): compare few bins. Bins of numbers are of one
-- precision on both sides, as hindcast_aligned says.
-- Source: Siddiqi, Credit Risk Scorecards (2006); the half count is the Jeffreys prior.
-- example: SELECT round(hindcast_psi([1., 2.], [50, 50], [1., 2.], [80, 20]), 4) -- 0.4063
CREATE OR REPLACE FUNCTION hindcast_psi{on_cluster} AS (bins, counts, reference_bins, reference_counts) ->
    if(arraySum(counts) = 0 OR arraySum(reference_counts) = 0, NULL, arrayMap(
        (a) -> arraySum(
            (c, r) -> ((c + 0.5) / (arraySum(a.2) + 0.5 * length(a.2)) - (r + 0.5) / (arraySum(a.3) + 0.5 * length(a.3)))
                * log(((c + 0.5) / (arraySum(a.2) + 0.5 * length(a.2))) / ((r + 0.5) / (arraySum(a.3) + 0.5 * length(a.3)))),
            a.2, a.3
        ),
        [hindcast_aligned(bins, counts, reference_bins, reference_counts)]
    )[1])
