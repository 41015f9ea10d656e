"""Verdicts as records of ``schemas/drift.v1.avsc``: one per column and slice, and ``@model`` for the whole."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields
from typing import Any

from stream_processors.monitor.judge import LATENCY, JudgedColumn, Judgement, in_smaller_windows
from stream_processors.monitor.judged_windows import NO_REFERENCE
from stream_processors.sketches import WHOLE, NumericSketch
from stream_processors.statistics.verdict import ColumnVerdict

MODEL = "@model"

_FIGURES = tuple(field.name for field in fields(ColumnVerdict))
_CONTRIBUTORS = 5
_MATERIAL = ("none", "warn", "severe")


def drift_records(judgement: Judgement) -> Iterator[dict[str, Any]]:
    """All records of one window; the whole's comes last, so that whoever has it has them all."""
    about = _about(judgement)
    for one in judgement.columns:
        yield {**about, "column": one.column, "slice": one.slice, **_figures(one.verdict)}
    yield {**about, "column": MODEL, "slice": WHOLE, **_whole(judgement)}


def _about(judgement: Judgement) -> dict[str, Any]:
    window = judgement.facts.window
    return {
        "model": window.of.model,
        "model_version": window.of.model_version,
        "environment": window.of.environment,
        "served": window.of.served,
        "reference": judgement.reference.name if judgement.reference else NO_REFERENCE,
        "window_start": window.window.start,
        "window_end": window.window.end,
        "revision": judgement.facts.revision,
        # only closed windows are judged; a verdict on an open one would say False here, and move no alert
        "complete": True,
        "contract": judgement.contract.digest if judgement.contract else None,
    }


def _figures(verdict: ColumnVerdict) -> dict[str, Any]:
    return {name: getattr(verdict, name) for name in _FIGURES}


def _whole(judgement: Judgement) -> dict[str, Any]:
    """The verdict on the model: drifted where any column is, as bad as the worst of them.

    LATER: changes of volume, latency and error rate against the reference period, silence, and quality drop (design: "Model-level verdict").
    """
    drifted = [one for one in judgement.columns if one.verdict.state == "drifted"]
    return {
        "state": _state(judgement),
        "material": max((one.verdict.material for one in drifted), key=_MATERIAL.index, default="none"),
        "significant": bool(drifted),
        "n": judgement.facts.slices[WHOLE].n if WHOLE in judgement.facts.slices else 0,
        "reference_n": judgement.reference.events.get(WHOLE, 0) if judgement.reference else 0,
        "excluded": 0,
        "assumes_independent_rows": any(one.verdict.assumes_independent_rows for one in judgement.columns),
        "evidence": _evidence(judgement, drifted),
        "contributors": _contributors(judgement.columns),
    }


def _state(judgement: Judgement) -> str:
    if judgement.reference is None or judgement.contract is None:
        return "no_reference"
    states = {one.verdict.state for one in judgement.columns}
    whole = judgement.facts.slices.get(WHOLE)
    elsewhere = whole is not None and in_smaller_windows(whole, judgement.contract.contract)
    untested = "untestable" if elsewhere else "insufficient"
    return next((state for state in ("drifted", "ok", "untestable") if state in states), untested)


def _evidence(judgement: Judgement, drifted: Sequence[JudgedColumn]) -> dict[str, float]:
    whole = judgement.facts.slices.get(WHOLE)
    if whole is None:
        return {}
    tested = [one for one in judgement.columns if one.verdict.p_value is not None]
    evidence: dict[str, float] = {
        "volume": whole.events.total(),
        "errors": whole.errors.total(),
        "warnings": whole.warnings,
        "tested": len(tested),
        "drifted": len(drifted),
    }
    if whole.error_rate is not None:
        evidence["error_rate"] = whole.error_rate
    if tested:
        evidence["share_drifted"] = len(drifted) / len(tested)
    latency = whole.columns.get(LATENCY)
    if isinstance(latency, NumericSketch) and latency.finite:
        evidence |= {f"latency_ms_p{q}": latency.quantile(q / 100) or 0.0 for q in (50, 95)}
    score = whole.columns.get("@score")
    if isinstance(score, NumericSketch) and score.mean is not None:
        evidence["score_mean"] = score.mean
    return {name: float(value) for name, value in evidence.items()}


def _contributors(columns: Sequence[JudgedColumn]) -> list[str]:
    """Columns with the greatest change beyond chance in any slice, drifted ones first."""
    greatest: dict[str, tuple[bool, float]] = {}
    for one in columns:
        if one.verdict.psi_excess is not None:
            strength = one.verdict.state == "drifted", one.verdict.psi_excess
            greatest[one.column] = max(strength, greatest.get(one.column, strength))
    return sorted(greatest, key=lambda name: (*greatest[name], name), reverse=True)[:_CONTRIBUTORS]
