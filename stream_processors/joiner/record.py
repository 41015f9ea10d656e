"""What the joiner asks the record: facts, and the predictions they may belong to."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from stream_processors.clickhouse import Store
from stream_processors.joiner.micros import HOUR, Ints, is_valid, micros
from stream_processors.joiner.ranges import Ranges, condition

# what DateTime64(6) holds of the times since 1970, microseconds
_FIRST_TIME, _LAST_TIME = 0, 10_413_791_999_999_999
# more hours than this are asked for as one stretch
_HOURS = 200

# The time in a UUIDv7 (RFC 9562, 5.7) is its first 48 bits, milliseconds.
_FACTS = """
SELECT
    label_id, prediction_id, output, model, toString(kind) AS kind, truth, truth_value, true_at, reported_at, model_version,
    environment, known_at, backfilled, _topic_id, _partition, _offset, _appended_at,
    coalesce(
        predicted_at,
        if(
            substring(prediction_id, 15, 1) = '7' AND toUUIDOrNull(prediction_id) IS NOT NULL,
            fromUnixTimestamp64Milli(
                reinterpretAsInt64(reverse(unhex(concat(substring(prediction_id, 1, 8), substring(prediction_id, 10, 4))))), 'UTC'
            ),
            NULL
        )
    )::Nullable(DateTime64(6, 'UTC')) AS hint
"""

_OF_RANGES = """
FROM labels
WHERE (model, prediction_id) IN (SELECT model, prediction_id FROM labels WHERE {ranges})
"""

_BEFORE_PREDICTIONS = """
FROM labels
INNER JOIN
(
    SELECT model, prediction_id, max(_appended_at) AS last_appended_at
    FROM predictions WHERE {ranges} GROUP BY model, prediction_id
) AS p USING (model, prediction_id)
WHERE labels._appended_at < p.last_appended_at
    AND (model, prediction_id) IN (SELECT model, prediction_id FROM predictions WHERE {ranges})
"""

_CANDIDATES = """
SELECT
    prediction_id, output, model, model_version, environment, event_time, served, score, decision, toString(contract) AS contract, known_at,
    backfilled, _partition, _offset, _appended_at
FROM predictions
WHERE model IN {{models:Array(String)}}
    AND event_time >= fromUnixTimestamp64Micro({{first_time:Int64}}, 'UTC')
    AND event_time <= fromUnixTimestamp64Micro({{last_time:Int64}}, 'UTC')
    AND (empty({{hours:Array(DateTime('UTC'))}}) OR toStartOfHour(event_time) IN {{hours:Array(DateTime('UTC'))}})
    AND prediction_id IN (SELECT prediction_id FROM {source} WHERE {chosen})
"""
_VERSIONS = """
SELECT DISTINCT model, output, model_version, environment
FROM predictions
WHERE {chosen}
"""
# fewer facts than this are named one by one, by their offsets
_FEW = 5_000


class Stretch:
    """Recorded rows of one topic (``labels`` or ``predictions``, which is also their table's name) in some ranges of offsets."""

    def __init__(self, store: Store, table: str, topic_id: str, ranges: Ranges) -> None:
        self._store, self.table, self.topic_id, self.ranges = store, table, topic_id, ranges
        self._condition, self._parameters = condition(topic_id, ranges)

    def facts(self) -> pa.Table:
        """The facts to match: those in the ranges of ``labels``, or those appended before a prediction with their id in the ranges.

        With every fact come all others about the same ids, repeats included: first arrivals are told from these.
        """
        source = _OF_RANGES if self.table == "labels" else _BEFORE_PREDICTIONS
        return self._store.arrow(_FACTS + source.format(ranges=self._condition), self._parameters)

    def candidates(self, facts: pa.Table, first: Ints, last: Ints) -> pa.Table:
        """Recorded predictions with the ids of ``facts`` (rows of this stretch) and event times in ``[first, last]``.

        The answer may hold more than was asked for: other ids of the stretch, and hours that another fact asked for.
        """
        if not facts.num_rows:
            first = last = np.zeros(
                1, dtype=np.int64
            )  # nothing is asked for: an empty answer with its columns
        parameters: dict[str, Any] = {
            "models": facts["model"].unique().to_pylist(),
            "first_time": int(np.clip(first.min(), _FIRST_TIME, _LAST_TIME)),
            "last_time": int(np.clip(last.max(), _FIRST_TIME, _LAST_TIME)),
            "hours": _hours(first, last),
        }
        if facts.num_rows <= _FEW:
            source, chosen = "labels", "_offset IN {offsets:Array(UInt64)}"
            parameters["offsets"] = facts["_offset"].unique().to_pylist()
        else:
            source, chosen = self.table, self._condition
            parameters |= self._parameters
        return self._store.arrow(_CANDIDATES.format(source=source, chosen=chosen), parameters)

    def versions(self) -> pa.Table:
        """Model, output, model_version and environment of the predictions in the ranges."""
        return self._store.arrow(_VERSIONS.format(chosen=self._condition), self._parameters)


def near(facts: pa.Table) -> tuple[Ints, Ints, pa.Table]:
    """An hour on either side of each hint, and the facts that have one."""
    hinted = facts.filter(pa.array(is_valid(facts["hint"])))
    hint = micros(hinted["hint"])
    return hint - HOUR, hint + HOUR, hinted


def ever(facts: int) -> tuple[Ints, Ints]:
    """Every event time that can be recorded, for each of so many facts."""
    return np.full(facts, _FIRST_TIME, dtype=np.int64), np.full(facts, _LAST_TIME, dtype=np.int64)


def _hours(first: Ints, last: Ints) -> list[int]:
    """Starts of the hours that the stretches touch, seconds; none where the stretches are long or too many."""
    if not first.size or int((last - first).max()) > 2 * HOUR:
        return []
    starts = np.clip(first, _FIRST_TIME, _LAST_TIME) // HOUR
    hours = np.unique(np.concatenate([starts, starts + 1, starts + 2])) * (HOUR // 1_000_000)
    return [int(hour) for hour in hours] if hours.size <= _HOURS else []
