-- hindcast_bin(x, p): the histogram bin of a finite number, which is x with all but its first p mantissa bits cleared.
-- x: any number; p: significant bits, 0 to 20. NaN and infinities have no bin: count them apart.
-- -0.0 and 0.0 are one bin. Equal to the profiler's formula for every double.
-- example: SELECT hindcast_bin(288.37, 7) -- 288
CREATE OR REPLACE FUNCTION hindcast_bin{on_cluster} AS (x, p) ->
    reinterpretAsFloat64(bitAnd(
        reinterpretAsUInt64(toFloat64(x)),
        bitNot(toUInt64(bitShiftLeft(toUInt64(1), 52 - p) - 1))
    )) + 0.0
