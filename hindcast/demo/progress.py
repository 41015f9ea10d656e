"""How far the processors are with what the demo sent, asked of the record and of their heartbeats."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hindcast.demo.scenes import Sent
from hindcast.demo.story import Story
from hindcast.local.startup import ROLES
from stream_processors.clickhouse import Store

# older heartbeats tell how it was
FRESH_S = 3.0


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


def idle(status: Mapping[str, Any]) -> bool:
    """Whether every processor runs, has read everything and has nothing left to do."""
    processors = [process for process in status["processes"] if process["name"] in ROLES]
    # one that says of no partition how far it is has just been started, which is not the same as having nothing to do
    heard = [p for p in processors if p.get("lag") and (p["heartbeat_age_s"] or 0.0) < FRESH_S]
    busy = any(sum(process["lag"].values()) or process.get("waiting") for process in heard)
    return len(heard) == len(ROLES) and not busy


def complaint(status: Mapping[str, Any]) -> str:
    """The last error that a processor reports, for a person."""
    said = [
        f"{process['name']}: {process['last_error']}"
        for process in status["processes"]
        if process.get("last_error")
    ]
    return "; ".join(said) or "no processor reports an error"
