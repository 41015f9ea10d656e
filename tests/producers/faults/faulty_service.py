"""A service as the fault tests run it: it says predictions without pause, and tells what it was told of each.

Its standard output has one line per event whose fate the logger reported: ``<outcome> <prediction id>``, written whole, so
that a killed service has told exactly what it had heard. How many events were accepted stands in a shared file.
"""

from __future__ import annotations

import mmap
import os
import struct
import threading
import time
from functools import partial
from pathlib import Path

from producers import sender
from producers.channel import Channel
from producers.events import prediction_record
from producers.kafka_sink import KafkaSink
from producers.limits import Limits
from producers.settings import KafkaSettings
from producers.spool import Spool

# what may wait in it is little, so that what its ledger says of itself is a narrow bound
QUEUE, CLIENT_QUEUE = 400, 200
PROPERTIES = {"delivery.timeout.ms": "1000", "queue.buffering.max.messages": str(CLIENT_QUEUE)}
THREADS = 2
COUNT = struct.Struct("=q")
EVENTS = 25
PAUSE_S = 0.01


def model_of(number: int) -> str:
    """The model of this service's events: each has one of its own, and so an account of its own."""
    return f"m{number}"


def tell(prediction_id: str, outcome: str) -> None:
    """A line, written at once."""
    os.write(1, f"{outcome} {prediction_id}\n".encode())


def channel_of(spool: Path) -> Channel:
    """The way out that a PredictionLogger has, whose every event may say what becomes of it."""
    settings = KafkaSettings.from_environment(os.environ)
    settings = KafkaSettings(settings.bootstrap, settings.topic_prefix, properties=PROPERTIES)
    return Channel(KafkaSink(settings), None, Limits(events=QUEUE), spool=Spool(spool))


def say(channel: Channel, number: int, name: str) -> str | None:
    """Say one event of a service; returns why it was dropped at once, or None."""
    now = time.time_ns() // 1000
    record = prediction_record(
        prediction_id=name,
        model=model_of(number),
        model_version="1",
        environment="production",
        event_time=now,
        features={"x": 0.5, "airport": "JFK"},
    )
    return channel.say_record("predictions", record, time=now, settled=partial(tell, name))


def serve(spool: str, number: int, counts: str) -> None:
    """Say events on several threads until the end comes from outside."""
    sender.LEDGER_S = 0.3  # a life of a second or two has several ledgers
    with Path(counts).open("r+b") as file:
        shared = mmap.mmap(file.fileno(), THREADS * COUNT.size)
    channel = channel_of(Path(spool))
    tell(channel.intake().producer_id, "producer")
    threads = [
        threading.Thread(target=_traffic, args=(channel, number, thread, shared)) for thread in range(THREADS)
    ]
    for one in threads:
        one.start()
    for one in threads:
        one.join()


def _traffic(channel: Channel, number: int, thread: int, shared: mmap.mmap) -> None:
    never, accepted, said = threading.Event(), 0, 0
    while True:
        for _ in range(EVENTS):
            refused = say(channel, number, f"{number}-{thread}-{said}")
            said += 1
            # after the call: what is counted was surely taken
            accepted += refused is None
            COUNT.pack_into(shared, thread * COUNT.size, accepted)
        never.wait(PAUSE_S)


def finish(spool: str, number: int) -> None:
    """Say some events, send all that lies in the spool, and end as a service should."""
    channel = channel_of(Path(spool))
    tell(channel.intake().producer_id, "producer")
    for place in range(100):
        say(channel, number, f"{number}-0-{place}")
    empty = threading.Event()
    while any(Path(spool).iterdir()):
        empty.wait(0.1)
    assert channel.close(30) == 0
