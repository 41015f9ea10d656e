"""PredictionLogger: what a serving service holds in its hand."""

from __future__ import annotations

import importlib.util
import os
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Self

from producers.channel import Channel
from producers.codec import Registry, encode
from producers.errors import ConfigError, InvalidEvent
from producers.events import Record, deployment_record, label_record, prediction_record
from producers.ids import new_id, prediction_id_at
from producers.intake import Stats
from producers.settings import KafkaSettings
from producers.sink import Sink
from producers.values import category, identifier, micros, number, optional_micros, rate, text

# A tight loop says events ten times as fast as the sender, which gets the interpreter every second turn at best, sends
# them: the queue holds such a loop, not only a pause of Kafka's. Kafka's client has a queue of its own behind this one.
QUEUE_LIMIT = 100_000
TABLE_WAIT_S = 30.0


class PredictionLogger:
    """Publishes predictions, labels and deployments of one model, without ever getting in a request's way.

    A call copies its arguments shallowly into a bounded queue; a background thread of this process encodes and sends.
    No call waits for a broker or raises because of one: what is lost is counted by reason in `stats`, in the log (each
    reason once a minute) and in the ledger topic at `flush` and `close`.

    What does not fit raises `InvalidEvent` in the call: anything of a label, a deployment or a table; of a prediction its
    times, prediction_id, output, model_version and environment, its score, decision, latency_ms and sampling_rate, and
    features that are no mapping. The rest of a prediction is examined on the background thread (an integer beyond 2^53
    or a list as a feature, a number as a trace id): what does not fit there drops its event, counted as ``invalid`` and
    logged, unless ``strict`` examines it in the call. Nothing is connected before the first event; a forked child gets a thread, a connection and a producer id
    of its own. Safe for threads.

    Args:
        model: the model's name.
        model_version: default version of predictions and deployments.
        environment: default environment of predictions and deployments.
        kafka: where Kafka is; None reads HINDCAST_KAFKA, _TOPIC_PREFIX, _SCHEMA_REGISTRY and _KAFKA_PROPERTIES.
        categorical: features that are categories whatever their values (a numeric code, a category that may be None).
        queue_limit: events that may wait in this process; one more is dropped and counted as ``queue_full``. An event of
            twenty features takes 2.3 kB while it waits, so the default of 100,000 may take 230 MB while Kafka is away.
        strict: examine every value of a prediction in the call; for tests and batch jobs.
        sink: where messages go instead of Kafka, such as `producers.testing.MemorySink`.
        clock: nanoseconds since 1970, the default of event and report times.

    Raises:
        ConfigError: the environment names settings that cannot be read.
    """

    def __init__(
        self,
        *,
        model: str,
        model_version: str = "",
        environment: str = "production",
        kafka: KafkaSettings | None = None,
        categorical: Collection[str] = (),
        queue_limit: int = QUEUE_LIMIT,
        strict: bool = False,
        sink: Sink | None = None,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        self.model = identifier("model", model)
        self.model_version = text("model_version", model_version)
        self.environment = text("environment", environment)
        self._categorical = frozenset(categorical)
        self._strict = strict
        self._clock = clock
        if sink is None:
            sink, self._registry = _kafka(kafka or KafkaSettings.from_environment(os.environ))
        else:
            self._registry = None
        self._channel = Channel(sink, self._registry, queue_limit)

    def prediction(
        self,
        *,
        features: Mapping[str, object] | None = None,
        score: object = None,
        decision: object = None,
        prediction_id: object = None,
        output: str = "",
        request_id: object = None,
        item_index: int | None = None,
        rank: int | None = None,
        entity_id: object = None,
        served: bool = True,
        event_time: datetime | None = None,
        target_time: datetime | None = None,
        probabilities: Mapping[str, object] | None = None,
        quantiles: Mapping[str, object] | None = None,
        segments: Mapping[str, object] | None = None,
        status: str = "ok",
        error: str | None = None,
        latency_ms: float | None = None,
        sampling_rate: float = 1.0,
        trace_id: str | None = None,
        span_id: str | None = None,
        known_at: datetime | None = None,
        model_version: str | None = None,
        environment: str | None = None,
    ) -> str:
        """Publish one output of one scored item; the fields are those of prediction.v1. Returns its prediction_id."""
        at = self._clock() // 1000 if event_time is None else micros("event_time", event_time)
        if prediction_id is None:
            its_id = prediction_id_at(at)
        else:
            its_id = (
                prediction_id
                if type(prediction_id) is str and prediction_id
                else identifier("prediction_id", prediction_id)
            )
        fields = {
            "prediction_id": its_id,
            "model": self.model,
            "model_version": self.model_version
            if model_version is None
            else text("model_version", model_version),
            "environment": self.environment if environment is None else text("environment", environment),
            "event_time": at,
            "features": _copied("features", features),
            "categorical": self._categorical,
            "output": output if output == "" else text("output", output),
            "request_id": request_id,
            "item_index": item_index,
            "rank": rank,
            "entity_id": entity_id,
            "served": served,
            "target_time": None if target_time is None else micros("target_time", target_time),
            "score": number("score", score),
            "decision": category("decision", decision),
            "probabilities": _copied("probabilities", probabilities),
            "quantiles": _copied("quantiles", quantiles),
            "segments": _copied("segments", segments),
            "status": status,
            "error": error,
            "latency_ms": number("latency_ms", latency_ms),
            "sampling_rate": rate("sampling_rate", sampling_rate),
            "trace_id": trace_id,
            "span_id": span_id,
            "known_at": None if known_at is None else micros("known_at", known_at),
        }
        self._say("predictions", prediction_record, fields, at)
        return its_id

    def label(
        self,
        prediction_id: object,
        *,
        truth: object = None,
        truth_value: object = None,
        true_at: datetime | None = None,
        kind: str = "truth",
        reported_at: datetime | None = None,
        output: str = "",
        predicted_at: datetime | None = None,
        model_version: str | None = None,
        environment: str | None = None,
        source: str | None = None,
        known_at: datetime | None = None,
        label_id: str | None = None,
    ) -> str:
        """Publish one fact about one prediction's truth; the fields are those of label.v1. Returns its label_id.

        A string or boolean as ``truth`` is a class; a number is a ``truth_value``, and a whole number a class besides.
        Without ``model_version`` and ``environment`` it holds for every version and environment that used the id.

        Raises:
            InvalidEvent: anything that does not fit, such as a truth that says nothing; nothing is left for later.
        """
        at = self._clock() // 1000 if reported_at is None else micros("reported_at", reported_at)
        its_id = new_id() if label_id is None else identifier("label_id", label_id)
        fields = {
            "label_id": its_id,
            "prediction_id": identifier("prediction_id", prediction_id),
            "model": self.model,
            "reported_at": at,
            "kind": kind,
            "truth": truth,
            "truth_value": truth_value,
            "true_at": optional_micros("true_at", true_at),
            "output": text("output", output),
            "predicted_at": optional_micros("predicted_at", predicted_at),
            "model_version": None if model_version is None else text("model_version", model_version),
            "environment": None if environment is None else text("environment", environment),
            "source": source,
            "known_at": optional_micros("known_at", known_at),
        }
        self._say("labels", label_record, fields, at)
        return its_id

    def deployment(
        self,
        *,
        role: str,
        model_version: str | None = None,
        environment: str | None = None,
        valid_from: datetime | None = None,
        known_at: datetime | None = None,
        **facts: Any,
    ) -> None:
        """Publish that a version takes or leaves a role; ``facts`` are the other fields of deployment.v1.

        Raises:
            InvalidEvent: anything that does not fit; nothing is left for later.
        """
        at = self._clock() // 1000 if valid_from is None else micros("valid_from", valid_from)
        fields = {
            **facts,
            "model": self.model,
            "model_version": self.model_version
            if model_version is None
            else text("model_version", model_version),
            "environment": self.environment if environment is None else text("environment", environment),
            "role": role,
            "valid_from": at,
            "known_at": optional_micros("known_at", known_at),
        }
        self._say("deployments", deployment_record, fields, at)

    def predictions(
        self,
        table: Any,
        *,
        features: Sequence[str],
        columns: Mapping[str, str] | None = None,
        probabilities: Mapping[str, str] | None = None,
        quantiles: Mapping[str, str] | None = None,
        segments: Sequence[str] = (),
        wait: float = TABLE_WAIT_S,
        **constants: object,
    ) -> list[str]:
        """Publish one prediction per row of an Arrow, pandas or polars table; returns their prediction ids.

        This is for batch jobs: it encodes on the caller's thread and may wait for room, for as long as anything is being
        delivered and ``wait`` seconds more; what then finds none is dropped and counted, until something is delivered
        again. Needs pyarrow and numpy.

        Args:
            table: a column named like a field of prediction.v1 is that field, unless it is listed elsewhere.
            features: columns that were the model's inputs.
            columns: the column of each field that has another name, such as ``{"entity_id": "customer"}``.
            probabilities: the column of each class.
            quantiles: the column of each quantile.
            segments: columns to slice by that were no inputs; a null is left out.
            wait: seconds without a delivery.
            constants: fields with one value for all rows, such as ``served=False``.

        Raises:
            InvalidEvent: a column that is missing or would change silently; nothing is sent.
            ConfigError: pyarrow or numpy is not installed.
        """
        _need_arrow()
        from producers.bulk import send_table  # loads pyarrow, which a service without tables does without
        from producers.tables import prediction_rows  # the same

        rows = prediction_rows(
            table,
            features=features,
            categorical=self._categorical,
            columns=columns or {},
            probabilities=probabilities or {},
            quantiles=quantiles or {},
            segments=segments,
            constants=constants,
            defaults={
                "model": self.model,
                "model_version": self.model_version,
                "environment": self.environment,
                "event_time": self._clock() // 1000,
            },
        )
        send_table(self._channel.intake(), rows, self._registry, wait)
        ids: list[str] = rows.fields["prediction_id"].to_pylist()
        return ids

    def labels(
        self,
        table: Any,
        *,
        columns: Mapping[str, str] | None = None,
        wait: float = TABLE_WAIT_S,
        **constants: object,
    ) -> list[str]:
        """Publish one label per row; like `predictions`, with the fields of label.v1. Returns their label ids.

        A column of truths may hold classes or numbers, as `label` takes them.
        An id not given is made from the fact itself, so that a load done twice repeats nothing; that needs
        ``reported_at`` in the table, which else is the moment of this call.
        """
        _need_arrow()
        from producers.bulk import send_table  # loads pyarrow, which a service without tables does without
        from producers.tables import label_rows  # the same

        rows = label_rows(
            table,
            columns=columns or {},
            constants=constants,
            defaults={"model": self.model, "reported_at": self._clock() // 1000},
        )
        send_table(self._channel.intake(), rows, self._registry, wait)
        ids: list[str] = rows.fields["label_id"].to_pylist()
        return ids

    def flush(self, timeout: float | None = None) -> int:
        """Wait until what was said so far is delivered, failed or dropped, and the ledger sent.

        At most ``timeout`` seconds; by default as long as events are being delivered, and up to 10 s in which none is.
        Returns how many events still wait; 0 is success. Without a broker nothing is lost by it: they go on waiting.
        """
        return self._channel.flush(timeout)

    def close(self, timeout: float | None = None) -> int:
        """Flush (see `flush`), drop and count what still waits then, send the last ledger, end the thread.

        Takes at most ``timeout`` + 1 s; by default what `flush` takes, and 2 s. Returns how many events have an unknown
        fate: sent, and neither acknowledged nor refused. Called at interpreter exit if nobody did, with a limit of 5 s in
        which nothing is delivered. Later events are dropped as ``closed``.
        """
        return self._channel.close(timeout)

    @property
    def stats(self) -> Stats:
        """What was taken, delivered, failed and dropped in this process."""
        return self._channel.stats()

    def open(self) -> Self:
        """Start now instead of at the first event; does not wait for a broker.

        Raises:
            ConfigError: librdkafka refuses the settings.
        """
        self._channel.open()
        return self

    def __enter__(self) -> Self:
        return self.open()

    def __exit__(self, *_: object) -> None:
        self.close()

    def _say(self, stream: str, build: Callable[..., Record], fields: dict[str, Any], at: int) -> None:
        # labels and deployments are no request's business: what is wrong with them is said where it was written
        if self._strict or stream != "predictions":
            encode(stream.removesuffix("s"), build(**fields))
        self._channel.intake().say(stream, build, fields, at)


def _copied(field: str, values: Mapping[str, object] | None) -> dict[str, object]:
    """A copy of what the caller may change after the call."""
    if not values:
        return {}
    try:
        return dict(values)
    except (TypeError, ValueError):
        raise InvalidEvent(field, f"a mapping is wanted, not {type(values).__name__}") from None


def _need_arrow() -> None:
    for package in ("pyarrow", "numpy"):
        if importlib.util.find_spec(package) is None:
            raise ConfigError(f"tables need {package}: pip install 'hindcast[processors]'")


def _kafka(settings: KafkaSettings) -> tuple[Sink, Registry | None]:
    from producers.kafka_sink import KafkaSink  # a test with its own sink needs no Kafka

    if not settings.schema_registry:
        return KafkaSink(settings), None
    from producers.registry import SchemaRegistry  # few have one, and it loads urllib

    return KafkaSink(settings), SchemaRegistry(settings.schema_registry)
