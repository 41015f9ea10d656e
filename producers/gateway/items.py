"""What one item of a request may hold: the fields of its schema, with a prediction's features in one object.

JSON's own types are told apart here, by msgspec and in one pass; what they mean, and what would change silently, is
examined where the logger's calls are: by the functions of `producers.events` and `producers.values`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, NamedTuple

import msgspec

from producers.encoder import handed_by_record
from producers.events import deployment_record, label_record
from producers.gateway.writers import Writers
from producers.ids import new_id, prediction_id_at
from producers.prediction_writer import PredictionSaid
from producers.said import Handed
from producers.values import category, identifier, micros, number, optional_micros, rate, text

# RFC 3339 with a zone; fractions beyond microseconds are rounded
Moment = Annotated[datetime, msgspec.Meta(tz=True)]
Number = int | float
Id = str | int
Category = str | bool | int
# the values of these objects are examined by name, so that an error names the feature and not only the object
Values = dict[str, Any]


class PredictionItem(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A prediction; the fields are those of prediction.v1."""

    model: Id
    model_version: Id
    prediction_id: Id | None = None
    output: Id = ""
    request_id: Id | None = None
    item_index: int | None = None
    rank: int | None = None
    entity_id: Id | None = None
    environment: Id = "production"
    served: bool = True
    event_time: Moment | None = None
    target_time: Moment | None = None
    features: Values = {}
    categorical: list[str] = []
    score: Number | None = None
    decision: Category | None = None
    probabilities: Values = {}
    quantiles: Values = {}
    segments: Values = {}
    status: str = "ok"
    error: str | None = None
    latency_ms: Number | None = None
    sampling_rate: Number = 1.0
    trace_id: str | None = None
    span_id: str | None = None
    known_at: Moment | None = None


class LabelItem(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A fact about one prediction's truth; the fields are those of label.v1."""

    model: Id
    prediction_id: Id
    label_id: Id | None = None
    output: Id = ""
    kind: str = "truth"
    truth: Category | float | None = None
    truth_value: Number | None = None
    true_at: Moment | None = None
    reported_at: Moment | None = None
    predicted_at: Moment | None = None
    model_version: Id | None = None
    environment: Id | None = None
    source: str | None = None
    known_at: Moment | None = None


class DeploymentItem(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """That a version takes or leaves a role; the fields are those of deployment.v1."""

    model: Id
    model_version: Id
    role: str
    environment: Id = "production"
    traffic_share: Number | None = None
    valid_from: Moment | None = None
    artifact_uri: str | None = None
    artifact_digest: str | None = None
    code_revision: str | None = None
    training_data_uri: str | None = None
    training_data_digest: str | None = None
    training_run: str | None = None
    parameters: dict[str, str] = {}
    approved_by: str | None = None
    actor: str | None = None
    reason: str | None = None
    known_at: Moment | None = None


class Event(NamedTuple):
    """An item that is good: key and body, its event time (µs since 1970), and its id where its schema has one."""

    handed: Handed
    model: str
    environment: str
    time: int
    id: str | None


@dataclass(frozen=True)
class Stream:
    """One kind of item.

    Attributes:
        name: of the topic, without prefix.
        schema: name of the Avro schema.
        item: what JSON must hold.
        event: the event of an item, by the gateway's clock (µs since 1970) where it names no time; raises `InvalidEvent`.
    """

    name: str
    schema: str
    item: type[msgspec.Struct]
    event: Callable[[Any, int], Event]


_writers = Writers()


def _prediction(item: PredictionItem, now: int) -> Event:
    at = now if item.event_time is None else micros("event_time", item.event_time)
    model, environment = identifier("model", item.model), text("environment", item.environment)
    its_id = (
        prediction_id_at(at)
        if item.prediction_id is None
        else identifier("prediction_id", item.prediction_id)
    )
    said = PredictionSaid(  # by place, which takes half the time of by name
        its_id,
        text("model_version", item.model_version),
        environment,
        at,
        item.features,
        text("output", item.output),
        item.request_id,
        item.item_index,
        item.rank,
        item.entity_id,
        item.served,
        optional_micros("target_time", item.target_time),
        number("score", item.score),
        category("decision", item.decision),
        item.probabilities,
        item.quantiles,
        item.segments,
        item.status,
        item.error,
        number("latency_ms", item.latency_ms),
        rate("sampling_rate", item.sampling_rate),
        item.trace_id,
        item.span_id,
        optional_micros("known_at", item.known_at),
    )
    handed = _writers.handed(model, tuple(item.categorical), said)
    return Event(handed, model, environment, at, its_id)


def _label(item: LabelItem, now: int) -> Event:
    at = now if item.reported_at is None else micros("reported_at", item.reported_at)
    model, label_id = identifier("model", item.model), item.label_id
    environment = None if item.environment is None else text("environment", item.environment)
    its_id = new_id() if label_id is None else identifier("label_id", label_id)
    record = label_record(
        label_id=its_id,
        prediction_id=identifier("prediction_id", item.prediction_id),
        model=model,
        reported_at=at,
        kind=item.kind,
        truth=item.truth,
        truth_value=item.truth_value,
        true_at=optional_micros("true_at", item.true_at),
        output=text("output", item.output),
        predicted_at=optional_micros("predicted_at", item.predicted_at),
        model_version=None if item.model_version is None else text("model_version", item.model_version),
        environment=environment,
        source=item.source,
        known_at=optional_micros("known_at", item.known_at),
    )
    return Event(handed_by_record("labels", record), model, environment or "", at, its_id)


def _deployment(item: DeploymentItem, now: int) -> Event:
    at = now if item.valid_from is None else micros("valid_from", item.valid_from)
    model, environment = identifier("model", item.model), text("environment", item.environment)
    record = deployment_record(
        model=model,
        model_version=text("model_version", item.model_version),
        environment=environment,
        role=item.role,
        valid_from=at,
        traffic_share=item.traffic_share,
        artifact_uri=item.artifact_uri,
        artifact_digest=item.artifact_digest,
        code_revision=item.code_revision,
        training_data_uri=item.training_data_uri,
        training_data_digest=item.training_data_digest,
        training_run=item.training_run,
        parameters=item.parameters,
        approved_by=item.approved_by,
        actor=item.actor,
        reason=item.reason,
        known_at=optional_micros("known_at", item.known_at),
    )
    return Event(handed_by_record("deployments", record), model, environment, at, None)


STREAMS = {
    stream.name: stream
    for stream in (
        Stream("predictions", "prediction", PredictionItem, _prediction),
        Stream("labels", "label", LabelItem, _label),
        Stream("deployments", "deployment", DeploymentItem, _deployment),
    )
}
