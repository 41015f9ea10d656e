"""Services whose Kafka never answers, as processes of the tests of full disks and of the interpreter's end."""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
import threading
import time
from pathlib import Path

from producers import KafkaSettings, PredictionLogger
from producers.spool import Spool

NOBODY = "127.0.0.1:1"
KILOBYTE = "x" * 1_000


def logger(spool: str, queue: int) -> PredictionLogger:
    """A logger of a service whose Kafka is not there, and whose client takes little and gives it back soon."""
    properties = {"delivery.timeout.ms": "300", "queue.buffering.max.messages": "100"}
    settings = KafkaSettings(NOBODY, properties=properties)
    return PredictionLogger(model="m", kafka=settings, queue_limit=queue, spool=spool)


def report(log: PredictionLogger, **more: object) -> None:
    """The logger's counts and more, on one line."""
    stats = log.stats
    counts = {
        name: getattr(stats, name)
        for name in ("accepted", "delivered", "failed", "dropped", "waiting", "spooled")
    }
    os.write(1, (json.dumps({**counts, **more, "at": time.time()}) + "\n").encode())


def meet_full_file(directory: str) -> None:
    """Say events where no file may have more than some bytes, and end."""
    # nor may a module that is loaded from now on be kept compiled, which Python does not notice was cut short
    sys.dont_write_bytecode = True
    resource.setrlimit(resource.RLIMIT_FSIZE, (500, resource.RLIM_INFINITY))
    log = logger(directory, 1_000)
    said = [log.prediction(features={"n": number}) for number in range(5_000)]
    log.close(5)
    report(log, calls=len(said))


def meet_full_disk(directory: str) -> None:
    """Say events until the disk has been full for a while, and end."""
    log, calls, pause = logger(f"{directory}/spool", 1_000), 0, threading.Event()
    while not log.stats.spooled or not log.stats.dropped:
        for _ in range(100):
            log.prediction(features={"text": KILOBYTE})
            calls += 1
        pause.wait(0.01)
    log.close(5)
    spool, kept = Spool(Path(directory) / "spool"), 0
    while (segment := spool.claim()) is not None:
        kept += sum(message.stream == "predictions" for message in segment.messages())
        segment.done()
    report(log, calls=calls, on_disk=kept)


def end_full(spool: str) -> None:
    """Fill the queue until an event finds no room, and come to the end with all that was taken."""
    log = PredictionLogger(model="m", kafka=KafkaSettings(NOBODY), spool=spool)
    calls = 0
    while not log.stats.dropped:
        for _ in range(1_000):
            log.prediction(features={"n": calls})
            calls += 1
    report(log, taken=calls - log.stats.dropped["queue_full"])


def end_interrupted(spool: str) -> None:
    """Come to the end with events that wait, and be told in the middle of it to end, by a handler that raises as many services' do."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    log = PredictionLogger(model="m", kafka=KafkaSettings(NOBODY), spool=spool)
    for number in range(1_000):
        log.prediction(features={"n": number})
    report(log, taken=1_000)
    # a daemon: what is no daemon is waited for before the end
    told = threading.Timer(1.0, os.kill, (os.getpid(), signal.SIGTERM))
    told.daemon = True
    told.start()
