-- question: In which stretches of the log did profilers count other messages than the recorder has?
-- No row: figures made from the stream and figures made from rows rest on the same messages. Only stretches that the recorder has passed.
-- parameters:
--   since DateTime64(6, 'UTC') = 1970-01-01: first append time of a stretch's newest message, UTC
--   until DateTime64(6, 'UTC') = 2299-12-31: append times before this, UTC
-- columns:
--   topic_id: Kafka's UUID of the topic of predictions
--   partition: its partition
--   first_offset: first offset of the stretch
--   next_offset: offset after its last
--   newest_append_time: append time of its newest message, UTC
--   profiled: events that profilers counted
--   recorded: messages of intake that are no dead letters
--   profiled_dead_letters: messages that profilers left to the dead letters
--   recorded_dead_letters: messages of intake that became dead letters
-- example: since=2013-01-01
-- output:
--   topic_id                 partition  first_offset  next_offset  newest_append_time   profiled  recorded  profiled_dead_letters  recorded_dead_letters
--   dG9waWMtb2YtdGhlLXRlc3Q          0           700         1217  2013-04-30 22:00:00       518       517                      0                      0
WITH
stretch AS
(
    -- a stretch stands once in each partition of sketches
    SELECT topic_id, toUInt32(source_partition) AS partition, toUInt64(s.first_offset) AS first_offset, toUInt64(any(s.next_offset)) AS next_offset,
        any(s.newest_append_time) AS newest_append_time, any(s.events) AS events, any(s.dead_letters) AS dead_letters
    FROM stretches AS s
    WHERE s.newest_append_time >= {since:DateTime64(6, 'UTC')} AND s.newest_append_time < {until:DateTime64(6, 'UTC')}
    GROUP BY topic_id, partition, first_offset
),
-- which stretch a message lies in, where it lies in any
taken_in AS
(
    SELECT i._topic_id AS topic_id, i._partition AS partition, s.first_offset AS first_offset,
        countIf(NOT i.dead_letter) AS recorded, countIf(i.dead_letter) AS dead_letters
    FROM
    (
        SELECT _topic_id, _partition, _offset, dead_letter
        FROM intake FINAL
        WHERE _topic_id IN (SELECT topic_id FROM stretch) AND _offset >= (SELECT min(first_offset) FROM stretch)
            AND _offset < (SELECT max(next_offset) FROM stretch)
    ) AS i
    ASOF JOIN stretch AS s ON s.topic_id = i._topic_id AND s.partition = i._partition AND s.first_offset <= i._offset
    WHERE i._offset < s.next_offset
    GROUP BY topic_id, partition, first_offset
),
passed AS
(
    SELECT _topic_id AS topic_id, _partition AS partition, max(_offset) + 1 AS next_offset
    FROM intake
    WHERE _topic_id IN (SELECT topic_id FROM stretch) AND _offset >= (SELECT min(first_offset) FROM stretch)
    GROUP BY topic_id, partition
)
SELECT
    s.topic_id AS topic_id,
    s.partition AS partition,
    s.first_offset AS first_offset,
    s.next_offset AS next_offset,
    s.newest_append_time AS newest_append_time,
    s.events AS profiled,
    toInt64(t.recorded) AS recorded,
    s.dead_letters AS profiled_dead_letters,
    toInt64(t.dead_letters) AS recorded_dead_letters
FROM stretch AS s
LEFT JOIN taken_in AS t ON t.topic_id = s.topic_id AND t.partition = s.partition AND t.first_offset = s.first_offset
INNER JOIN passed AS p ON p.topic_id = s.topic_id AND p.partition = s.partition
WHERE s.next_offset <= p.next_offset AND (profiled != recorded OR profiled_dead_letters != recorded_dead_letters)
ORDER BY topic_id, partition, first_offset
