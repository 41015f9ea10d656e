"""A small history whose every figure is recomputed without SQL: three months of two versions, with realistic trouble.

Version 1 serves February and March, version 2 shadows it in March and serves April. Some predictions fail, some are sent twice, labels come
late, twice, corrected, taken back, or never. Another model and another environment use the same ids and must not be mixed in.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
from known_stream import stream_rows
from recorded_rows import Recorder, label, prediction, utc

MODEL = "flights"
POSITIVE, NEGATIVE = "late", "on_time"
HORIZON = timedelta(days=45)
START, MARCH, APRIL, END = (utc(f"2013-0{month}-01") for month in (2, 3, 4, 5))
CARRIERS = ["AA", "B6", "UA"]
ORIGINS = ["EWR", "JFK", "LGA"]
CONTRACT = {
    "owner": "o'brien",
    "prediction": {"kind": "binary", "positive_class": POSITIVE, "threshold": None},
    "label": {"horizon": int(HORIZON.total_seconds())},
    "windows": {"base": 86400},
}
IDS = 900


@dataclass
class KnownHistory:
    """What was inserted.

    Attributes:
        predictions: one row per prediction of `MODEL` in production, each once.
        facts: one row per label fact about them, each once.
        sent: rows sent, resends included.
    """

    predictions: pd.DataFrame
    facts: pd.DataFrame
    sent: int
    rows: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def outcomes(self, t: datetime | None = None) -> pd.DataFrame:
        """Every prediction beside its last fact as known at ``t``, in pandas."""
        known = self.facts if t is None else self.facts[self.facts.known_at <= t]
        made = self.predictions if t is None else self.predictions[self.predictions.known_at <= t]
        order = known.assign(rank=known.kind.map({"truth": 1, "correction": 2, "retraction": 3, "void": 4}))
        last = order.sort_values(["reported_at", "rank", "label_id"]).groupby("prediction_id").tail(1)
        truths = known[known.kind.isin(["truth", "correction"])].groupby("prediction_id").known_at.min()
        joined = made.merge(
            last[["prediction_id", "kind", "truth", "true_at", "label_id"]], on="prediction_id", how="left"
        )
        state = {"truth": "labelled", "correction": "labelled", "retraction": "retracted", "void": "void"}
        joined["state"] = joined.kind.map(state).fillna("unlabelled")
        joined["first_known"] = joined.prediction_id.map(truths)
        joined["month"] = joined.event_time.dt.strftime("%Y-%m-01")
        joined["positive"] = (joined.truth == POSITIVE).where(joined.state == "labelled")
        return joined


def known_history(seed: int = 7) -> KnownHistory:
    """The history, ready to be inserted."""
    random = np.random.default_rng(seed)
    shown = [_shown(random, number) for number in range(IDS)]
    facts = [fact for rows in shown for fact in _facts(random, rows[0])]
    # one message each, in the order of their moments; number 500 never arrived
    made = sorted((version for rows in shown for version in rows), key=lambda row: row["event_time"])
    made = [{**row, "sequence": place + (place >= 500)} for place, row in enumerate(made)]
    resent = [{**row, "_appended_at": row["_appended_at"] + timedelta(seconds=30)} for row in made[::100]]
    history = KnownHistory(pd.DataFrame(made), pd.DataFrame(facts), len(made) + len(resent))
    strangers = [
        prediction("p1", START, model="other", decision=POSITIVE, score=1.0),
        prediction("p1", START, model=MODEL, environment="staging", decision=POSITIVE, score=1.0),
    ]
    history.rows = {
        "predictions": [*made, *resent, *strangers],
        "labels": [
            *facts,
            *facts[::50],
            label("p1", END, NEGATIVE, model="other"),
            label("lost", END, NEGATIVE, model=MODEL, label_id="a-lost"),
        ],
        "contracts": [_contract()],
        "deployments": _deployments(),
        **stream_rows(made, resent, facts),
    }
    return history


def insert(history: KnownHistory, record: Recorder) -> None:
    """Insert everything into a record."""
    for table, rows in history.rows.items():
        record.insert(table, rows)


def _shown(random: np.random.Generator, number: int) -> list[dict[str, Any]]:
    """One subject as every version on duty saw it."""
    seconds = random.uniform(0, (END - START).total_seconds())
    moment = START + timedelta(microseconds=int(seconds * 1e6))
    distance = float(random.choice([200.0, 733.0, 1000.5, 2475.0]) + random.normal())
    risk = random.normal()
    features: dict[str, Any] = {
        "event_time": moment,
        "known_at": moment,
        "_appended_at": moment,
        "entity_id": f"N{number % 40}",
        "request_id": f"r{number // 3}",
        "trace_id": f"t{number // 3}",
        "item_index": number % 3,
        "numeric_features": {"distance": distance, "temperature": None if number % 9 == 0 else risk},
        "categorical_features": {
            "origin": ORIGINS[number % 3],
            "carrier": None if number % 50 == 0 else _carrier(number, moment),
        },
        "segments": {"region": "east" if number % 4 else "west"},
        "latency_ms": float(random.integers(1, 40)),
        "contract": "c1",
        "model": MODEL,
        "producer_id": "producer-1",
        "sequence": number,
    }
    on_duty = ["2"] if moment >= APRIL else ["1", "2"] if moment >= MARCH else ["1"]
    return [
        prediction(
            f"p{number}",
            **{
                **features,
                **_answer(random, version, risk, number),
                "served": version == "1" or moment >= APRIL,
            },
        )
        for version in on_duty
    ]


def _carrier(number: int, moment: datetime) -> str:
    """The last carrier begins to fly in April."""
    return CARRIERS[2 if moment >= APRIL and number % 10 == 7 else number % 2]


def _answer(random: np.random.Generator, version: str, risk: float, number: int) -> dict[str, Any]:
    """Scores of two decimals, so that there are ties."""
    if number % 60 == 59:
        return {
            "model_version": version,
            "status": "error",
            "error": "Timeout",
            "score": None,
            "decision": None,
        }
    noise = 1.5 if version == "1" else 0.8
    score = round(float(1 / (1 + np.exp(-(risk + noise * random.normal())))), 2)
    return {"model_version": version, "score": score, "decision": POSITIVE if score >= 0.5 else NEGATIVE}


def _facts(random: np.random.Generator, row: dict[str, Any]) -> list[dict[str, Any]]:
    """What the sources said about one subject."""
    number = row["sequence"]
    if number % 12 == 0:
        return []
    moment = row["event_time"]
    late = float(row["numeric_features"]["temperature"] or 0.0) + random.normal() > 0.3
    lag = timedelta(seconds=int(random.lognormal(np.log(7200), 1.5)))
    common = {"model": MODEL, "true_at": moment + timedelta(hours=2)}
    truth = POSITIVE if late else NEGATIVE
    facts = [label(row["prediction_id"], moment + lag, truth, label_id=f"a{number}", **common)]
    later = moment + lag + timedelta(days=1)
    if number % 20 == 1:
        turned = NEGATIVE if late else POSITIVE
        facts.append(
            label(row["prediction_id"], later, turned, kind="correction", label_id=f"b{number}", **common)
        )
    if number % 45 == 2:
        facts.append(
            label(row["prediction_id"], later, None, kind="retraction", label_id=f"b{number}", **common)
        )
    if number % 45 == 3:
        facts.append(label(row["prediction_id"], later, None, kind="void", label_id=f"b{number}", **common))
    return facts


def _contract() -> dict[str, Any]:
    return {
        "model": MODEL,
        "body": json.dumps(CONTRACT),
        "digest": "c1",
        "effective_from": START,
        "in_effect_from": START,
        "_appended_at": START,
    }


def _deployments() -> list[dict[str, Any]]:
    def deployed(version: str, role: str, at: datetime) -> dict[str, Any]:
        return {
            "model": MODEL,
            "model_version": version,
            "environment": "production",
            "role": role,
            "valid_from": at,
            "known_at": at,
            "_appended_at": at,
        }

    return [
        deployed("1", "champion", START),
        deployed("2", "shadow", MARCH),
        deployed("2", "champion", APRIL),
        # known twice, and repeated later without a change of version 1
        deployed("2", "champion", APRIL),
    ]
