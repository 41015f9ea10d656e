-- outcomes_as_of(t): every served prediction beside its truth as both were known at t. Columns as in outcomes_all_as_of(t),
-- which holds shadow traffic too.
-- parameter: t DateTime64(6, 'UTC'), the moment of knowledge
-- example: SELECT count(), countIf(label_state = 'labelled') FROM outcomes_as_of(t = '2013-06-01 00:00:00') WHERE model = 'flights'
CREATE OR REPLACE VIEW outcomes_as_of{on_cluster} AS
SELECT * FROM outcomes_all_as_of(t = {t:DateTime64(6, 'UTC')}) WHERE served
COMMENT 'Every served prediction beside its truth as both were known at t'
