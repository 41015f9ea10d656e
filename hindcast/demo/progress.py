"""How far the processors are with what the demo sent, asked of the record and of their heartbeats."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hindcast.demo.scenes import Sent
from hindcast.demo.story import Story
from hindcast.local.startup import ROLES
from stream_processors.clickhouse import Store

# work may pass from one processor to the next between two heartbeats
REST_S = 2.0


@dataclass(frozen=True)
class Goal:
    """One stage that has an end: a question whose answer rises to ``target``."""

    name: str
    question: str
    target: int


def goals(story: Story, sent: Sent) -> list[Goal]:
    """Every stage's end, worked out from the story alone."""
    labelled = story.predictions["prediction_id"].isin(story.labels["prediction_id"]).sum()
    scored = story.predictions["prediction_id"].value_counts()
    pairs = story.labels["prediction_id"].map(scored).fillna(0).sum()
    return [
        Goal(
            "recorded",
            "SELECT (SELECT count() FROM intake FINAL) + (SELECT count() FROM labels FINAL) AS done",
            sent.predictions + sent.garbage + sent.labels,
        ),
        Goal("joined with the truth", "SELECT count() AS done FROM outcomes FINAL", int(pairs)),
        Goal(
            "quality worked out",
            "SELECT toInt64(sum(labelled)) AS done FROM quality_v WHERE slice = ''",
            int(labelled),
        ),
        Goal(
            "judged for drift",
            "SELECT toInt64(sum(n)) AS done FROM drift_v WHERE `column` = '@model' AND complete",
            sent.predictions,
        ),
    ]


def reached(store: Store, goal: Goal) -> int:
    """How far a stage is."""
    return int(store.rows(goal.question)[0]["done"] or 0)


def busy(status: Mapping[str, Any]) -> dict[str, str]:
    """What each processor has left to do, in words, by its name; also of one that does not run or says nothing yet."""
    heard = {process["name"]: process for process in status["processes"] if process.get("lag")}
    left = {}
    for role in ROLES:
        # one that says of no partition how far it is has just been started, which is not the same as having nothing to do
        lag, waiting = _left(heard[role]) if role in heard else (0, 0)
        if role not in heard or lag or waiting:
            left[role] = f"{lag} to read, {waiting} waiting" if role in heard else "has not begun"
    return left


def _left(process: Mapping[str, Any]) -> tuple[int, int]:
    return sum(process["lag"].values()), process.get("waiting") or 0


class Rest:
    """Tells when nobody has anything left to do: each processor has said so again, some time after all had."""

    def __init__(self) -> None:
        self._since: float | None = None

    def begun(self, status: Mapping[str, Any], now: float) -> bool:
        """Whether all rest.

        Args:
            status: what the stack says.
            now: of a steady clock, s.
        """
        if busy(status):
            self._since = None
            return False
        if self._since is None:
            self._since = now
        # older heartbeats tell how it was; a busy machine has some that are seconds old, and waits for the next
        ages = [
            process["heartbeat_age_s"] or 0.0 for process in status["processes"] if process["name"] in ROLES
        ]
        return all(now - age >= self._since + REST_S for age in ages)


_WORKED_OUT = """
    SELECT (SELECT count() FROM drift) + (SELECT count() FROM quality)
        + (SELECT count() FROM sketches WHERE kind = 'total' AND column = '@events') AS done
"""


def worked_out(store: Store) -> int:
    """What rises while the processors work, also beyond the goals: verdicts, quality figures, totals. Stretches come for ever, and count for nothing."""
    return int(store.rows(_WORKED_OUT)[0]["done"])


def complaint(status: Mapping[str, Any], unreached: Sequence[str] = ()) -> str:
    """What keeps the demo from its end, for a person: stages without their end, who has work left, the last errors."""
    return "; ".join(
        [
            *unreached,
            *(f"{name}: {what}" for name, what in busy(status).items()),
            *(f"{p['name']}: {p['last_error']}" for p in status["processes"] if p.get("last_error")),
        ]
    )
