"""What a reconciliation finds, and why. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from stream_processors.reconciliation.comparing import Difference

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Cause(StrEnum):
    """Why stream and rows differ in a window.

    ``RESENT``: messages came again, and the stream counted them again. ``MISSING_ROWS``: intake knows predictions that the table of predictions
    does not hold. ``EXPIRED``: the same, and no more than the retention has let go that held when they came; or the window has expired itself, and its hour stands alone. ``MISCOUNTED``: neither; deltas are missing or wrong.
    """

    RESENT = "resent"
    MISSING_ROWS = "missing_rows"
    EXPIRED = "expired"
    MISCOUNTED = "miscounted"


@dataclass(frozen=True, slots=True)
class WindowFacts:
    """Of one window's time, over all contracts: messages taken in, distinct predictions among them, those of them that no retention has let go, and prediction rows."""

    messages: int = 0
    predictions: int = 0
    kept: int = 0
    rows: int = 0

    @property
    def cause(self) -> Cause:
        """Why the views differ from the rows there."""
        if self.rows < self.kept:
            return Cause.MISSING_ROWS
        if self.rows < self.predictions:
            return Cause.EXPIRED
        return Cause.RESENT if self.messages > self.predictions else Cause.MISCOUNTED


@dataclass(frozen=True, slots=True)
class Finding:
    """One window of one shape in which stream and rows differ; ``start`` and ``end`` in microseconds."""

    model: str
    environment: str
    shape: str
    start: int
    end: int
    cause: Cause
    facts: WindowFacts
    differences: tuple[Difference, ...]

    @property
    def repairable(self) -> bool:
        """Whether the rows are whole, so that a total made of them puts the stream's figures right."""
        return self.cause in (Cause.RESENT, Cause.MISCOUNTED)

    @property
    def about(self) -> dict[str, Any]:
        """Which window, and why: strings and numbers, times in ISO 8601."""
        return {
            "model": self.model,
            "environment": self.environment,
            "shape": self.shape,
            "window_start": time_text(self.start),
            "window_end": time_text(self.end),
            "cause": str(self.cause),
            "messages": self.facts.messages,
            "predictions": self.facts.predictions,
            "rows": self.facts.rows,
        }

    def record(self) -> dict[str, Any]:
        """As JSON: `about`, and what differs."""
        named = (
            "model_version",
            "served",
            "sampling_rate",
            "slice",
            "column",
            "streamed",
            "recorded",
            "bins",
        )
        return {
            **self.about,
            "differences": [{name: getattr(one, name) for name in named} for one in self.differences],
        }


@dataclass(slots=True)
class Report:
    """All of one reconciliation.

    Attributes:
        windows: base windows compared, per shape.
        events: events that the rows hold in them.
        unsettled: windows (start, end in microseconds) left out because messages of theirs are still on their way.
        totals: totals sent.
    """

    windows: int = 0
    events: int = 0
    totals: int = 0
    findings: list[Finding] = field(default_factory=list)
    unsettled: list[tuple[int, int]] = field(default_factory=list)

    @property
    def waiting(self) -> int:
        """How many windows were left out."""
        return len(self.unsettled)

    def add(self, other: Report) -> None:
        """Take in another."""
        self.windows += other.windows
        self.events += other.events
        self.unsettled += other.unsettled
        self.totals += other.totals
        self.findings += other.findings

    @property
    def differing(self) -> Sequence[Finding]:
        """The findings that are no consequence of retention."""
        return [one for one in self.findings if one.cause is not Cause.EXPIRED]

    @property
    def agree(self) -> bool | None:
        """Whether stream and rows agree; None where nothing was compared, which proves nothing."""
        if self.differing:
            return False
        return True if self.windows else None


def time_text(micros: int) -> str:
    """Microseconds since the epoch as ISO 8601, UTC."""
    return (_EPOCH + timedelta(microseconds=micros)).isoformat()
