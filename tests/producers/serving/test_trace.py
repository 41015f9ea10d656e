"""The trace of a prediction, with the real OpenTelemetry and without it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from opentelemetry import trace
from opentelemetry.propagate import inject
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

from producers import Logged, PredictionLogger
from producers.testing import MemorySink
from producers.trace import NO_TRACE, current_trace, trace_of

ROOT = Path(__file__).parents[3]
TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@pytest.fixture
def tracer() -> Iterator[trace.Tracer]:
    """A tracer of the real SDK."""
    provider = TracerProvider()
    yield provider.get_tracer("service")
    provider.shutdown()


def test_the_current_span_is_found(tracer: trace.Tracer) -> None:
    """Inside a span its trace and itself are named, in the digits that OpenTelemetry would write; outside there is none."""
    assert current_trace() == NO_TRACE
    with tracer.start_as_current_span("request") as outer:
        with tracer.start_as_current_span("model") as inner:
            assert current_trace() == (
                trace.format_trace_id(outer.get_span_context().trace_id),
                trace.format_span_id(inner.get_span_context().span_id),
            )
        assert current_trace()[1] == trace.format_span_id(outer.get_span_context().span_id)
    assert current_trace() == NO_TRACE


def test_small_numbers_keep_their_zeros() -> None:
    """An id that begins with zeros has all of its digits."""
    context = trace.SpanContext(trace_id=0xAB, span_id=0xC, is_remote=True)
    with trace.use_span(trace.NonRecordingSpan(context)):
        assert current_trace() == ("ab".zfill(32), "c".zfill(16))


def test_an_invalid_context_is_no_trace() -> None:
    """A span without an id names nothing."""
    with trace.use_span(trace.NonRecordingSpan(trace.SpanContext(trace_id=0, span_id=7, is_remote=True))):
        assert current_trace() == NO_TRACE


def test_a_span_that_is_not_sampled_is_named_too() -> None:
    """Logs of the service carry the ids whether the span is exported or not, so a prediction does."""
    with TracerProvider(sampler=ALWAYS_OFF).get_tracer("service").start_as_current_span("request") as span:
        assert not span.is_recording()
        assert current_trace()[0] == trace.format_trace_id(span.get_span_context().trace_id)


def test_a_prediction_names_the_span_it_was_made_in(tracer: trace.Tracer) -> None:
    """Said plainly, timed or by a model, a prediction has the ids of its span; what the caller states counts, and outside there are none."""

    class Model:
        def predict(self, rows: list[float]) -> list[float]:
            return rows

    sink = MemorySink()
    with PredictionLogger(model="m", sink=sink) as log:
        with tracer.start_as_current_span("request"):
            here = current_trace()
            log.prediction()
            with log.timed(), tracer.start_as_current_span("model"):
                pass
            Logged(Model(), log).predict([0.5])
            log.prediction(trace_id=TRACE, span_id=SPAN)
        log.prediction()
    said = [(event["trace_id"], event["span_id"]) for event in sink.records("predictions")]
    assert said == [here, here, here, (TRACE, SPAN), NO_TRACE]
    assert None not in here


def test_opentelemetry_is_not_imported() -> None:
    """A service without OpenTelemetry does not get it by asking."""
    program = (
        "import sys; from producers.trace import current_trace; print(current_trace());"
        "print([name for name in sys.modules if name.startswith('opentelemetry')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.split("\n")[:2] == ["(None, None)", "[]"]


def test_a_half_imported_api_is_no_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    """While another thread imports OpenTelemetry its module is there, and empty."""
    monkeypatch.setitem(sys.modules, "opentelemetry.trace", ModuleType("opentelemetry.trace"))
    assert current_trace() == NO_TRACE


def test_a_header_names_the_callers_span(tracer: trace.Tracer) -> None:
    """The header that OpenTelemetry sends is read as what it was made from."""
    with tracer.start_as_current_span("caller"):
        headers: dict[str, str] = {}
        inject(headers)
        assert trace_of(headers["traceparent"]) == current_trace()
    assert trace_of(f"00-{TRACE}-{SPAN}-00") == (TRACE, SPAN)
    assert trace_of(f"01-{TRACE}-{SPAN}-01-what-comes-later") == (TRACE, SPAN)


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "garbage",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}",
        f"00-{TRACE[:-1]}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-01-more",
    ],
)
def test_a_header_that_is_none_names_nothing(header: str | None) -> None:
    """What W3C Trace Context calls invalid is ignored, as it asks."""
    assert trace_of(header) == NO_TRACE
