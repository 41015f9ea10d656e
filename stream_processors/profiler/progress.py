"""How far a profiler has read one source partition since its last flush. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stream_processors.profiler.messages import Record, at

Ints = npt.NDArray[np.int64]


@dataclass(slots=True)
class Progress:
    """A stretch that grows: what was read of a partition from ``first_offset`` up to ``next_offset``; times in microseconds."""

    first_offset: int
    next_offset: int
    events: int = 0
    dead_letters: int = 0
    max_event_time: int | None = None
    newest_append_time: int | None = None

    @classmethod
    def starting(cls, offset: int) -> Progress:
        """Nothing read yet; the next message is that at ``offset`` or after."""
        return cls(offset, offset)

    def read(self, offsets: Ints, appended_at: Ints) -> None:
        """Take in the messages of a batch, rising, decoded or not."""
        self.next_offset = int(offsets[-1]) + 1
        newest = int(appended_at.max())
        self.newest_append_time = max(newest, self.newest_append_time or newest)

    def counted(self, event_time: Ints, appended_at: Ints, backfilled: npt.NDArray[np.bool_]) -> None:
        """Take in admitted events. Only those that are not backfilled say what time it is, and none says later than it was appended."""
        self.events += event_time.size
        if not backfilled.all():
            live = ~backfilled
            latest = int(np.minimum(event_time[live], appended_at[live]).max())
            self.max_event_time = latest if self.max_event_time is None else max(latest, self.max_event_time)

    def record(self, partition: int, *, topic_id: str, reached_end: bool, profiler_id: str) -> Record:
        """The stretch as a record of stretch.v1."""
        return {
            "topic_id": topic_id,
            "source_partition": partition,
            "first_offset": self.first_offset,
            "next_offset": self.next_offset,
            "events": self.events,
            "dead_letters": self.dead_letters,
            "max_event_time": None if self.max_event_time is None else at(self.max_event_time),
            "newest_append_time": None if self.newest_append_time is None else at(self.newest_append_time),
            "reached_end": reached_end,
            "profiler_id": profiler_id,
        }
