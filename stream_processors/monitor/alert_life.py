"""When an alert begins, grows worse and ends: a pure function of one identity's last complete verdicts in window order.

Each event counts once: the verdicts are of windows that do not overlap (``record_alerts`` leaves out a week of which a day was judged).

An alert is raised by a run of drifted windows that no ``ok`` interrupts: when the run is ``persistence`` windows long, or at once where one is severe. It
is resolved by the first ``ok`` after, or where a later contract no longer has its column or slice judged. Verdicts that are neither (too few events, nothing to
test, no reference) change nothing; one that found the reference's constant is read as ``ok``. Because the whole life is worked out anew from the verdicts, it does not matter in which order windows were judged, nor how often.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

AlertState = Literal["firing", "resolved", "withdrawn"]
Severity = Literal["warn", "severe"]

# Stands for the state of a window whose contract has the column or slice judged no more
LEFT_OUT = "left out"


@dataclass(frozen=True, slots=True, order=True)
class AlertIdentity:
    """What an alert is about; at any time at most one alert of an identity is firing."""

    model: str
    environment: str
    model_version: str
    served: bool
    metric: str
    reference: str
    column: str
    slice: str


def window_place(start: int, end: int) -> tuple[int, int]:
    """Where a window stands in order: by its end, and after those that it holds."""
    return end, -start


@dataclass(frozen=True, slots=True)
class LastVerdict:
    """The last complete verdict on one window (microseconds), as far as alerts need it.

    Attributes:
        state: of the verdict, or ``LEFT_OUT`` where the window's contract asks for none.
        severe: the change is severe; only read where ``state`` is ``drifted``.
        persistence: how many drifted windows raise an alert, from the contract it was judged under.
        contract: that contract's digest; empty for none.
        evidence: its figures, by name.
    """

    window_start: int
    window_end: int
    revision: int
    state: str
    severe: bool = False
    persistence: int = 2
    contract: str = ""
    evidence: dict[str, float] = field(default_factory=dict, compare=False)

    @property
    def place(self) -> tuple[int, int]:
        """Where its window stands in order."""
        return window_place(self.window_start, self.window_end)


@dataclass(frozen=True, slots=True)
class AlertEvent:
    """One step in an alert's life, and the verdict behind it. ``started_at`` is the start of the run's first window, microseconds."""

    started_at: int
    state: AlertState
    severity: Severity
    verdict: LastVerdict


def alert_id(identity: AlertIdentity, started_at: int) -> str:
    """SHA-256 (first 32 hex digits) of identity and start: the same alert has the same id whoever works it out."""
    parts = (
        identity.model,
        identity.environment,
        identity.model_version,
        str(identity.served),
        identity.metric,
        identity.reference,
        identity.column,
        identity.slice,
        str(started_at),
    )
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:32]


def alert_life(verdicts: Iterable[LastVerdict]) -> list[AlertEvent]:
    """All events of one identity's alerts, in window order. The verdicts may come in any order, one a window and perhaps one that it was left out."""
    events: list[AlertEvent] = []
    run: list[LastVerdict] = []
    severity: Severity | None = None
    for verdict in sorted(verdicts, key=lambda one: (one.place, one.state == LEFT_OUT)):
        if verdict.state == "ok" or _left_out(run, verdict):
            if severity is not None:
                events.append(AlertEvent(run[0].window_start, "resolved", severity, verdict))
            run, severity = [], None
        elif verdict.state == "drifted":
            run.append(verdict)
            reached = _severity(run, severity)
            if reached != severity and reached is not None:
                events.append(AlertEvent(run[0].window_start, "firing", reached, verdict))
            severity = reached
    return events


def _left_out(run: Sequence[LastVerdict], verdict: LastVerdict) -> bool:
    """Whether the column or slice was left out since: not by an earlier contract, which did not have it yet, as a lower revision tells."""
    return verdict.state == LEFT_OUT and bool(run) and verdict.revision > run[-1].revision


def _severity(run: Sequence[LastVerdict], before: Severity | None) -> Severity | None:
    if before == "severe" or run[-1].severe:
        return "severe"
    return "warn" if before or len(run) >= run[-1].persistence else None


@dataclass(frozen=True, slots=True)
class RecordedAlert:
    """One recorded alert message, in the order of their offsets: what was said about an alert."""

    event: AlertEvent
    alert_id: str


def alert_changes(
    identity: AlertIdentity, wanted: Sequence[AlertEvent], recorded: Sequence[RecordedAlert]
) -> list[AlertEvent]:
    """What has yet to be said so that the last messages of each alert tell its whole life as the verdicts have it now.

    A step is said again when its verdict was revised: its evidence is that of the last revision, whatever was judged before. The steps after it
    follow, so that the last word stays the last; those before it stand as they were said.

    Args:
        identity: whose alerts they are.
        wanted: the life worked out from the verdicts.
        recorded: what was said before of alerts in the same span of windows, in the order it was said.
    """
    said: dict[str, list[AlertEvent]] = {}
    for one in recorded:
        said.setdefault(one.alert_id, []).append(one.event)
    lives: dict[str, list[AlertEvent]] = {}
    for event in wanted:
        lives.setdefault(alert_id(identity, event.started_at), []).append(event)
    changes: list[AlertEvent] = []
    for mark, life in lives.items():
        changes += _unsaid(life, said.get(mark, []))
    for mark, events in said.items():
        if mark not in lives and events[-1].state != "withdrawn":
            changes.append(replace(events[-1], state="withdrawn"))
    return changes


def _unsaid(life: Sequence[AlertEvent], said: Sequence[AlertEvent]) -> Sequence[AlertEvent]:
    """The shortest end of the life after which what stands of all that was said ends with the whole life; nothing where it does already."""
    for start in range(len(life), 0, -1):
        standing = _standing([*said, *life[start:]])
        if [_told(event) for event in standing[-len(life) :]] == [_told(event) for event in life]:
            return life[start:]
    return life


def _standing(said: Sequence[AlertEvent]) -> list[AlertEvent]:
    """What was said of an alert and stands: a step takes the place of what was said before of itself and of the steps that follow it."""
    standing: list[AlertEvent] = []
    for event in said:
        while standing and (event.state == "withdrawn" or _step(standing[-1]) >= _step(event)):
            standing.pop()
        if event.state != "withdrawn":
            standing.append(event)
    return standing


def _step(event: AlertEvent) -> tuple[bool, bool]:
    """Where a step stands in any alert's life: it fires, grows severe, ends."""
    return event.state == "resolved", event.state == "firing" and event.severity == "severe"


def _told(event: AlertEvent) -> tuple[str, str, int, int, int]:
    verdict = event.verdict
    return event.state, event.severity, verdict.window_start, verdict.window_end, verdict.revision
