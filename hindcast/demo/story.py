"""What happens in the demo: who predicts what when, when the truth is told, and what goes wrong.

Version 1 learns on January, serves from February and ends with August. Version 2 learns on January to June, is a shadow
in July and August and the champion from September. All days and months are UTC. Everything follows from the flights and
one seed.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pandas as pd

from hindcast.demo.flights import FEATURES
from hindcast.demo.model import THRESHOLD, score, train

MODEL = "flight_delays"
SERVING_FROM = datetime(2013, 2, 1, tzinfo=UTC)
SHADOW_FROM = datetime(2013, 7, 1, tzinfo=UTC)
SECOND_FROM = datetime(2013, 9, 1, tzinfo=UTC)
END = datetime(2014, 1, 2, tzinfo=UTC)

# the day on which JFK's distances arrive in kilometres: 324 departures, both versions at work
KILOMETRE_DAY = date(2013, 8, 14)
KILOMETRES_PER_MILE = 1.609344

RESENT = 0.01
CORRECTED = 0.005
MEDIAN_DELAY_S = 2 * 3600
TAIL_DELAY_S = 3 * 86400
TAIL = 0.05
LONGEST_DELAY_S = 30 * 86400
# standard normal quantile of 1 - TAIL, and with it the log-normal's sigma
SIGMA = float(np.log(TAIL_DELAY_S / MEDIAN_DELAY_S) / 1.6448536269514722)


@dataclass(frozen=True)
class Story:
    """The year's events, ready to be sent.

    Attributes:
        predictions: one row per event in order of event time, without resends: ``prediction_id``, ``event_time``,
            ``model_version``, ``served``, ``score``, ``decision``, ``tailnum`` and the features.
        resent: positions in ``predictions`` of the events that are sent a second time.
        labels: one row per fact in order of ``reported_at``: ``prediction_id``, ``kind``, ``truth``,
            ``true_at``, ``reported_at``, ``predicted_at``.
        training: January's departures, the reference.
    """

    predictions: pd.DataFrame
    resent: np.ndarray[Any, np.dtype[np.int64]]
    labels: pd.DataFrame
    training: pd.DataFrame


def tell(
    departures: pd.DataFrame, seed: int, *, since: datetime = SERVING_FROM, until: datetime = END
) -> Story:
    """The story of the departures in [``since``, ``until``).

    Labels of these flights are all told, however late they were reported.
    """
    first = train(departures[departures["departed_at"] < SERVING_FROM])
    second = train(departures[departures["departed_at"] < SHADOW_FROM])
    flown = departures["departed_at"]
    live = departures[(flown >= since) & (flown < until)].reset_index(drop=True)
    live["prediction_id"] = flight_ids(live, seed)
    seen = in_kilometres(live)
    predictions = pd.concat(
        [
            _answers(seen[seen["departed_at"] < SECOND_FROM], first, version="1", served=True),
            _answers(seen[(flown_in(seen, SHADOW_FROM, SECOND_FROM))], second, version="2", served=False),
            _answers(seen[seen["departed_at"] >= SECOND_FROM], second, version="2", served=True),
        ]
    ).sort_values(["event_time", "prediction_id", "model_version"], ignore_index=True)
    random = np.random.default_rng(seed)
    resent = np.flatnonzero(random.random(len(predictions)) < RESENT)
    return Story(predictions, resent, _labels(live, random), departures[flown < SERVING_FROM])


def flown_in(rows: pd.DataFrame, start: datetime, end: datetime) -> pd.Series:
    """Which rows departed in [start, end)."""
    return (rows["departed_at"] >= start) & (rows["departed_at"] < end)


def in_kilometres(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows as the service saw them: on one day JFK's distance came in kilometres."""
    wrong = (rows["departed_at"].dt.date == KILOMETRE_DAY) & (rows["origin"] == "JFK")
    return rows.assign(distance=rows["distance"].where(~wrong, rows["distance"] * KILOMETRES_PER_MILE))


def flight_ids(rows: pd.DataFrame, seed: int) -> list[str]:
    """A UUIDv7 per departure: its time stamp is the departure's, the rest a hash of flight and seed (RFC 9562, 5.7)."""
    stamps = rows["departed_at"].astype("int64") // 1000
    return [
        _uuid7(stamp, f"{seed}|{key}") for stamp, key in zip(stamps.tolist(), rows["flight_key"], strict=True)
    ]


def _uuid7(milliseconds: int, content: str) -> str:
    stamp, noise = f"{milliseconds:012x}", hashlib.blake2b(content.encode(), digest_size=10).hexdigest()
    variant = "89ab"[int(noise[3], 16) & 3]
    return f"{stamp[:8]}-{stamp[8:]}-7{noise[:3]}-{variant}{noise[4:7]}-{noise[7:19]}"


def _answers(rows: pd.DataFrame, pipeline: Any, *, version: str, served: bool) -> pd.DataFrame:
    if rows.empty:
        return pd.DataFrame()
    answer = score(pipeline, rows)
    kept = rows[["prediction_id", "tailnum", *FEATURES]].assign(
        event_time=rows["departed_at"],
        model_version=version,
        served=served,
        score=answer,
        decision=np.where(answer >= THRESHOLD, "late", "on_time"),
    )
    return kept.reset_index(drop=True)


def _labels(live: pd.DataFrame, random: np.random.Generator) -> pd.DataFrame:
    told = live[live["late"].notna()].reset_index(drop=True)
    delay = np.minimum(random.lognormal(np.log(MEDIAN_DELAY_S), SIGMA, len(told)), LONGEST_DELAY_S)
    mistaken = random.random(len(told)) < CORRECTED
    late = told["late"].astype(bool).to_numpy()
    facts = pd.DataFrame(
        {
            "prediction_id": told["prediction_id"],
            "kind": "truth",
            "truth": np.where(late != mistaken, "late", "on_time"),
            "true_at": told["arrived_at"],
            "reported_at": told["arrived_at"] + pd.to_timedelta((delay * 1e6).astype(np.int64), unit="us"),
            "predicted_at": told["departed_at"],
        }
    )
    mended = facts[mistaken].assign(
        kind="correction",
        truth=np.where(late[mistaken], "late", "on_time"),
        reported_at=facts["reported_at"][mistaken] + pd.Timedelta(days=1),
    )
    return pd.concat([facts, mended]).sort_values(["reported_at", "prediction_id"], ignore_index=True)
