"""PredictionLogger: what a serving service holds in its hand."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from sys import modules
from typing import TYPE_CHECKING, Any, Self

from uuid_utils import uuid7

from producers import limits
from producers.batch_logging import BatchLogging
from producers.channel import Channel
from producers.codec import encode
from producers.events import Record, deployment_record, label_record
from producers.ids import new_id, prediction_id_at
from producers.intake import Stats
from producers.logger_parts import contract_of, kafka_of, spool_of
from producers.prediction_writer import PredictionSaid, PredictionWriter
from producers.said import Said
from producers.settings import KafkaSettings
from producers.sigterm import close_on_sigterm
from producers.sink import Sink
from producers.trace import OPENTELEMETRY, current_trace
from producers.values import (
    boolean,
    category,
    encodable,
    identifier,
    mapping,
    micros,
    number,
    optional_micros,
    rate,
    text,
)

if TYPE_CHECKING:
    from producers.timing import TimedPrediction

_tuple = tuple.__new__
# of defaults it is enough that they are the same object
_NO_OUTPUT = ""
_UNSAMPLED = 1.0


class PredictionLogger(BatchLogging):
    """Publishes predictions, labels and deployments of one model, without ever getting in a request's way.

    A call copies its arguments shallowly into a bounded queue; a background thread of this process encodes and sends.
    No call waits for a broker or raises because of one: what is lost is counted by reason in `stats`, in the log (each
    reason once a minute) and in the ledger topic at `flush` and `close`.

    What does not fit raises `InvalidEvent` in the call: anything of a label, a deployment or a table; of a prediction its
    times, prediction_id, output, model_version and environment, whether it was served, its score, decision, latency_ms and
    sampling_rate, and features that are no mapping. The rest of a prediction is examined on the background thread (an integer beyond 2^53
    or a list as a feature, a number as a trace id): what does not fit there drops its event, counted as ``invalid`` and
    logged, unless ``strict`` examines it in the call. Nothing is connected before the first event; a forked child gets a thread, a connection and a producer id
    of its own. Safe for threads.

    Args:
        model: the model's name.
        model_version: default version of predictions and deployments.
        environment: default environment of predictions and deployments.
        kafka: where Kafka is; None reads HINDCAST_KAFKA, _TOPIC_PREFIX, _SCHEMA_REGISTRY and _KAFKA_PROPERTIES.
        categorical: features that are categories whatever their values (a numeric code, a category that may be None).
        queue_limit: events that may wait in this process; one more is dropped and counted as ``queue_full``.
        queue_bytes: what encoded events may take while they wait.
        drop: which event gives way where there is no room: the ``newest``, or the ``oldest`` that waits.
        spool: a directory on disk for events that Kafka does not take, sent when it takes events again; several processes
            may share it. None reads HINDCAST_SPOOL; empty: none, because features on disk must be somebody's decision.
        contract: the model's contract, a file of YAML (needs PyYAML) or JSON: kinds are checked, personal data protected and
            events sampled as it says before anything leaves this process.
        sigterm: flush, and spool what is left, before SIGTERM ends the process; only where nobody else handles it, and the
            logger is made on the main thread.
        strict: examine every value of a prediction in the call, and what its contract says of it; for tests and batch jobs.
        sink: where messages go instead of Kafka, such as `producers.testing.MemorySink`.
        clock: nanoseconds since 1970, the default of event and report times.

    Raises:
        ConfigError: the environment names settings that cannot be read, or a spool or contract that cannot be used.
    """

    def __init__(
        self,
        *,
        model: str,
        model_version: str = "",
        environment: str = "production",
        kafka: KafkaSettings | None = None,
        categorical: Collection[str] = (),
        queue_limit: int = limits.EVENTS,
        queue_bytes: int = limits.BYTES,
        drop: limits.Drop = "newest",
        spool: str | os.PathLike[str] | None = None,
        contract: str | os.PathLike[str] | None = None,
        sigterm: bool = True,
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
            sink, self._registry = kafka_of(kafka or KafkaSettings.from_environment(os.environ))
        else:
            self._registry = None
        self._contract = contract_of(contract, self.model)
        kinds = self._contract.kinds if self._contract else None
        self._writer = PredictionWriter(self.model, self._categorical, kinds)
        self._channel = Channel(
            sink,
            self._registry,
            limits.Limits(queue_limit, queue_bytes, drop),
            spool=spool_of(spool),
            contract=self._contract,
        )
        if sigterm:
            close_on_sigterm()

    def prediction(
        self,
        *,
        features: Mapping[str, object] | None = None,
        score: object = None,
        decision: object = None,
        prediction_id: object = None,
        output: str = _NO_OUTPUT,
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
        sampling_rate: float = _UNSAMPLED,
        trace_id: str | None = None,
        span_id: str | None = None,
        known_at: datetime | None = None,
        model_version: str | None = None,
        environment: str | None = None,
    ) -> str:
        """Publish one output of one scored item; the fields are those of prediction.v1. Returns its prediction_id.

        Without ``trace_id`` the trace is OpenTelemetry's current one, where the service uses it.
        """
        at = self._clock() // 1000 if event_time is None else micros("event_time", event_time)
        if prediction_id is None:
            # as `prediction_id_at`, whose call and look at the time's sign a request need not pay for
            its_id = str(uuid7(nanoseconds=at * 1000)) if at > 0 else prediction_id_at(at)
        else:
            its_id = (
                prediction_id
                if type(prediction_id) is str and prediction_id and prediction_id.isascii()
                else identifier("prediction_id", prediction_id)
            )
        if trace_id is None and OPENTELEMETRY in modules:
            trace_id, current_span = current_trace()
            span_id = current_span if span_id is None else span_id
        place = self.environment if environment is None else text("environment", environment)
        # the constructors that NamedTuple makes take twice as long
        said = _tuple(
            PredictionSaid,
            (
                its_id,
                self.model_version if model_version is None else text("model_version", model_version),
                place,
                at,
                features.copy() if type(features) is dict else mapping("features", features),
                output if output is _NO_OUTPUT else text("output", output),
                request_id,
                item_index,
                rank,
                entity_id,
                served if served is True else boolean("served", served),
                None if target_time is None else micros("target_time", target_time),
                score if type(score) is float else number("score", score),
                decision if type(decision) is str and decision.isascii() else _decision(decision),
                None if probabilities is None else mapping("probabilities", probabilities),
                None if quantiles is None else mapping("quantiles", quantiles),
                None if segments is None else mapping("segments", segments),
                status,
                error,
                latency_ms if type(latency_ms) is float else number("latency_ms", latency_ms),
                sampling_rate if sampling_rate is _UNSAMPLED else rate("sampling_rate", sampling_rate),
                trace_id,
                span_id,
                None if known_at is None else micros("known_at", known_at),
            ),
        )
        if self._strict:
            self._examine(said)
        channel = self._channel
        (channel.running or channel.intake()).say(_tuple(Said, (self._writer, said, place, at, None)))
        return its_id

    def timed(self, **fields: Any) -> TimedPrediction:
        """A context manager that times one prediction and says it at its end, as a failure where it failed.

        ``fields`` are those of `prediction`; inside they may be set, such as ``event.score``. See `TimedPrediction`.
        """
        from producers.timing import TimedPrediction  # not every service has a block to time

        return TimedPrediction(self, self._clock, **fields)

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

        A string or boolean as ``truth`` is a class; a number is a ``truth_value``, and an integer (1, not 1.0) a class besides.
        Without ``model_version`` and ``environment`` it holds for every version and environment that used the id.

        Raises:
            InvalidEvent: anything that does not fit, such as a truth that says nothing; nothing is left for later.
        """
        at = self._clock() // 1000 if reported_at is None else micros("reported_at", reported_at)
        its_id = new_id() if label_id is None else identifier("label_id", label_id)
        record = label_record(
            label_id=its_id,
            prediction_id=identifier("prediction_id", prediction_id),
            model=self.model,
            reported_at=at,
            kind=kind,
            truth=truth,
            truth_value=truth_value,
            true_at=optional_micros("true_at", true_at),
            output=text("output", output),
            predicted_at=optional_micros("predicted_at", predicted_at),
            model_version=None if model_version is None else text("model_version", model_version),
            environment=None if environment is None else text("environment", environment),
            source=source,
            known_at=optional_micros("known_at", known_at),
        )
        self._say("labels", record, at)
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
        self._say("deployments", deployment_record(**fields), at)

    def flush(self, timeout: float | None = None) -> int:
        """Wait until what was said so far is delivered, failed or dropped, and the ledger sent.

        At most ``timeout`` seconds; by default as long as events are being delivered, and up to 10 s in which none is.
        Returns how many events still wait; 0 is success. Without a broker nothing is lost by it: they go on waiting.
        """
        return self._channel.flush(timeout)

    def close(self, timeout: float | None = None) -> int:
        """Flush (see `flush`), lay in the spool or drop and count what still waits, send the last ledger, end the thread.

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

    async def aclose(self, timeout: float | None = None) -> int:
        """`close`, without holding up the event loop; the calls that say something do not wait, and need no other form."""
        import asyncio  # loading it takes longer than all of ours, and who calls this has it

        return await asyncio.to_thread(self.close, timeout)

    async def aflush(self, timeout: float | None = None) -> int:
        """`flush`, without holding up the event loop."""
        import asyncio  # see `aclose`

        return await asyncio.to_thread(self.flush, timeout)

    async def __aenter__(self) -> Self:
        import asyncio  # see `aclose`

        return await asyncio.to_thread(self.open)

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def __enter__(self) -> Self:
        return self.open()

    def __exit__(self, *_: object) -> None:
        self.close()

    def _examine(self, said: PredictionSaid) -> None:
        """Find in the call what the sender's thread would find; it makes a record of its own, as the contract changes this one."""
        record = self._writer.record(said)
        encode("prediction", record)
        if self._contract is not None:
            self._contract.admit(record)

    def _say(self, stream: str, record: Record, at: int) -> None:
        # labels and deployments are no request's business: what is wrong with them is said where it was written
        encode(stream.removesuffix("s"), record)
        self._channel.say_record(stream, record, time=at)


def _decision(value: object) -> str | None:
    found = category("decision", value)
    return None if found is None else encodable("decision", found)
