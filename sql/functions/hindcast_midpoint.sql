-- hindcast_midpoint(bin, p): the middle of a bin, at most half a bin's width from every value in it; 0 for the bin 0.0,
-- which holds the smallest numbers of both signs. Quantiles and plots read bins back by it; means come from the exact sums.
-- bin: as hindcast_bin gives it; p: its significant bits, 0 to 20.
-- example: SELECT hindcast_midpoint(3.125, 4) -- 3.1875
CREATE OR REPLACE FUNCTION hindcast_midpoint{on_cluster} AS (bin, p) ->
    if(
        toFloat64(bin) = 0,
        0.0,
        reinterpretAsFloat64(reinterpretAsUInt64(toFloat64(bin)) + bitShiftLeft(toUInt64(1), 51 - p))
    )
