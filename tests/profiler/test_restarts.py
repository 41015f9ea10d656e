"""Kills, restarts, rebalances: nothing lost, nothing counted twice."""

from __future__ import annotations

import json
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from profiled_log import SketchLog, assert_categorical, assert_numeric, numbered, send, writers
from profiler_process import profiler_process
from running_profiler import all_read, running_profiler
from waiting import eventually

from producers.settings import KafkaSettings
from stream_processors.kafka import transactional_producer
from stream_processors.profiler.session import FlushRule, Session
from stream_processors.settings import ProcessorSettings
from stream_processors.status import StatusFile

Events = list[dict[str, Any]]


def assert_all_counted(log: SketchLog, events: Events) -> None:
    """Stretches tile, deltas add up to them, and the columns are those of all events."""
    log.check_tiling()
    whole = log.whole()
    assert whole.events == len(events)
    assert_numeric(whole.numeric("age"), [one["numeric_features"]["age"] for one in events])
    assert_categorical(whole.categorical("city"), [one["categorical_features"]["city"] for one in events])


def test_restart_goes_on(settings: KafkaSettings) -> None:
    """A profiler that is stopped and started again goes on where it was."""
    events = numbered(900)
    for part in (events[:300], events[300:600], events[600:]):
        send(settings, part)
        with running_profiler(settings):
            log = all_read(settings)
    assert_all_counted(log, events)


def test_tiny_flushes(settings: KafkaSettings) -> None:
    """Flushing after every batch or after very few entries gives the same sums."""
    events = numbered(500)
    send(settings, events)
    with running_profiler(settings, rule=FlushRule(interval=60, events=1, held=50)):
        log = all_read(settings)
    assert_all_counted(log, events)


def heartbeat(directory: Path) -> dict[str, Any]:
    """What the profiler says of itself; "not yet" is an assertion."""
    path = directory / "profiler-0.json"
    assert path.exists()
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def test_two_profilers_share(settings: KafkaSettings) -> None:
    """A second profiler takes partitions over while events flow, gives them back when it goes, and nothing is counted twice."""
    events = numbered(3_000)
    with running_profiler(settings):
        send(settings, events[:1000])
        eventually(lambda: SketchLog.of(settings).events() > 0, within=30)
        with running_profiler(settings, slot="1"):
            eventually(lambda: "profiler-1" in writers(SketchLog.of(settings)), within=40)
            send(settings, events[1000:2000])
            all_read(settings)
        send(settings, events[2000:])
        log = all_read(settings)
    assert_all_counted(log, events)


def test_zombie(settings: KafkaSettings) -> None:
    """A profiler that stood still while a successor took its place counts nothing twice when it wakes up; one of the two ends."""
    events = numbered(2_000)
    with profiler_process(settings) as zombie:
        send(settings, events[:500])
        eventually(lambda: SketchLog.of(settings).events() > 0, within=30)
        send(settings, events[500:1000])
        zombie.send_signal(signal.SIGSTOP)
        with profiler_process(settings) as successor:
            log = all_read(settings)
            zombie.send_signal(signal.SIGCONT)
            send(settings, events[1000:])
            log = all_read(settings)
            eventually(lambda: {zombie.poll(), successor.poll()} == {None, 2}, within=90)
    assert_all_counted(log, events)


def test_aborted_transaction(settings: KafkaSettings) -> None:
    """A flush that the broker refuses, because another producer took the name, counts nothing; the next session counts all."""
    events = numbered(400)
    send(settings, events)
    stop = threading.Event()
    wanted = ProcessorSettings(kafka=settings, flush_interval=60)
    status = StatusFile("profiler", "0", None)

    def flush_by_a_fenced_session() -> None:
        with Session(wanted, status, stop) as session:
            while status.heartbeat.events < len(events):
                session.step()
            transactional_producer(settings, settings.topic("profiler-0")).init_transactions(10)
            stop.set()
            session.run()

    with pytest.raises(Exception, match="runs with this slot"):
        flush_by_a_fenced_session()
    assert SketchLog.of(settings).deltas == []
    with running_profiler(settings):
        log = all_read(settings)
    assert_all_counted(log, events)


def test_graceful_stop(settings: KafkaSettings, tmp_path: Path) -> None:
    """SIGTERM ends the profiler within two seconds, with everything it had read committed."""
    events = numbered(300)
    with profiler_process(settings, status=tmp_path, flush_interval=60) as process:
        send(settings, events)

        def read() -> None:
            assert heartbeat(tmp_path)["events"] == len(events)

        eventually(read, within=30)
        assert SketchLog.of(settings).deltas == []
        asked = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
        took = time.monotonic() - asked
    assert_all_counted(SketchLog.of(settings), events)
    assert took < 2


def test_heartbeat(settings: KafkaSettings, tmp_path: Path) -> None:
    """The heartbeat says positions and lag of every partition."""
    send(settings, numbered(50))
    with profiler_process(settings, status=tmp_path):

        def caught_up() -> None:
            beat = heartbeat(tmp_path)
            topic = settings.topic("predictions")
            assert set(beat["positions"]) == {f"{topic}-{partition}" for partition in range(3)}
            assert sum(beat["positions"].values()) == 50
            assert set(beat["lag"].values()) == {0}
            assert beat["last_error"] == ""

        eventually(caught_up, within=30)


def test_broker_that_is_not_there(tmp_path: Path) -> None:
    """Without a broker the profiler lives, says so, and still stops at once."""
    nowhere = KafkaSettings(bootstrap="127.0.0.1:1")
    with profiler_process(nowhere, status=tmp_path) as process:

        def said() -> None:
            beat = heartbeat(tmp_path)
            assert "127.0.0.1:1" in beat["last_error"]

        eventually(said, within=30)
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0


def test_bad_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    """A setting that cannot be is one line, and exit code 2."""
    monkeypatch.setenv("HINDCAST_QUALITY_INTERVAL", "soon")
    with profiler_process(KafkaSettings()) as process:
        _, said = process.communicate(timeout=30)
    assert process.returncode == 2
    assert said.strip().splitlines() == ["profiler: HINDCAST_QUALITY_INTERVAL is 'soon': a number is wanted"]
