-- sequence_gaps: runs of sequence numbers of predictions that never arrived, beside the last event before and the first after each.
-- A producer numbers its messages from 0 as it hands them on, so every number in a gap is an event that was handed on and did not
-- arrive: lost, refused by Kafka (its ledger counts it as failed), given up after it had its number (dropped), waiting in a spool,
-- or on its way. What was dropped before it had a number leaves no gap. After its last arrival nothing is looked for:
-- producer_hours counts as missing what its ledger knows of. Only predictions: a label that is said again stays in the record under
-- the producer that said it first, and labels have no intake, so that a missing number would prove nothing.
-- example: SELECT producer_id, minute_before, minute_after, missing FROM sequence_gaps WHERE model = 'flights' ORDER BY minute_after
CREATE OR REPLACE VIEW sequence_gaps{on_cluster}
(
    `producer_id` String COMMENT 'producer process',
    `model` LowCardinality(String) COMMENT 'model of the event before; of the one after where there is none before',
    `environment` LowCardinality(String) COMMENT 'where that event ran',
    `first_missing` Int64 COMMENT 'least missing sequence number of the run',
    `last_missing` Int64 COMMENT 'greatest',
    `missing` Int64 COMMENT 'how many',
    `minute_before` Nullable(DateTime64(6, 'UTC')) COMMENT 'minute of event time of the last event before, UTC; NULL: nothing arrived before',
    `minute_after` DateTime64(6, 'UTC') COMMENT 'minute of event time of the first event after, UTC'
)
AS
WITH
-- blocks of numbers that did not arrive whole: only their events are ordered, which are few where little is lost
holed AS
(
    SELECT producer_id, bitShiftRight(assumeNotNull(sequence), 16) AS block
    FROM intake
    WHERE producer_id != '' AND sequence >= 0
    GROUP BY producer_id, block
    HAVING groupBitmap(toUInt64(assumeNotNull(sequence))) < 65536
),
arrived AS
(
    SELECT producer_id, assumeNotNull(sequence) AS number, model, environment, event_time,
        (producer_id, bitShiftRight(number, 16)) IN holed AS of_hole
    FROM intake
    WHERE producer_id != '' AND sequence >= 0 AND (of_hole OR bitAnd(number, 65535) IN (0, 65535))
),
beside AS
(
    SELECT *,
        lagInFrame(number, 1, toInt64(-1)) OVER up AS number_before,
        lagInFrame(toNullable(event_time)) OVER up AS time_before,
        lagInFrame(model, 1, model) OVER up AS model_before,
        lagInFrame(environment, 1, environment) OVER up AS environment_before
    FROM arrived
    WINDOW up AS (PARTITION BY producer_id ORDER BY number ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)
)
SELECT
    producer_id,
    model_before AS model,
    environment_before AS environment,
    number_before + 1 AS first_missing,
    number - 1 AS last_missing,
    number - number_before - 1 AS missing,
    -- toStartOfMinute knows none before 1970 or after 2106
    toStartOfInterval(time_before, toIntervalMicrosecond(60000000)) AS minute_before,
    toStartOfInterval(event_time, toIntervalMicrosecond(60000000)) AS minute_after
FROM beside
WHERE number > number_before + 1
    AND (of_hole OR bitShiftRight(number, 16) != bitShiftRight(number_before, 16))
COMMENT 'Predictions that were sent and did not arrive, by producer and minute'
