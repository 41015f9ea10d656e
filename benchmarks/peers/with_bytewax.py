"""The profiling job in Bytewax: events keyed by model, version and so on, folded in windows of event time; run by ``python -m bytewax.run``.

``flow`` folds a window's events in the order of their times, which is the framework's default and what its documentation shows; the job does
not need it, and ``unordered`` spares it.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import bytewax.operators as op
import bytewax.operators.windowing as win
from bytewax.connectors.kafka import KafkaSinkMessage, KafkaSourceMessage
from bytewax.connectors.kafka import operators as kop
from bytewax.dataflow import Dataflow
from measuring import BROKER, PREDICTIONS, SKETCHES, Meter
from sketching import WINDOW_S, Event, Sketch, decoded, key_of

EPOCH = datetime.fromtimestamp(0, UTC)
meter = Meter()


def keyed(message: KafkaSourceMessage) -> tuple[str, Event]:
    """The event in a message, under all of its key but the window; Bytewax's keys are text."""
    meter.begin()
    event = decoded(message.value)
    return json.dumps(key_of(event)[:-1]), event


def event_time(event: Event) -> datetime:
    """When the prediction was made."""
    when: datetime = event["event_time"]
    return when


def counted(sketch: Sketch, event: Event) -> Sketch:
    """Count an event into its window's sketch."""
    sketch.count(event)
    meter.end()
    return sketch


def merged(sketch: Sketch, other: Sketch) -> Sketch:
    """Only session windows merge."""
    raise NotImplementedError


def message(closed: tuple[str, tuple[int, Sketch]]) -> KafkaSinkMessage:
    """The message of a window that has closed; windows are numbered from the epoch."""
    name, (number, sketch) = closed
    model, version, environment, served, sampling_rate = json.loads(name)
    key = model, version, environment, served, sampling_rate, number * WINDOW_S
    return KafkaSinkMessage(key=None, value=sketch.message(key))


def profile(*, ordered: bool) -> Dataflow:
    """From predictions to sketches; ``ordered``: every window's events are sorted by their time before they are folded."""
    flow = Dataflow("profile")
    read = kop.input("read", flow, brokers=[BROKER], topics=[PREDICTIONS], tail=False)
    events = op.map("decode", read.oks, keyed)
    clock = win.EventClock(event_time, wait_for_system_duration=timedelta(minutes=5))
    minutes = win.TumblingWindower(length=timedelta(seconds=WINDOW_S), align_to=EPOCH)
    windows = win.fold_window("count", events, clock, minutes, Sketch, counted, merged, ordered=ordered)
    kop.output("write", op.map("sketch", windows.down, message), brokers=[BROKER], topic=SKETCHES)
    return flow


flow = profile(ordered=True)
unordered = profile(ordered=False)
