"""Outcomes: a prediction beside one fact about it, as outcome.v1. Pure."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stream_processors.joiner.matching import Matches
from stream_processors.joiner.micros import SECOND, is_valid, micros, timestamps

_OF_PREDICTION = (
    "prediction_id",
    "output",
    "model",
    "model_version",
    "environment",
    "event_time",
    "served",
    "score",
    "decision",
    "contract",
)
_OF_FACT = ("label_id", "kind", "truth", "truth_value", "true_at", "reported_at")


def outcomes(facts: pa.Table, predictions: pa.Table, matches: Matches) -> pa.Table:
    """One row per match, columns as in outcome.v1: a pure function of the two rows and of whether the match was ambiguous.

    We know an outcome when we know both: ``known_at`` is the later one, and it is ``backfilled`` where either was stated by a bulk load.
    """
    fact, prediction = facts.take(matches.fact), predictions.take(matches.prediction)
    event_time, true_at = micros(prediction["event_time"]), micros(fact["true_at"])
    known_at = np.maximum(micros(fact["known_at"]), micros(prediction["known_at"]))
    columns = {name: prediction[name] for name in _OF_PREDICTION} | {name: fact[name] for name in _OF_FACT}
    columns |= {
        "known_at": timestamps(known_at),
        "backfilled": pc.or_(fact["backfilled"], prediction["backfilled"]),
        "truth_lag_s": pa.array((true_at - event_time) / SECOND, mask=~is_valid(fact["true_at"])),
        "known_lag_s": pa.array((known_at - event_time) / SECOND),
        "ambiguous": pa.array(matches.ambiguous),
        "label_topic_id": fact["_topic_id"],
        "label_partition": fact["_partition"].cast(pa.int32()),
        "label_offset": fact["_offset"].cast(pa.int64()),
        "label_appended_at": fact["_appended_at"],
    }
    return pa.table(columns)
