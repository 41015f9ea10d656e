"""A prediction while it is being made: timed, said when it is over, and said as a failure when it fails."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from producers.ids import prediction_id_at
from producers.values import identifier, micros

if TYPE_CHECKING:
    from producers.logger import PredictionLogger

FAILED = "error"
CANCELLED = "cancelled"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_UNNAMED = {"builtins", "__main__"}


def failure_of(error: BaseException) -> tuple[str, str]:
    """Status and error of an event whose prediction ended with this exception: its class by its full name, never its message.

    The status is ``error`` for an `Exception`. Everything else (a cancelled task, a closed generator, Ctrl-C, the end of the
    interpreter) is nobody's mistake: ``cancelled``.
    """
    kind = type(error)
    name = kind.__qualname__ if kind.__module__ in _UNNAMED else f"{kind.__module__}.{kind.__qualname__}"
    return (FAILED if isinstance(error, Exception) else CANCELLED), name


class PredictionFields:
    """What `PredictionLogger.prediction` takes besides id and event time, with its names and its defaults."""

    features: Mapping[str, object] | None = None
    score: object = None
    decision: object = None
    output: str = ""
    request_id: object = None
    item_index: int | None = None
    rank: int | None = None
    entity_id: object = None
    served: bool = True
    target_time: datetime | None = None
    probabilities: Mapping[str, object] | None = None
    quantiles: Mapping[str, object] | None = None
    segments: Mapping[str, object] | None = None
    status: str = "ok"
    error: str | None = None
    latency_ms: float | None = None
    sampling_rate: float = 1.0
    trace_id: str | None = None
    span_id: str | None = None
    known_at: datetime | None = None
    model_version: str | None = None
    environment: str | None = None


FIELDS = frozenset(PredictionFields.__annotations__)


def check_names(fields: Collection[str]) -> None:
    """Find a misspelt field where it is written.

    Raises:
        TypeError: a name that is no field of a prediction.
    """
    unknown = sorted(set(fields) - FIELDS)
    if unknown:
        raise TypeError(f"a prediction has no field {', '.join(unknown)}")


class TimedPrediction(PredictionFields):
    """A context manager around one prediction, which is said once, at its end.

    ::

        with log.timed(features=features, entity_id="customer-17") as event:
            event.score = model(features)
            event.decision = "stay" if event.score < 0.5 else "leave"
        answer(event.prediction_id)

    Inside, the fields may be set, and a name that is no field is an AttributeError. ``latency_ms`` is the time from entry to
    exit, whatever happens between (in a coroutine also what it awaits and other tasks do meanwhile), unless it is set. The
    event's time is that of the call of `timed`, so the id, which is made from it, is known before the prediction.

    An exception passes, whatever it is; the event then has the status and error of `failure_of` unless others were set. What
    does not fit raises `InvalidEvent` at the exit, as `prediction` does; where the block failed already, its exception passes
    and the event is said without what was set.

    Args:
        log: says the event.
        clock: nanoseconds since 1970.
        prediction_id: the caller's; None makes one.
        event_time: None: now.
        fields: as `PredictionFields`.

    Raises:
        InvalidEvent: a prediction_id or event_time that does not fit.
        TypeError: a field that there is not.
    """

    # what is said stands in the instance's dictionary, and nothing else
    __slots__ = ("_began", "_event_time", "_log", "_prediction_id")
    _log: PredictionLogger
    _began: Any  # None before the entry, then nanoseconds
    _event_time: datetime
    _prediction_id: str

    def __init__(
        self,
        log: PredictionLogger,
        clock: Callable[[], int] = time.time_ns,
        *,
        prediction_id: object = None,
        event_time: datetime | None = None,
        **fields: Any,
    ) -> None:
        if not fields.keys() <= FIELDS:
            check_names(fields)
        at = clock() // 1000 if event_time is None else micros("event_time", event_time)
        keep = object.__setattr__
        keep(self, "_log", log)
        keep(self, "_began", None)
        keep(self, "_event_time", _EPOCH + timedelta(microseconds=at))
        its_id = prediction_id_at(at) if prediction_id is None else identifier("prediction_id", prediction_id)
        keep(self, "_prediction_id", its_id)
        self.__dict__.update(fields)

    def __setattr__(self, name: str, value: object) -> None:
        if name not in FIELDS:
            raise AttributeError(f"a prediction has no field {name} that can be set")
        self.__dict__[name] = value

    @property
    def prediction_id(self) -> str:
        """The event's id, which its label will name."""
        return self._prediction_id

    @property
    def event_time(self) -> datetime:
        """When the prediction was asked for."""
        return self._event_time

    def __enter__(self) -> Self:
        if self._began is not None:
            raise RuntimeError("a timed prediction is one prediction: call timed() for each")
        object.__setattr__(self, "_began", time.perf_counter_ns())
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _place: TracebackType | None
    ) -> None:
        if self.latency_ms is None:
            self.latency_ms = (time.perf_counter_ns() - self._began) / 1e6
        if error is None:
            self._say(self.__dict__)
            return
        status, name = failure_of(error)
        self.status = status if self.status == "ok" else self.status
        self.error = name if self.error is None else self.error
        # nothing that is wrong with the event may hide what went wrong with the prediction
        try:
            self._say(self.__dict__)
        except Exception:  # noqa: BLE001 - the reason is above
            with contextlib.suppress(Exception):
                self._say({"status": status, "error": name})

    def _say(self, said: dict[str, Any]) -> None:
        self._log.prediction(prediction_id=self._prediction_id, event_time=self._event_time, **said)
