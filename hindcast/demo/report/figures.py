"""What the report shows, as values. Everything here was read back from ClickHouse, nothing from the sender's memory."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from evaluation.intervals import Estimate


@dataclass(frozen=True)
class MonthQuality:
    """Quality of one version in one month (``YYYY-MM``, UTC).

    Attributes:
        coverage: labelled share of the month's predictions.
        auc, log_loss, accuracy: with 95 % intervals that resample whole days.
    """

    month: str
    version: str
    served: bool
    predictions: int
    labelled: int
    coverage: float
    auc: Estimate
    log_loss: Estimate
    accuracy: Estimate


@dataclass(frozen=True)
class Duel:
    """Champion against challenger on the same flights of one month: AUC of the challenger less the champion's."""

    month: str
    flights: int
    champion: str
    challenger: str
    champion_auc: float
    challenger_auc: float
    difference: Estimate


@dataclass(frozen=True)
class DriftCell:
    """PSI beyond chance of one feature in one month against January."""

    month: str
    feature: str
    psi_excess: float | None
    state: str


@dataclass(frozen=True)
class AsKnown:
    """One month's figures as they were known at a moment."""

    at: datetime
    predictions: int
    labelled: int
    accuracy: float | None
    auc: float | None


@dataclass(frozen=True)
class LabelLag:
    """After how many hours a share of a month's predictions was labelled; None: never so many."""

    month: str
    p50_h: float | None
    p90_h: float | None
    p95_h: float | None
    unlabelled: float


@dataclass(frozen=True)
class Figures:
    """The whole report.

    Attributes:
        alerts: rows of the query ``alerts``, oldest first.
        accounting: one row per model: accepted, recorded, duplicates removed, dead-lettered, difference.
        dead_letters: rows of the query ``dead_letters_by_reason``.
        timings: seconds per stage.
    """

    model: str
    quality: list[MonthQuality]
    duels: list[Duel]
    drift: list[DriftCell]
    as_known_month: str
    as_known: list[AsKnown]
    lags: list[LabelLag]
    alerts: list[dict[str, Any]]
    accounting: list[dict[str, Any]]
    dead_letters: list[dict[str, Any]]
    verdicts: dict[str, int]
    timings: dict[str, float]
