"""What waits in a logger: how much of it, what gives way, and who waits for it."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from waiting import eventually

from producers import ConfigError, PredictionLogger
from producers.intake import Intake
from producers.limits import Limits
from producers.sender import TURN, Sender
from producers.testing import MemorySink

ROOT = Path(__file__).parents[2]


def test_a_full_queue_drops_the_newest_and_counts(sink: MemorySink) -> None:
    """While the log is away events wait up to the limit; what comes then is dropped, and the rest arrives in the end."""
    sink = MemorySink(capacity=5)
    sink.away = True
    log = PredictionLogger(model="m", sink=sink, queue_limit=10)
    for _ in range(100):
        log.prediction()
    stats = log.stats
    assert stats.accepted == 100
    assert stats.dropped["queue_full"] >= 100 - 10 - 5 - 16
    assert stats.waiting == 100 - stats.dropped["queue_full"]
    sink.away = False
    assert log.flush() == 0
    kept = [record["sequence"] for record in sink.records("predictions")]
    assert kept == list(range(len(kept)))
    assert len(kept) + log.stats.dropped["queue_full"] == 100
    log.close()


def test_a_long_loop_loses_nothing(log: PredictionLogger) -> None:
    """A loop that only says, 100,000 times, is taken whole by a healthy log, although it says faster than anybody sends."""
    features = {f"feature_{place}": float(place) for place in range(20)}
    for _ in range(100_000):
        log.prediction(features=features)
    assert log.flush() == 0
    assert (log.stats.delivered, log.stats.dropped) == (100_000, {})


def test_close_waits_while_events_are_delivered(monkeypatch: pytest.MonkeyPatch) -> None:
    """A close without a limit gives nothing up that a slow log still takes, however short the patience without progress."""
    monkeypatch.setattr("producers.channel.PATIENCE_S", 0.5)
    sink = MemorySink(capacity=20, pace=20)  # a tenth of a second each: seconds in all
    log = PredictionLogger(model="m", sink=sink)
    for _ in range(1_000):
        log.prediction()
    assert log.close() == 0
    assert (log.stats.delivered, log.stats.dropped) == (1_000, {})


def test_traffic_is_no_reason_to_go_on_flushing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A flush without a limit ends although other threads go on: it waits for what was said before, not after."""
    monkeypatch.setattr("producers.channel.PATIENCE_S", 0.2)
    sink = MemorySink(pace=1)  # which is never idle in this traffic
    log = PredictionLogger(model="m", sink=sink)
    stop = threading.Event()

    def traffic() -> None:
        while not stop.wait(0.001):
            for _ in range(5):
                log.prediction()

    running = threading.Thread(target=traffic)
    running.start()
    eventually(lambda: log.stats.delivered > 10, saying="traffic")
    log.flush()
    assert running.is_alive()
    stop.set()
    running.join()
    log.close(1)


def test_many_that_wait_are_sent_in_long_turns() -> None:
    """The sender keeps the interpreter for longer where thousands wait, or a busy thread would outrun it for ever."""

    class Counting(MemorySink):
        polls = 0

        def poll(self, seconds: float) -> None:
            self.polls += 1
            super().poll(seconds)

    sink, intake = Counting(), Intake("p", Limits(20_000))
    said = PredictionLogger(model="m", sink=sink)
    said._channel.intake = lambda: intake  # type: ignore[method-assign]  # nothing is taken before all is said
    for _ in range(10_000):
        said.prediction()
    sender = Sender(intake, sink, None)
    eventually(lambda: intake.delivered() == 10_000, within=60, saying="delivery")
    assert sink.polls < 10_000 / TURN / 4
    sender.close(1)


def test_a_sink_that_comes_back_gets_what_waited(log: PredictionLogger, sink: MemorySink) -> None:
    """What was said while the log was away arrives when it is back, without another call."""
    sink.away = True
    log.prediction()
    assert log.flush(0.05) == 1
    sink.away = False
    eventually(lambda: log.stats.delivered == 1, saying="delivery")


def test_the_oldest_may_give_way() -> None:
    """With drop="oldest" a full queue keeps what was said last, and counts what gave way."""
    sink = MemorySink(capacity=5)
    sink.away = True
    log = PredictionLogger(model="m", sink=sink, queue_limit=10, drop="oldest")
    for place in range(100):
        log.prediction(prediction_id=place)
    eventually(lambda: log.stats.waiting <= 10 + 5, saying="what is beyond the limit gave way")
    stats = log.stats
    assert stats.accepted == 100 == stats.waiting + stats.dropped["queue_full"]
    sink.away = False
    assert log.flush() == 0
    kept = [int(record["prediction_id"]) for record in sink.records("predictions")]
    assert kept == sorted(kept)
    # the first ones were with the sink already, which gives nothing back
    assert kept[-10:] == list(range(90, 100))
    log.close()


def test_what_waits_is_bounded_in_bytes() -> None:
    """Large events fill the queue by their size, long before their number does."""
    sink = MemorySink(capacity=1)
    sink.away = True
    log = PredictionLogger(model="m", sink=sink, queue_bytes=100_000)
    for _ in range(50):
        log.prediction(features={"text": "x" * 10_000})
        eventually(lambda: log._channel.intake().queued() == 0, saying="the sender has taken it")
    assert 35 <= log.stats.dropped["queue_full"] <= 45
    assert log.stats.waiting == 50 - log.stats.dropped["queue_full"]
    sink.away = False
    assert log.flush() == 0
    log.close()


@pytest.mark.parametrize("bad", [{"queue_limit": 0}, {"queue_bytes": 0}, {"drop": "none"}], ids=str)
def test_bounds_that_are_none_are_refused(sink: MemorySink, bad: dict[str, Any]) -> None:
    """A queue has room for one event at least, and drops the newest or the oldest."""
    with pytest.raises(ConfigError):
        PredictionLogger(model="m", sink=sink, **bad)


def test_only_what_is_handed_on_has_a_number(log: PredictionLogger, sink: MemorySink) -> None:
    """What is invalid leaves no gap in the sequence, so that a gap is a loss on the way."""
    for place in range(10):
        log.prediction(features={"x": [1]} if place % 2 else {"x": 1.0})
    assert log.flush() == 0
    assert [record["sequence"] for record in sink.records("predictions")] == [0, 1, 2, 3, 4]
    assert log.stats.dropped == {"invalid": 5}


def test_ledgers_that_did_not_arrive_are_followed_by_others() -> None:
    """What lost ledgers had to say is said again, of every hour, although nothing has changed since."""
    sink = MemorySink()
    sink.refuse = {"ledger": "_MSG_TIMED_OUT"}
    log = PredictionLogger(model="m", sink=sink)
    for hour in (10, 11):
        log.prediction(event_time=datetime(2024, 9, 9, hour, tzinfo=UTC))
    assert log.flush() == 0
    assert sink.records("ledger") == []
    sink.refuse = {}

    def told() -> bool:
        log.flush()
        return sorted(row["hour"].hour for row in sink.records("ledger")) == [10, 11]

    eventually(told, saying="both ledgers")
    log.close()


def test_the_ledger_is_sent_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without flush and close a ledger says what changed, and later, when nothing did, that the producer lives."""
    monkeypatch.setattr("producers.sender.LEDGER_S", 0.05)
    monkeypatch.setattr("producers.sender.SIGN_OF_LIFE_S", 0.2)
    sink = MemorySink()
    log = PredictionLogger(model="m", sink=sink)
    log.prediction()
    eventually(lambda: any(row["delivered"] == 1 for row in sink.records("ledger")), saying="a ledger")
    before = len(sink.records("ledger"))
    eventually(lambda: len(sink.records("ledger")) >= before + 3, saying="signs of life")
    (only,) = {
        (row["accepted"], row["delivered"], row["queue_limit"]) for row in sink.records("ledger")[before:]
    }
    assert only == (1, 1, 200_000)
    log.close()


def test_an_event_loop_is_not_held_up_by_the_end() -> None:
    """`aclose` waits for a slow log while other tasks go on, and an `async with` ends with it."""
    sink = MemorySink(capacity=20, pace=20)
    turns = 0

    async def serve() -> None:
        nonlocal turns
        async with PredictionLogger(model="m", sink=sink) as log:
            for _ in range(1_000):
                log.prediction()
            closing = asyncio.create_task(log.aclose())
            while not closing.done():
                turns += 1
                await asyncio.sleep(0.01)
            assert await closing == 0

    asyncio.run(serve())
    assert len(sink.records("predictions")) == 1_000
    assert turns > 5


SERVICE = """
import sys, threading, time
from producers import PredictionLogger
from producers.testing import MemorySink

{before}
sink = MemorySink()
log = PredictionLogger(model="m", sink=sink)
log.prediction()
send = sink.close
sink.close = lambda: print(len(sink.records("predictions")), [row["closing"] for row in sink.records("ledger")], flush=True) or send()
threading.Timer(0.2, print, ("ready",), {{"flush": True}}).start()
{after}
time.sleep(600)
"""


def _terminated(before: str = "", after: str = "") -> tuple[int, str]:
    """Exit code and output of a service that gets SIGTERM after its first prediction."""
    service = subprocess.Popen(
        [sys.executable, "-c", SERVICE.format(before=before, after=after)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert service.stdout is not None
    assert service.stdout.readline() == "ready\n"
    service.send_signal(signal.SIGTERM)
    output, _ = service.communicate(timeout=60)
    return service.returncode, output


def test_sigterm_flushes_and_ends_the_process_as_before() -> None:
    """A plain service that gets SIGTERM sends what waits and its last ledger, and dies of the signal."""
    assert _terminated() == (-signal.SIGTERM, "1 [True]\n")


def test_sigterm_flushes_whatever_it_interrupts() -> None:
    """The signal comes while the main thread holds the lock of the counts, closes the logger itself, or comes to its end because of it: all is sent all the same."""
    assert _terminated(after="while True: log.stats") == (-signal.SIGTERM, "1 [True]\n")
    slow = "poll = sink.poll; sink.away = True; sink.poll = lambda s: (setattr(sink, 'away', time.monotonic() < late), poll(s))"
    closing = f"late = time.monotonic() + 2; {slow}; log.prediction(); log.close()"
    assert _terminated(after=closing) == (-signal.SIGTERM, "2 [True]\n")
    ends = "import signal; signal.pause(); sys.exit(0)"
    assert _terminated(after=ends) == (-signal.SIGTERM, "1 [True]\n")


def test_a_services_own_handler_is_left_alone() -> None:
    """Where the service handles SIGTERM itself its handler is called, and its exit closes the logger."""
    handler = "import signal; signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))"
    assert _terminated(handler) == (7, "1 [True]\n")
    ignored = "import signal, threading, os; signal.signal(signal.SIGTERM, signal.SIG_IGN); threading.Timer(1, lambda: os._exit(3)).start()"
    assert _terminated(ignored) == (3, "")


def test_a_fork_that_meets_a_broken_sink_leaves_the_sender_alive() -> None:
    """The sink fails while a fork waits for it: the fork goes on, and so does the thread that sends what comes next."""
    sink = MemorySink()
    log = PredictionLogger(model="m", sink=sink)
    log.prediction()
    assert log.flush(10) == 0
    close, failures = sink.close, [OSError("broken")]

    def broken() -> None:
        if failures:
            raise failures.pop()
        close()

    sink.close = broken  # type: ignore[method-assign]  # what a destructor of a client might do
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    assert not failures
    log.prediction()
    assert log.close(10) == 0
    assert len(sink.records("predictions")) == 2
