-- outcomes_all_as_of(t): every prediction beside its truth as both were known at t (known_at <= t), shadow traffic and
-- unlabelled predictions included. outcomes_as_of(t) holds the served ones, outcomes_v what is known now.
-- Columns as in outcomes_all_of, which answers about one entity and says which fact belongs to which prediction.
-- parameter: t DateTime64(6, 'UTC'), the moment of knowledge
-- example: SELECT label_state, count() FROM outcomes_all_as_of(t = '2013-06-01 00:00:00') WHERE model = 'flights' GROUP BY label_state
CREATE OR REPLACE VIEW outcomes_all_as_of{on_cluster} AS
SELECT * FROM outcomes_all_of(t = {t:DateTime64(6, 'UTC')}, model = '', entity = '')
COMMENT 'Every prediction beside its truth as both were known at t, shadow traffic included'
