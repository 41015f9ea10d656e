"""A model that logs what it predicts: `Logged(model, log)` and nothing else changes."""

from __future__ import annotations

import functools
import logging
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NoReturn

from producers.complaints import Complaints
from producers.errors import HindcastError, InvalidEvent
from producers.ids import new_id, prediction_id_at
from producers.model_rows import Decide, Row, answers_of_predict, answers_of_proba, feature_rows
from producers.timing import check_names, failure_of
from producers.values import boolean, identifier, optional_micros, rate, text

if TYPE_CHECKING:
    from producers.logger import PredictionLogger

CHUNK_ROWS = 10_000
METHODS = ("predict", "predict_proba")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_log = logging.getLogger("hindcast.producers")


class Request:
    """What is known of one request, and which predictions were made in it; see `Logged.request`.

    Attributes:
        prediction_ids: one per row, in the order of rows and calls; what their labels will name.
    """

    def __init__(self, request_id: object, entity_ids: Sequence[object], fields: Mapping[str, Any]) -> None:
        self.prediction_ids: list[str] = []
        self.request_id = new_id() if request_id is None else identifier("request_id", request_id)
        self.entity_ids = entity_ids
        self.fields = fields


_requests: ContextVar[tuple[tuple[object, Request], ...]] = ContextVar("hindcast_requests", default=())


class Logged:
    """A stand-in for a model with ``predict`` or ``predict_proba``, which says every row that goes through them.

    ::

        model = Logged(model, log)
        with model.request(request_id="r-1", entity_ids=["customer-17"]) as request:
            probabilities = model.predict_proba(rows)
        log.label(request.prediction_ids[0], truth="leave")

    Each call returns the very object that the model returned, and raises what it raised, after it said one event per row:
    its features, its answer (`producers.model_rows`), the call's latency, a request id that the rows of a call share, and
    the row's place as item_index. An exception of the model makes each row an event with its class as `failure_of` names
    it. Everything else is the model's own: attributes, other methods, and what they return; a method that returns the model
    returns it without its log.

    The events are said on the calling thread, about 10 µs a row, and no call waits for room: rows beyond the logger's
    ``queue_limit`` are dropped and counted. For tables use ``batch``, or `PredictionLogger.predictions`.

    What cannot be read is never the caller's trouble: an input or answer of an unknown shape is said without features or
    without an answer, a score that is none without it, and the log says so (once a minute). An awaitable answer is passed on and not said: use
    `PredictionLogger.timed`.

    A Logged cannot be pickled, as threads and connections cannot: pickle ``unlogged``.

    Args:
        model: anything.
        log: says the events.
        features: names of an array's columns; None: the model's ``feature_names_in_``, else f0, f1, …
        without: features that are never said.
        methods: which of ``predict`` and ``predict_proba`` to say, for a service that calls both for one prediction.
        outputs: names of the outputs of a model with several.
        positive: the class whose probability is the score; None: the second of two.
        decide: what the service decides from a row's probabilities by class, such as ``lambda p: p["late"] > 0.4``; None:
            an event of ``predict_proba`` has no decision, and the contract's threshold counts.
        batch: for jobs, not for services: a call waits after every 10,000 rows until they are delivered (see
            `PredictionLogger.flush`), so that one of any size loses nothing.
        strict: raise what is wrong with an event; for tests.
        clock: nanoseconds since 1970.
    """

    __slots__ = (
        "_batch",
        "_clock",
        "_complaints",
        "_decide",
        "_features",
        "_log",
        "_methods",
        "_outputs",
        "_positive",
        "_strict",
        "_without",
        "unlogged",
    )

    def __init__(
        self,
        model: Any,
        log: PredictionLogger,
        *,
        features: Sequence[str] | None = None,
        without: Collection[str] = (),
        methods: Collection[str] = METHODS,
        outputs: Sequence[str] = (),
        positive: object = None,
        decide: Decide | None = None,
        batch: bool = False,
        strict: bool = False,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        unknown = set(methods) - set(METHODS)
        if unknown:
            raise ValueError(f"methods are some of {', '.join(METHODS)}, not {', '.join(sorted(unknown))}")
        self.unlogged = model
        self._log = log
        self._features = features
        self._without = frozenset(without)
        self._methods = frozenset(methods)
        self._outputs = tuple(outputs)
        self._positive = positive
        self._decide = decide
        self._batch = batch
        self._strict = strict
        self._clock = clock
        self._complaints = Complaints(_log)

    @contextmanager
    def request(
        self, *, request_id: object = None, entity_ids: Sequence[object] = (), **fields: Any
    ) -> Iterator[Request]:
        """Say more of the predictions that this model makes inside, in this thread or task, and learn their ids.

        Args:
            request_id: shared by all rows inside; None makes one.
            entity_ids: whom each row of a call is about, in order.
            fields: other fields of prediction.v1 with one value for all rows, such as ``served=False``.

        Raises:
            TypeError: a field that there is not.
            InvalidEvent: a request_id, or another field that belongs to all rows, that does not fit.
        """
        check_names(fields)
        _check_values(fields)
        made = Request(request_id, entity_ids, fields)
        _requests.set((*_requests.get(), (self, made)))
        try:
            yield made
        finally:
            # not by the token: a framework may end this in another context than it began in
            _requests.set(tuple(pair for pair in _requests.get() if pair[1] is not made))

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.unlogged, name)
        return functools.partial(self._call, name, found) if name in self._methods else found

    def __dir__(self) -> list[str]:
        return sorted({*object.__dir__(self), *dir(self.unlogged)})

    def __repr__(self) -> str:
        return f"Logged({self.unlogged!r})"

    def __reduce_ex__(self, _protocol: object) -> NoReturn:
        raise TypeError(
            "a Logged model cannot be pickled or copied: take its .unlogged, and wrap that where it is used"
        )

    def _call(self, method: str, call: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        at = self._clock() // 1000
        rows = self._guarded(self._read, args, kwargs)
        began = time.perf_counter_ns()
        try:
            answer = call(*args, **kwargs)
        except BaseException as failure:
            latency_ms = (time.perf_counter_ns() - began) / 1e6
            status, error = failure_of(failure)
            self._guarded(
                self._say, at, rows, None, {"latency_ms": latency_ms, "status": status, "error": error}
            )
            raise
        latency_ms = (time.perf_counter_ns() - began) / 1e6
        if hasattr(answer, "__await__"):
            self._complaints.say("logged awaitable", "an awaitable answer is not logged: use log.timed()")
        else:
            answers = self._guarded(self._answers, method, answer, rows)
            self._guarded(self._say, at, rows, answers, {"latency_ms": latency_ms})
        return answer

    def _read(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Row] | None:
        """The features of each row, before the model gets a chance to change them."""
        inputs = args[0] if args else next(iter(kwargs.values()), None)
        names = self._features
        if names is None and not hasattr(inputs, "columns"):
            known = getattr(self.unlogged, "feature_names_in_", None)
            names = None if known is None else [str(name) for name in known]
        rows = feature_rows(inputs, names)
        if inputs is not None and (rows is None or (rows and not any(rows))):
            unread = InvalidEvent("features", f"none can be read from {type(inputs).__name__}")
            if self._strict:
                raise unread
            self._complain("inputs", unread)
        if rows is None or not self._without:
            return rows
        return [{name: row[name] for name in row if name not in self._without} for row in rows]

    def _answers(self, method: str, answer: Any, rows: list[Row] | None) -> dict[str, list[Row]]:
        classes = getattr(self.unlogged, "classes_", None)
        if method == "predict":
            answers = answers_of_predict(answer, classes, self._outputs)
        else:
            answers = answers_of_proba(
                answer, classes, self._outputs, positive=self._positive, decide=self._decide
            )
        wrong = {len(its) for its in answers.values()} - {len(rows or ())}
        if rows is not None and wrong:
            raise InvalidEvent("rows", f"{max(wrong)} answers for {len(rows)} rows")
        return answers

    def _say(
        self, at: int, rows: list[Row] | None, answers: dict[str, list[Row]] | None, said: dict[str, Any]
    ) -> None:
        """One event per row and output; without known rows or answers, one event."""
        if answers is None:
            answers = {"": [{}] * (1 if rows is None else len(rows))}
        count = max(map(len, answers.values()))
        request = next((one for owner, one in reversed(_requests.get()) if owner is self), None)
        request = Request(None, (), {}) if request is None else request
        ids = [prediction_id_at(at) for _ in range(count)]
        request.prediction_ids += ids
        entities = self._guarded(_entities, request.entity_ids, count)
        said = {
            "event_time": _EPOCH + timedelta(microseconds=at),
            "request_id": request.request_id,
            **request.fields,
            **said,
        }
        for output, its in answers.items():
            for place, answer in enumerate(its):
                event: dict[str, Any] = {**said, **answer, "output": output, "item_index": place}
                if entities is not None:
                    event["entity_id"] = entities[place]
                if rows is not None:
                    event["features"] = rows[place]
                self._say_one(ids[place], event)
                if self._batch and place % CHUNK_ROWS == CHUNK_ROWS - 1:
                    self._log.flush()

    def _say_one(self, its_id: str, event: dict[str, Any]) -> None:
        """Say one event, without the fields of which the call says that they do not fit."""
        while True:
            try:
                self._log.prediction(prediction_id=its_id, **event)
            except InvalidEvent as error:
                if self._strict or error.field not in event:
                    raise
                self._complain(f"field {error.field}", error)
                del event[error.field]
            else:
                return

    def _guarded(self, step: Callable[..., Any], *args: Any) -> Any:
        """What a step of the logging returns; None if it fails, as a service must not."""
        try:
            return step(*args)
        except Exception as error:
            if self._strict:
                raise
            self._complain(step.__name__, error)
            return None

    def _complain(self, kind: str, error: Exception) -> None:
        # only our own errors are known to carry no payload
        why = f": {error}" if isinstance(error, HindcastError) else ""
        self._complaints.say(
            f"logged {kind}",
            f"predictions of {type(self.unlogged).__name__} are logged in part: {type(error).__name__}{why}",
        )


def _check_values(fields: Mapping[str, Any]) -> None:
    """Find what does not fit where it is written: left out of every row, it would file them under what was not said."""
    for name in ("model_version", "environment"):
        if fields.get(name) is not None:
            text(name, fields[name])
    for name in ("target_time", "known_at"):
        optional_micros(name, fields.get(name))
    rate("sampling_rate", fields.get("sampling_rate", 1.0))
    boolean("served", fields.get("served", True))


def _entities(given: Sequence[object], count: int) -> Sequence[object] | None:
    if len(given) not in {0, count}:
        raise InvalidEvent("entity_ids", f"{len(given)} for {count} rows")
    return given or None
