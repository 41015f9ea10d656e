"""Alerts as records of ``schemas/alert.v1.avsc``, with one sentence for a person."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from stream_processors.contracts.model import Contract
from stream_processors.monitor.alert_life import LEFT_OUT, AlertEvent, AlertIdentity, alert_id

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def alert_record(identity: AlertIdentity, event: AlertEvent, contract: Contract | None) -> dict[str, Any]:
    """The record of one step in an alert's life; ``contract`` is the one its verdict was judged under."""
    return {
        "alert_id": alert_id(identity, event.started_at),
        "model": identity.model,
        "model_version": identity.model_version,
        "environment": identity.environment,
        "served": identity.served,
        # LATER: silence, errors, latency, lag and quality drop are other metrics of the same record, as `integrity` is
        "kind": "statistical",
        "metric": identity.metric,
        "reference": identity.reference,
        "column": identity.column,
        "slice": identity.slice,
        "state": event.state,
        "severity": event.severity,
        "started_at": event.started_at,
        "window_start": event.verdict.window_start,
        "window_end": event.verdict.window_end,
        "revision": event.verdict.revision,
        "owner": contract.owner if contract else None,
        "summary": summary(identity, event),
        "evidence": event.verdict.evidence,
        "link": None,
    }


def summary(identity: AlertIdentity, event: AlertEvent) -> str:
    """What happened, in one sentence.

    >>> from stream_processors.monitor.alert_life import LastVerdict
    >>> verdict = LastVerdict(0, 86_400_000_000, 7, "drifted", severe=True, evidence={"psi_excess": 0.4163, "n": 301.0})
    >>> identity = AlertIdentity("delay", "production", "1", True, "drift", "training", "distance", "origin=JFK")
    >>> summary(identity, AlertEvent(0, "firing", "severe", verdict))
    'distance in origin=JFK of delay 1 drifted severely from training on 1970-01-01: PSI 0.416 above chance, n = 301.'
    """
    place = f"{identity.column} in {identity.slice}" if identity.slice else identity.column
    subject = f"{place} of {identity.model} {identity.model_version}"
    subject += "" if identity.environment == "production" else f" ({identity.environment})"
    subject += "" if identity.served else " (not served)"
    when = _when(event.verdict.window_start, event.verdict.window_end)
    if event.verdict.state == LEFT_OUT:
        return f"{subject} is no longer judged {when}, by its contract; it had drifted since {_time(event.started_at)}."
    if event.state == "resolved":
        return f"{subject} is like {identity.reference} again {when}; it had drifted since {_time(event.started_at)}."
    if event.state == "withdrawn":
        return f"{subject} has not drifted from {identity.reference} since {_time(event.started_at)} after all: later data revised the verdicts."
    severely = " severely" if event.severity == "severe" else ""
    figures = event.verdict.evidence
    excess = f"PSI {figures['psi_excess']:.3g} above chance" if "psi_excess" in figures else "beyond chance"
    n = f", n = {figures['n']:.0f}" if "n" in figures else ""
    return f"{subject} drifted{severely} from {identity.reference} {when}: {excess}{n}."


def _when(start: int, end: int) -> str:
    whole_day = end - start == 86_400_000_000 and start % 86_400_000_000 == 0
    return f"on {_time(start)}" if whole_day else f"from {_time(start)} to {_time(end)}"


def _time(moment: int) -> str:
    text = f"{_EPOCH + timedelta(microseconds=moment):%Y-%m-%d %H:%M}"
    return text.removesuffix(" 00:00")
