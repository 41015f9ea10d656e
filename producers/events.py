"""Records of prediction.v1, label.v1 and deployment.v1 from what a caller said. Pure; instants are µs since 1970 UTC."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from producers.errors import InvalidEvent
from producers.values import (
    boolean,
    category,
    identifier,
    mapping,
    number,
    rate,
    split_features,
    truth_of,
    whole,
)

LABEL_KINDS = ("truth", "correction", "retraction", "void")
ROLES = ("champion", "challenger", "shadow", "retired")
Record = dict[str, object]
_NO_KINDS: Mapping[str, str] = {}


def prediction_record(
    *,
    prediction_id: str,
    model: str,
    model_version: str,
    environment: str,
    event_time: int,
    features: Mapping[str, object],
    categorical: Collection[str] = (),
    kinds: Mapping[str, str] = _NO_KINDS,
    output: str = "",
    request_id: object = None,
    item_index: object = None,
    rank: object = None,
    entity_id: object = None,
    served: bool = True,
    target_time: int | None = None,
    score: object = None,
    decision: object = None,
    probabilities: Mapping[str, object] | None = None,
    quantiles: Mapping[str, object] | None = None,
    segments: Mapping[str, object] | None = None,
    status: str = "ok",
    error: str | None = None,
    latency_ms: object = None,
    sampling_rate: object = 1.0,
    trace_id: str | None = None,
    span_id: str | None = None,
    producer_id: str | None = None,
    sequence: int | None = None,
    known_at: int | None = None,
) -> Record:
    """A record of prediction.v1.

    ``features`` are split by `split_features`, which see for ``categorical`` and ``kinds``; an ``error`` makes the status ``error`` unless another is said.

    Raises:
        InvalidEvent: a value that would change silently or does not fit; names the field.
    """
    numeric, categories = split_features(features, categorical, kinds)
    return {
        "prediction_id": prediction_id,
        "output": output,
        "request_id": None if request_id is None else identifier("request_id", request_id),
        "item_index": whole("item_index", item_index),
        "rank": whole("rank", rank),
        "entity_id": None if entity_id is None else identifier("entity_id", entity_id),
        "model": model,
        "model_version": model_version,
        "environment": environment,
        "served": boolean("served", served),
        "event_time": event_time,
        "target_time": target_time,
        "numeric_features": numeric,
        "categorical_features": categories,
        "score": number("score", score),
        "decision": category("decision", decision),
        "probabilities": numbers_of("probabilities", probabilities),
        "quantiles": numbers_of("quantiles", quantiles),
        "segments": categories_of("segments", segments),
        "status": "error" if error is not None and status == "ok" else status,
        "error": error,
        "latency_ms": number("latency_ms", latency_ms),
        "sampling_rate": rate("sampling_rate", sampling_rate),
        "trace_id": trace_id,
        "span_id": span_id,
        "producer_id": producer_id,
        "sequence": sequence,
        "known_at": known_at,
    }


def label_record(
    *,
    label_id: str,
    prediction_id: str,
    model: str,
    reported_at: int,
    kind: str = "truth",
    truth: object = None,
    truth_value: object = None,
    true_at: int | None = None,
    output: str = "",
    predicted_at: int | None = None,
    model_version: str | None = None,
    environment: str | None = None,
    source: str | None = None,
    producer_id: str | None = None,
    sequence: int | None = None,
    known_at: int | None = None,
) -> Record:
    """A record of label.v1: one fact about one prediction. ``truth`` may be a class or a number; see `truth_of`.

    Raises:
        InvalidEvent: an unknown kind, a truth or correction that says nothing, or a value that does not fit.
    """
    if kind not in LABEL_KINDS:
        raise InvalidEvent("kind", f"one of {', '.join(LABEL_KINDS)} is wanted")
    true_class, true_number = truth_of(truth, truth_value)
    if kind in {"truth", "correction"} and true_class is None and true_number is None:
        raise InvalidEvent(
            "truth", f"a {kind} says truth or truth_value; where it will never come, say kind='void'"
        )
    return {
        "label_id": label_id,
        "prediction_id": prediction_id,
        "output": output,
        "model": model,
        "kind": kind,
        "truth": true_class,
        "truth_value": true_number,
        "true_at": true_at,
        "reported_at": reported_at,
        "predicted_at": predicted_at,
        "model_version": model_version,
        "environment": environment,
        "source": source,
        "producer_id": producer_id,
        "sequence": sequence,
        "known_at": known_at,
    }


def deployment_record(
    *,
    model: str,
    model_version: str,
    environment: str,
    role: str,
    valid_from: int,
    traffic_share: object = None,
    artifact_uri: str | None = None,
    artifact_digest: str | None = None,
    code_revision: str | None = None,
    training_data_uri: str | None = None,
    training_data_digest: str | None = None,
    training_run: str | None = None,
    parameters: Mapping[str, object] | None = None,
    approved_by: str | None = None,
    actor: str | None = None,
    reason: str | None = None,
    known_at: int | None = None,
) -> Record:
    """A record of deployment.v1: a version takes or leaves a role. ``parameters`` are kept as text.

    Raises:
        InvalidEvent: an unknown role, a share outside 0 to 1, parameters that are no mapping.
    """
    if role not in ROLES:
        raise InvalidEvent("role", f"one of {', '.join(ROLES)} is wanted")
    share = number("traffic_share", traffic_share)
    if share is not None and not 0 <= share <= 1:
        raise InvalidEvent("traffic_share", "a number from 0 to 1 is wanted")
    return {
        "model": model,
        "model_version": model_version,
        "environment": environment,
        "role": role,
        "traffic_share": share,
        "valid_from": valid_from,
        "artifact_uri": artifact_uri,
        "artifact_digest": artifact_digest,
        "code_revision": code_revision,
        "training_data_uri": training_data_uri,
        "training_data_digest": training_data_digest,
        "training_run": training_run,
        "parameters": {str(name): str(value) for name, value in mapping("parameters", parameters).items()},
        "approved_by": approved_by,
        "actor": actor,
        "reason": reason,
        "known_at": known_at,
    }


def numbers_of(field: str, values: Mapping[str, object] | None) -> dict[str, float]:
    """A map of doubles, such as probabilities; raises `InvalidEvent`, also for a null."""
    found = {}
    for name, value in (values or {}).items():
        double = number(f"{field}.{name}", value)
        if double is None:
            raise InvalidEvent(f"{field}.{name}", "is null")
        found[str(name)] = double
    return found


def categories_of(field: str, values: Mapping[str, object] | None) -> dict[str, str]:
    """A map of categories, such as segments, without its nulls; raises `InvalidEvent`."""
    found = {}
    for name, value in (values or {}).items():
        text = category(f"{field}.{name}", value)
        if text is not None:  # a segment without a value is a segment that was not said
            found[str(name)] = text
    return found
