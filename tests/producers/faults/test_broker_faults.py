"""The broker stopped, started and held still under a service that logs: what arrived, what waits on disk and what was lost is known."""

from __future__ import annotations

import faulthandler
import gc
import os
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from own_kafka import OwnKafka
from waiting import eventually

from producers import PredictionLogger
from producers.channel import Channel
from producers.codec import decode
from producers.events import prediction_record
from producers.kafka_sink import KafkaSink
from producers.limits import Limits
from producers.settings import KafkaSettings
from stream_processors.kafka import Message

ReadAll = Callable[[str], list[Message]]
# what librdkafka waits for an acknowledgement: no test should wait for two minutes
IMPATIENT = {"delivery.timeout.ms": "1500"}
PAUSE_S = 0.002


def records(messages: list[Message]) -> list[dict[str, Any]]:
    """The decoded values."""
    return [decode(message.value())[1] for message in messages]


def ids(read_all: ReadAll) -> Counter[str]:
    """Prediction ids in the log, with how often each is there."""
    return Counter(record["prediction_id"] for record in records(read_all("predictions")))


@contextmanager
def traffic(say: Callable[[], object]) -> Iterator[None]:
    """Say events on a thread of their own for as long as the context lasts."""
    ended = threading.Event()

    def flow() -> None:
        while not ended.wait(PAUSE_S):
            say()

    thread = threading.Thread(target=flow)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def test_a_broker_that_stops_and_starts_loses_nothing_of_a_spool(
    settings: KafkaSettings, own_kafka: OwnKafka, read_all: ReadAll, tmp_path: Path
) -> None:
    """With a spool every event is in the log once Kafka is back, and each is counted as delivered or as spooled and replayed."""
    log = PredictionLogger(model="m", kafka=replace(settings, properties=IMPATIENT), spool=tmp_path / "spool")
    said: list[str] = []
    with traffic(lambda: said.append(log.prediction(score=0.5))):
        eventually(lambda: log.stats.delivered > 50, saying="traffic")
        own_kafka.stop()
        eventually(lambda: log.stats.spooled > 50, saying="events on disk")
        own_kafka.start()
        eventually(lambda: log.stats.replayed > 50, saying="events from the disk")
        delivered = log.stats.delivered
        eventually(lambda: log.stats.delivered > delivered + 50, saying="traffic again")
    eventually(lambda: log.stats.replayed == log.stats.spooled, saying="all from the disk")
    assert log.close(30) == 0
    stats = log.stats
    assert stats.accepted == len(said) == stats.delivered + stats.spooled
    assert (stats.dropped, stats.failed) == ({}, 0)
    # what was under way when Kafka stopped may be there twice: the record takes it once
    assert ids(read_all).keys() == set(said)


def test_what_a_broker_that_stops_and_starts_loses_is_counted(
    settings: KafkaSettings, own_kafka: OwnKafka, read_all: ReadAll
) -> None:
    """Without a spool accepted = arrived + dropped + failed, event by event; only what failed by time may have arrived all the same."""
    properties = {**IMPATIENT, "queue.buffering.max.messages": "100"}
    channel = Channel(KafkaSink(replace(settings, properties=properties)), None, Limits(events=100))
    told: dict[str, list[str]] = {}
    refused: Counter[str] = Counter()

    def say() -> None:
        name = f"p{len(told) + refused.total()}"
        outcomes: list[str] = []
        record = prediction_record(
            prediction_id=name, model="m", model_version="1", environment="e", event_time=0, features={}
        )
        at_once = channel.say_record("predictions", record, time=0, settled=outcomes.append)
        if at_once is None:
            told[name] = outcomes
        else:
            refused[at_once] += 1

    with traffic(say):
        eventually(lambda: channel.stats().delivered > 50, saying="traffic")
        own_kafka.stop()
        eventually(lambda: channel.stats().failed > 50, saying="failures")
        eventually(lambda: refused["queue_full"] > 50, saying="a full queue")
        own_kafka.start()
        delivered = channel.stats().delivered
        eventually(lambda: channel.stats().delivered > delivered + 50, saying="traffic again")
    assert channel.close(30) == 0
    arrived, stats = ids(read_all), channel.stats()
    assert all(len(outcomes) == 1 for outcomes in told.values())
    fates = Counter(outcomes[0] for outcomes in told.values()) + refused
    assert stats.accepted == fates.total() == len(told) + refused.total()
    assert fates == {"delivered": stats.delivered, **stats.dropped, **(stats.failures or {})}
    assert {name for name in told if told[name] == ["delivered"]} <= arrived.keys() <= told.keys()
    all_the_same = {name for name in told if told[name] != ["delivered"]} & arrived.keys()
    assert {told[name][0] for name in all_the_same} <= {"_MSG_TIMED_OUT"}
    dropped = sum(stats.dropped.values())
    assert stats.accepted == len(arrived) + dropped + stats.failed - len(all_the_same)


def test_a_fork_amid_traffic_while_kafka_is_silent(
    settings: KafkaSettings, own_kafka: OwnKafka, read_all: ReadAll, tmp_path: Path
) -> None:
    """Children that are forked from a service that is spooling lay their own events beside its, and all of them arrive."""
    log = PredictionLogger(model="m", kafka=replace(settings, properties=IMPATIENT), spool=tmp_path / "spool")
    said: list[str] = []
    with traffic(lambda: said.append(log.prediction(score=0.5))):
        eventually(lambda: log.stats.delivered > 50, saying="traffic")
        own_kafka.hold()
        eventually(lambda: log.stats.spooled > 50, saying="events on disk")
        codes = [forked(log, number, tmp_path / "crashes") for number in range(2)]
        own_kafka.let_go()
        eventually(lambda: log.stats.replayed > 0, saying="events from the disk")
    assert codes == [0, 0], (tmp_path / "crashes").read_text()
    eventually(lambda: not any((tmp_path / "spool").iterdir()), saying="all from the disk")
    assert log.close(30) == 0
    assert (log.stats.dropped, log.stats.failed) == ({}, 0)
    children = {f"child-{number}-{place}" for number in range(2) for place in range(50)}
    assert ids(read_all).keys() == {*said, *children}


def forked(log: PredictionLogger, number: int, crashes: Path) -> int:
    """The exit code of a child that says fifty events, ends, and has all of them on disk; where it crashed is written to a file."""
    child = os.fork()
    if child == 0:
        code = 1
        # clients that other tests of this process left are not the child's to take down: their threads are not here
        gc.disable()
        try:
            faulthandler.enable(crashes.open("a"), all_threads=True)
            for place in range(50):
                log.prediction(prediction_id=f"child-{number}-{place}")
            log.close(2)
            code = 0 if (log.stats.spooled, log.stats.waiting) == (50, 0) else 2
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
