"""W3C trace context: which trace a prediction was made in, from OpenTelemetry where the service has it, or from a header."""

from __future__ import annotations

import re
import sys

Trace = tuple[str | None, str | None]
"""trace_id in 32 and span_id in 16 lowercase hex digits, or None twice."""

NO_TRACE: Trace = (None, None)
OPENTELEMETRY = "opentelemetry.trace"
# version, trace id, parent id, flags; what a later version appends is left alone (W3C Trace Context, section 3.2)
_TRACEPARENT = re.compile(r"\s*([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(-.*)?\s*")
_NO_VERSION = "ff"
_FIRST_VERSION = "00"


def current_trace() -> Trace:
    """The span that is current in this context, sampled or not; `NO_TRACE` without one.

    Asks OpenTelemetry only if the service has imported it, and never imports it itself. Never raises.
    """
    api = sys.modules.get(OPENTELEMETRY)
    if api is None:
        return NO_TRACE
    try:
        context = api.get_current_span().get_span_context()
        if not context.is_valid:
            return NO_TRACE
        # twice as fast as formatting the numbers with 032x
        return context.trace_id.to_bytes(16).hex(), context.span_id.to_bytes(8).hex()
    except Exception:  # noqa: BLE001 - half imported by another thread, or replaced: a prediction goes without its trace
        return NO_TRACE


def trace_of(traceparent: str | None) -> Trace:
    """The caller's span, from the header ``traceparent`` of its request; `NO_TRACE` where that is missing or not one.

    For a service without OpenTelemetry, whose callers have it.
    """
    found = _TRACEPARENT.fullmatch(traceparent or "")
    if found is None:
        return NO_TRACE
    version, trace_id, span_id, more = found.groups()
    if version == _NO_VERSION or (version == _FIRST_VERSION and more is not None):
        return NO_TRACE
    return NO_TRACE if not int(trace_id, 16) or not int(span_id, 16) else (trace_id, span_id)
