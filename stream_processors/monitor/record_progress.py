"""Restores from ClickHouse what a partition of ``sketches`` has told: nothing that a restart needs is kept anywhere else."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from stream_processors.clickhouse import Store
from stream_processors.contracts.effect import PublishedContract
from stream_processors.monitor.drift_messages import MODEL
from stream_processors.monitor.headings import ModelVersion, Source
from stream_processors.monitor.judged_windows import judged_windows
from stream_processors.monitor.progress import JudgedWindow, PartitionProgress
from stream_processors.windows import Window

# model, environment, first and last append time in microseconds: the contracts in effect then, the last one last
ContractsBetween = Callable[[str, str, int, int], Sequence[PublishedContract | None]]

_BEFORE = "_topic_id = {topic_id:String} AND _partition = {partition:UInt32} AND _offset < {before:UInt64}"

_SOURCES = f"""
    SELECT topic_id, source_partition, max(next_offset) AS next,
           max(if(reached_end AND next_offset = first_offset,
                  greatest(toUnixTimestamp64Micro(_appended_at) - 10000000, ifNull(toUnixTimestamp64Micro(max_event_time), 0)),
                  toUnixTimestamp64Micro(max_event_time))) AS time,
           arrayReverse(groupArraySorted(4)(-toInt64(_offset))) AS newest
    FROM stretches FINAL WHERE {_BEFORE}
    GROUP BY topic_id, source_partition
"""

# Base windows that begin in one hour belong to the same judged windows, which are an hour or longer; by the hour there are fewer rows.
_CHANGES = f"""
    WITH flushes AS (
        SELECT model, environment, model_version, served, toStartOfHour(window_start) AS hour, min(window_start) AS starts,
               max(window_end) AS ends,
               topic_id, source_partition, max(next_offset) AS next_offset, max(_offset) AS last, min(_appended_at) AS first_appended,
               max(_appended_at) AS last_appended
        FROM sketches
        WHERE {_BEFORE} AND kind = 'delta' AND column = '@events' AND slice = ''
        GROUP BY model, environment, model_version, served, hour, topic_id, source_partition
    ), closings AS (
        SELECT topic_id, source_partition, next_offset, min(_offset) AS closing
        FROM stretches
        WHERE {_BEFORE} AND (topic_id, source_partition, next_offset) IN (SELECT topic_id, source_partition, next_offset FROM flushes)
        GROUP BY topic_id, source_partition, next_offset
    )
    SELECT model, environment, model_version, served, toUnixTimestamp64Micro(starts) AS start,
           toUnixTimestamp64Micro(ends) AS end, topic_id, source_partition, toInt64(last) AS last,
           toUnixTimestamp64Micro(first_appended) AS first_appended, toUnixTimestamp64Micro(last_appended) AS last_appended,
           toInt64(closing) AS closing
    FROM flushes LEFT JOIN closings USING (topic_id, source_partition, next_offset)
"""

_VERDICTS = f"""
    SELECT model, environment, model_version, served, toUnixTimestamp64Micro(window_start) AS start,
           toUnixTimestamp64Micro(window_end) AS end, max(revision) AS revision
    FROM drift
    WHERE column = '{MODEL}' AND slice = '' AND (model, environment) IN (
        SELECT DISTINCT model, environment FROM sketches WHERE {_BEFORE} AND kind = 'delta' AND column = '@events' AND slice = '')
    GROUP BY model, environment, model_version, served, start, end
"""


def restored_progress(
    store: Store,
    topic_id: str,
    partition: int,
    before: int,
    lateness: int,
    sources: list[Source],
    contracts_between: ContractsBetween,
) -> PartitionProgress:
    """A partition's progress as if every message below ``before`` had just been read and every recorded verdict given.

    The recorder must have passed ``before``. A window that changed after its last verdict, or never had one, waits again.
    """
    parameters = {"topic_id": topic_id, "partition": partition, "before": before}
    progress = PartitionProgress(lateness, before)
    progress.sources = sources
    for row in store.rows(_SOURCES, parameters):
        source = Source(row["topic_id"], row["source_partition"])
        progress.times.restore(source, row["time"], row["next"], [-offset for offset in row["newest"]])
    _restore_changes(store, parameters, progress, contracts_between)
    return progress


def _restore_changes(
    store: Store, parameters: dict[str, Any], progress: PartitionProgress, contracts_between: ContractsBetween
) -> None:
    watermark = progress.times.watermark(progress.sources)
    judged = {
        JudgedWindow(_version(row), Window(row["start"], row["end"])): row["revision"]
        for row in store.rows(_VERDICTS, parameters)
    }
    for row in store.rows(_CHANGES, parameters):
        version, source = _version(row), Source(row["topic_id"], row["source_partition"])
        *earlier, last = contracts_between(
            version.model, version.environment, row["first_appended"], row["last_appended"]
        )
        # no closing: the flush has not ended before this offset
        closing = row["closing"] or None
        for published in (*earlier, last):
            for window in judged_windows(published.contract if published else None, row["start"], row["end"]):
                one = JudgedWindow(version, window)
                revision = judged.get(one)
                # which deltas of the hour came under an earlier contract is not known: its windows wait until they have a verdict
                open_yet = published is last and (closing is None or closing > (revision or -1))
                if revision is None or open_yet:
                    progress.changed(one, source, row["last"], watermark)


def models_of(store: Store, topic_id: str, partition: int, before: int) -> list[tuple[str, str]]:
    """Model and environment of all whose sketches are on a partition."""
    rows = store.rows(
        f"SELECT DISTINCT model, environment FROM sketches WHERE {_BEFORE} AND kind = 'delta' AND column = '@events' AND slice = ''",
        {"topic_id": topic_id, "partition": partition, "before": before},
    )
    return sorted((row["model"], row["environment"]) for row in rows)


def _version(row: dict[str, Any]) -> ModelVersion:
    return ModelVersion(row["model"], row["environment"], row["model_version"], row["served"])
