"""Rolls sketches of base windows that have closed up to hours and days, so that a question about months reads thousands of rows, not millions.

A roll-up says up to which offsets of ``sketches`` it counts. Readers (`sql/views/63_feature_windows_between.sql`) pass one over that a later delta
or total has overtaken, so that one made too early, twice, or not at all changes nothing but the time an answer takes. Where the base windows that an
hour counts have expired (`expiring`), it stays as it is, and readers add what came later.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from time import monotonic, time_ns

from stream_processors.alone_hours import alone_hours
from stream_processors.clickhouse import Store
from stream_processors.monitor.topology import Topology
from stream_processors.windows import DAY, HOUR, SECOND

# Late events overtake a roll-up again and again: not made anew more often than it pays
_REST_S = 10.0
# Verdicts wait no longer than this
_SPELL_S = 2.0
# Windows of one statement, which holds all their slices, columns and bins
_AT_ONCE = 24

WIDTHS = (HOUR, DAY)

Model = tuple[str, str]
# a topic's UUID and a partition of it
Place = tuple[str, int]
# Hours and days of shorter windows that have no roll-up, or one that does not count all that was recorded of them
_STALE = """
    SELECT DISTINCT f.model AS model, f.environment AS environment, toInt64(f.span) * 1000000 AS width, toUnixTimestamp64Micro(f.rolled_start) AS start
    FROM (
        SELECT model, environment, span, concat(_topic_id, '/', toString(_partition)) AS place, max(_offset) AS last,
            window_start - toIntervalMicrosecond(positiveModulo(toUnixTimestamp64Micro(window_start), span * 1000000)) AS rolled_start
        FROM sketches
        ARRAY JOIN [toUInt32(3600), toUInt32(86400)] AS span
        WHERE kind != 'reference' AND _row = 0
          AND _topic_id = {topic_id:String} AND _partition = {partition:UInt32} AND _offset >= {from:UInt64} AND _offset < {before:UInt64}
          AND window_end <= rolled_start + toIntervalSecond(span) AND window_end < window_start + toIntervalSecond(span)
        GROUP BY model, environment, span, rolled_start, place) AS f
    LEFT JOIN (
        SELECT model, environment, width, window_start, argMax(tuple(up_to), _rolled_at).1 AS counted_to
        FROM rollups
        WHERE column = '@events' AND slice = ''
        GROUP BY model, environment, width, window_start) AS m
    ON m.model = f.model AND m.environment = f.environment AND m.width = f.span AND m.window_start = f.rolled_start
    WHERE f.last >= m.counted_to[f.place]
"""

# Topics that were made anew, or whose sketches were imported: nothing comes there any more
_FOREIGN = """
    SELECT _topic_id AS topic_id, toInt64(_partition) AS partition, toInt64(max(_offset)) + 1 AS next
    FROM sketches
    WHERE kind != 'reference' AND _topic_id != {topic_id:String}
    GROUP BY topic_id, partition
"""

FIELDS = (
    "model, model_version, environment, served, sampling_rate, shape, slice, width, window_start, window_end, column, column_kind, events, errors, "
    "warnings, min_event_time, max_event_time, precision, bins, counts, values, buckets, nulls, nans, plus_inf, minus_inf, absent, sum, "
    "sum_of_squares, min, max, degraded, up_to, _rolled_at"
)

# Merged as feature_windows merges deltas. An hour is made of base windows, a day of hours and what is not one yet.
_ROLL_UP = f"""
    INSERT INTO rollups ({FIELDS})
    WITH merged AS (
        SELECT w.model AS model, w.model_version AS model_version, w.environment AS environment, w.served AS served, w.sampling_rate AS sampling_rate,
            w.shape AS shape, w.slice AS slice, w.column AS column, w.column_kind AS column_kind,
            w.window_start - toIntervalMicrosecond(positiveModulo(toUnixTimestamp64Micro(w.window_start), {{width:UInt32}} * 1000000)) AS rolled_start,
            sum(w.events) AS events, sum(w.errors) AS errors, sum(w.warnings) AS warnings, min(w.min_event_time) AS min_event_time,
            max(w.max_event_time) AS max_event_time, min(w.precision) AS precision,
            sumMapIf(w.bins, w.counts, column_kind = 'numeric') AS numeric, sumMapIf(w.values, w.counts, column_kind = 'categorical') AS categorical,
            sumForEach(w.buckets) AS buckets, sum(w.nulls) AS nulls, sum(w.nans) AS nans, sum(w.plus_inf) AS plus_inf, sum(w.minus_inf) AS minus_inf,
            sum(w.absent) AS absent, sum(w.sum) AS sum, sum(w.sum_of_squares) AS sum_of_squares, min(w.min) AS min, max(w.max) AS max,
            max(w.degraded) AS degraded
        FROM feature_windows_between(model = {{model:String}}, environment = {{environment:String}}, widest = {{widest:UInt32}},
            since = fromUnixTimestamp64Micro({{first:Int64}}, 'UTC'), until = fromUnixTimestamp64Micro({{last:Int64}}, 'UTC')) AS w
        WHERE (w.column = '@events') = {{events:Bool}} AND toUnixTimestamp64Micro(rolled_start) IN {{starts:Array(Int64)}}
          AND w.window_end <= rolled_start + toIntervalSecond({{width:UInt32}})
        GROUP BY model, model_version, environment, served, sampling_rate, shape, slice, column, column_kind, rolled_start
    ), binned AS (
        SELECT *,
            if(degraded, arrayReduce('sumMap', [arrayMap(bin -> hindcast_bin(bin, precision), numeric.1)], [numeric.2]), numeric) AS histogram
        FROM merged
    )
    SELECT model, model_version, environment, served, sampling_rate, shape, slice, {{width:UInt32}} AS width, rolled_start AS window_start,
        rolled_start + toIntervalSecond({{width:UInt32}}) AS window_end, column, column_kind, events, errors, warnings, min_event_time, max_event_time,
        precision, histogram.1 AS bins, if(column_kind = 'categorical', categorical.2, histogram.2) AS counts, categorical.1 AS values, buckets, nulls,
        nans, plus_inf, minus_inf, absent, sum, sum_of_squares, min, max, degraded, mapFromArrays({{places:Array(String)}}, {{offsets:Array(UInt64)}}) AS up_to, fromUnixTimestamp64Micro({{rolled_at:Int64}}, 'UTC') AS _rolled_at
    FROM binned
"""


class RollingUp:
    """Which hours and days want rolling up, of the partitions of ``sketches`` that are ours.

    Nothing is kept that a restart would need: what has no roll-up, or an overtaken one, is found in the record.

    Args:
        lateness: how far the watermark must be past a window's end for it to close, microseconds.
        clock: seconds, for the rest between two passes.
    """

    def __init__(
        self, store: Store, topology: Topology, *, lateness: int, clock: Callable[[], float] = monotonic
    ) -> None:
        self._store, self._topology = store, topology
        self._lateness, self._clock = lateness, clock
        # next offset by topic id and partition, as far as was looked at
        self._looked: dict[Place, int] = {}
        self._foreign: dict[Place, int] | None = None
        # starts by model and width, microseconds
        self._wanted: dict[tuple[int, Model], set[int]] = defaultdict(set)
        self._rested = float("-inf")

    def assigned(self) -> None:
        """Other partitions are ours now."""
        self._foreign = None
        self._looked.clear()
        self._wanted.clear()

    def round(self, watermark: int | None, partitions: Iterable[int]) -> None:
        """Roll up what has closed, hours before days, for some seconds at most.

        Args:
            watermark: microseconds; None: not known yet.
            partitions: of ``sketches``, ours.
        """
        began = self._clock()
        if watermark is None or began < self._rested:
            return
        recorded = self._recorded()
        self._look(recorded, set(partitions))
        up_to = {f"{topic_id}/{partition}": offset for (topic_id, partition), offset in recorded.items()}
        for (width, model), starts in sorted(self._wanted.items()):
            closed = sorted(start for start in starts if start + width + self._lateness <= watermark)
            for chunk in _chunks(closed, width):
                if self._clock() - began > _SPELL_S:
                    return
                alone = alone_hours(self._store, *model, chunk) if width == HOUR else set()
                made = [start for start in chunk if start not in alone]
                if made:
                    roll_up(self._store, model, width, made, up_to)
                starts.difference_update(chunk)
        self._rested = self._clock() + _REST_S

    def _recorded(self) -> dict[Place, int]:
        """Per partition of every topic of sketches that the record knows: all before this offset is there."""
        own = self._topology.sketches_id
        if self._foreign is None:
            rows = self._store.rows(_FOREIGN, {"topic_id": own})
            self._foreign = {(row["topic_id"], row["partition"]): row["next"] for row in rows}
        count = self._topology.partition_counts(("sketches",))["sketches"]
        recorded = self._topology.recorded("sketches", range(count))
        return self._foreign | {(own, partition): offset for partition, offset in recorded.items()}

    def _look(self, recorded: Mapping[Place, int], partitions: AbstractSet[int]) -> None:
        """Find what was recorded since the last look and no roll-up counts; other topics' is found by whose partition 0 is."""
        for place, before in recorded.items():
            topic_id, partition = place
            ours = partition if topic_id == self._topology.sketches_id else 0
            begin = self._looked.get(place, 0)
            if ours in partitions and begin < before:
                asked = {"topic_id": topic_id, "partition": partition, "from": begin, "before": before}
                for row in self._store.rows(_STALE, asked):
                    self._wanted[row["width"], (row["model"], row["environment"])].add(row["start"])
                self._looked[place] = before


def roll_up(store: Store, model: Model, width: int, starts: Sequence[int], up_to: Mapping[str, int]) -> None:
    """Make the roll-ups of windows that begin at ``starts`` and last ``width`` microseconds, from a record that holds all before ``up_to``."""
    asked = {
        "model": model[0],
        "environment": model[1],
        "width": width // SECOND,
        "widest": max((one // SECOND for one in WIDTHS if one < width), default=0),
        "first": min(starts),
        "last": max(starts) + width,
        "starts": list(starts),
        "places": list(up_to),
        "offsets": list(up_to.values()),
        # one moment for both statements: of two who do this at once, one wins as a whole
        "rolled_at": time_ns() // 1_000,
    }
    # what readers look for comes last: a roll-up that was cut off is none
    for events in (False, True):
        store.command(_ROLL_UP, {**asked, "events": events})


def _chunks(starts: Sequence[int], width: int) -> list[list[int]]:
    """Starts that lie near each other, some at once.

    >>> _chunks([0, 1, 2, 500], 1)
    [[0, 1, 2], [500]]
    """
    chunks: list[list[int]] = []
    for start in starts:
        if chunks and start < chunks[-1][0] + _AT_ONCE * width:
            chunks[-1].append(start)
        else:
            chunks.append([start])
    return chunks
