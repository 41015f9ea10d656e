"""Each processor's heartbeat: one small JSON file, replaced once a second, that `hindcast status` reads."""

from __future__ import annotations

import errno
import json
import logging
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic

from producers.complaints import Complaints
from producers.errors import ConfigError

_FULL = {errno.ENOSPC, errno.EDQUOT}


@dataclass
class Heartbeat:
    """What a processor says of itself.

    Attributes:
        role: profiler, recorder, joiner or monitor.
        slot: which instance of the role.
        events: messages worked on since the start.
        batches: how many batches they came in.
        dead_letters: those of them that were not counted.
        held: what is counted and not flushed, in bins: a column of a key counts for eight more.
        stage_seconds: time spent, by stage.
        events_per_s: over the last few seconds.
        last_error: one line without payload; empty when all is well.
        positions: ``topic-partition`` → next offset to be read.
        lag: ``topic-partition`` → offsets not yet read.
        waiting: work that is known and not done yet, beside the lag: windows without their verdict.
        paused: partitions that wait for ``hindcast resume``, for a store that is away or, of the joiner, for the recorder.
    """

    role: str
    slot: str
    pid: int = field(default_factory=os.getpid)
    started_at: str = ""
    at: str = ""
    events: int = 0
    batches: int = 0
    dead_letters: int = 0
    held: int = 0
    stage_seconds: dict[str, float] = field(default_factory=dict)
    events_per_s: float = 0.0
    last_error: str = ""
    last_error_at: str = ""
    positions: dict[str, int] = field(default_factory=dict)
    lag: dict[str, int] = field(default_factory=dict)
    waiting: int = 0
    paused: list[str] = field(default_factory=list)


class StatusFile:
    """Writes a `Heartbeat` to ``<directory>/<role>-<slot>.json``; without a directory it only keeps the figures.

    Raises:
        ConfigError: the directory cannot be there; a full disk is no reason not to begin.
    """

    def __init__(
        self,
        role: str,
        slot: str,
        directory: Path | None,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        clock: Callable[[], float] = monotonic,
        every: float = 1.0,
    ) -> None:
        self._now, self._clock, self._every = now, clock, every
        self._path = _made(directory) / f"{role}-{slot}.json" if directory else None
        self.heartbeat = Heartbeat(role, slot, started_at=now().isoformat())
        self._complaints = Complaints(logging.getLogger(f"hindcast.{role}"), clock=clock)
        self._last_write = float("-inf")
        self._last_events = 0

    def worked(self, events: int) -> None:
        """Count a batch of messages worked on."""
        self.heartbeat.events += events
        self.heartbeat.batches += 1

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Count the time of a stage, however it ends."""
        begun = self._clock()
        try:
            yield
        finally:
            spent = self.heartbeat.stage_seconds
            # another dict, not another key: whoever reads it at this moment goes through the old one
            self.heartbeat.stage_seconds = {**spent, stage: spent.get(stage, 0.0) + self._clock() - begun}

    def failed(self, error: BaseException | str) -> None:
        """Remember the last error, its first line; it is logged too, each kind once a minute."""
        text = str(error) or type(error).__name__
        self.heartbeat.last_error = text.splitlines()[0][:300]
        self._complaints.say(type(error).__name__, self.heartbeat.last_error)
        self.heartbeat.last_error_at = self._now().isoformat()

    def recovered(self) -> None:
        """The last error no longer holds."""
        self.heartbeat.last_error = ""

    def beat(
        self,
        positions: Mapping[str, int] | None = None,
        lag: Mapping[str, int] | None = None,
        *,
        force: bool = False,
    ) -> bool:
        """Write the file if a second has passed (or ``force``); returns whether it was written."""
        since = self._clock() - self._last_write
        if since < self._every and not force:
            return False
        if positions is not None:
            self.heartbeat.positions = dict(positions)
        if lag is not None:
            self.heartbeat.lag = dict(lag)
        if self._last_write > float("-inf") and since > 0:
            rate = (self.heartbeat.events - self._last_events) / since
            self.heartbeat.events_per_s = round(0.5 * self.heartbeat.events_per_s + 0.5 * rate, 1)
        self._last_write, self._last_events = self._clock(), self.heartbeat.events
        self.heartbeat.at = self._now().isoformat()
        if self._path:
            self._write(self._path)
        return True

    def _write(self, path: Path) -> None:
        draft = path.with_suffix(".tmp")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            draft.write_text(json.dumps(asdict(self.heartbeat)), encoding="utf-8")
            draft.replace(path)
        except OSError:
            # a full disk must not stop the processor; a heartbeat that grows old says it
            with suppress(OSError):
                draft.unlink(missing_ok=True)


def _made(directory: Path) -> Path:
    try:
        directory.mkdir(parents=True, exist_ok=True)
        (directory / ".writable").touch()
        # another processor may have been faster: the directory is everybody's
        (directory / ".writable").unlink(missing_ok=True)
    except OSError as error:
        if error.errno not in _FULL:
            raise ConfigError(
                f"HINDCAST_STATUS_DIR: {directory} cannot be written: {error.strerror}"
            ) from None
    return directory
