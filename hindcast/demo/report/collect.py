"""Reads the report's figures back from ClickHouse."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd

from evaluation.drift_by_month import drift_by_month
from evaluation.history import History
from evaluation.intervals import BlockResampler, log_losses
from hindcast.demo.report.figures import AsKnown, DriftCell, Duel, Figures, LabelLag, MonthQuality
from stream_processors.clickhouse import Store
from stream_processors.settings import ClickHouseSettings

_ROWS = """
SELECT prediction_id, model_version, served, formatDateTime(event_time, '%Y-%m') AS month, toDate(event_time) AS day,
    score, toInt8(ifNull(positive, -1)) AS positive, toInt8(ifNull(correct, -1)) AS correct, known_lag_s
FROM outcomes_all_v
WHERE model = {model:String}
ORDER BY event_time, prediction_id, model_version
"""
_AS_KNOWN = """
SELECT sum(q.predictions) AS all_predictions, sum(q.labelled) AS all_labelled, any(q.accuracy) AS accuracy, any(q.roc_auc) AS auc
FROM quality_as_of(t = {t:DateTime64(6, 'UTC')})
AS q
WHERE model = {model:String} AND served AND month = {month:Date}
"""
_ACCOUNTING = """
SELECT model, sum(accepted) AS accepted, sum(recorded) AS recorded, sum(duplicates_removed) AS duplicates_removed,
    sum(dead_lettered) AS dead_lettered, sum(dropped) AS dropped, sum(failed) AS failed, sum(spooled) AS spooled,
    sum(in_flight) AS in_flight, sum(missing) AS missing, sum(expired) AS expired, sum(without_row) AS without_row
FROM accounting
WHERE model = {model:String}
GROUP BY model
"""
_ALERTS = """
SELECT started_at, `column`, slice, model_version, served, severity, state, summary
FROM alerts_v
WHERE model = {model:String}
ORDER BY started_at, `column`, slice, model_version, served
"""
_VERDICTS = "SELECT state, count() AS verdicts FROM drift_v WHERE model = {model:String} GROUP BY state ORDER BY state"
_DEAD_LETTERS = "SELECT reason, count() AS messages FROM dead_letters FINAL GROUP BY reason ORDER BY reason"


def collect(
    settings: ClickHouseSettings, model: str, *, seed: int, known_month: str, known_at: Iterable[datetime]
) -> Figures:
    """Every figure of the report; ``seed`` makes the resampled intervals repeat themselves."""
    with History(settings) as history:
        named = {"model": model}
        rows = history.sql(_ROWS, named).to_pandas()
        store = Store(settings)
        drift = [
            DriftCell(one.month, one.feature, one.psi_excess, one.state)
            for one in drift_by_month(store, model)
        ]
        store.close()
        verdicts = {row["state"]: row["verdicts"] for row in history.sql(_VERDICTS, named).to_pylist()}
        return Figures(
            model=model,
            quality=_quality(rows, seed),
            duels=_duels(rows, seed),
            drift=drift,
            as_known_month=known_month,
            as_known=[_as_known(history, model, known_month, at) for at in known_at],
            lags=_lags(rows),
            alerts=history.sql(_ALERTS, named).to_pylist(),
            accounting=history.sql(_ACCOUNTING, named).to_pylist(),
            dead_letters=history.sql(_DEAD_LETTERS).to_pylist(),
            verdicts=verdicts,
            timings={},
        )


def _quality(rows: pd.DataFrame, seed: int) -> list[MonthQuality]:
    found = []
    for (month, version, served), month_rows in rows.groupby(["month", "model_version", "served"]):
        known = month_rows[month_rows["positive"] >= 0]
        truth, scores = known["positive"].to_numpy() == 1, known["score"].to_numpy(dtype=np.float64)
        days = BlockResampler(known["day"].to_numpy(), random=np.random.default_rng(seed))
        found.append(
            MonthQuality(
                month=str(month),
                version=str(version),
                served=bool(served),
                predictions=len(month_rows),
                labelled=len(known),
                coverage=len(known) / len(month_rows),
                auc=days.roc_auc(scores, truth),
                log_loss=days.mean(log_losses(scores, truth)),
                accuracy=days.mean((known["correct"].to_numpy() == 1).astype(np.float64)),
            )
        )
    return found


def _duels(rows: pd.DataFrame, seed: int) -> list[Duel]:
    known = rows[rows["positive"] >= 0]
    pairs = known[known["served"]].merge(
        known[~known["served"]], on="prediction_id", suffixes=("", "_challenger")
    )
    found = []
    for (month, champion, challenger), both in pairs.groupby(
        ["month", "model_version", "model_version_challenger"]
    ):
        truth = both["positive"].to_numpy() == 1
        first, second = both["score"].to_numpy(np.float64), both["score_challenger"].to_numpy(np.float64)
        days = BlockResampler(both["day"].to_numpy(), random=np.random.default_rng(seed))
        found.append(
            Duel(
                str(month),
                len(both),
                str(champion),
                str(challenger),
                days.roc_auc(first, truth).value,
                days.roc_auc(second, truth).value,
                days.roc_auc_difference(first, second, truth),
            )
        )
    return found


def _as_known(history: History, model: str, month: str, at: datetime) -> AsKnown:
    first = datetime.fromisoformat(f"{month}-01").replace(tzinfo=UTC)
    row: dict[str, Any] = history.sql(
        _AS_KNOWN, {"model": model, "t": at, "month": first.date()}
    ).to_pylist()[0]
    labelled = int(row["all_labelled"] or 0)
    return AsKnown(
        at, int(row["all_predictions"] or 0), labelled, row["accuracy"] if labelled else None, row["auc"]
    )


def _lags(rows: pd.DataFrame) -> list[LabelLag]:
    found = []
    for month, served in rows[rows["served"]].groupby("month"):
        # over predictions, not over labels: one that is never labelled has an endless lag
        hours = np.sort(served["known_lag_s"].fillna(np.inf).to_numpy(np.float64)) / 3600
        p50, p90, p95 = (_after(hours, share) for share in (0.5, 0.9, 0.95))
        found.append(LabelLag(str(month), p50, p90, p95, float(np.isinf(hours).mean())))
    return found


def _after(hours: np.ndarray[Any, np.dtype[np.float64]], share: float) -> float | None:
    at = float(hours[min(int(np.ceil(share * len(hours))) - 1, len(hours) - 1)])
    return at if np.isfinite(at) else None
