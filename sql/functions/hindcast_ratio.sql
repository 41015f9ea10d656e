-- hindcast_ratio(part, whole): part / whole, NULL where whole is 0: a share of nothing is unknown, not NaN.
-- example: SELECT hindcast_ratio(1, 4) -- 0.25
CREATE OR REPLACE FUNCTION hindcast_ratio{on_cluster} AS (part, whole) -> if(whole = 0, NULL, part / whole)
