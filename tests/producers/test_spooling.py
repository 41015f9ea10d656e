"""What a logger with a spool does while its log is away, full, or gone for good."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from waiting import eventually

from producers import ConfigError, PredictionLogger
from producers.channel import Channel
from producers.codec import decode
from producers.events import prediction_record
from producers.spool import Spool
from producers.testing import MemorySink

Make = Callable[..., PredictionLogger]


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    """Makes loggers of one service that share a spool and look again soon."""
    monkeypatch.setattr("producers.delivery._AGAIN_S", 0.3)

    def made(sink: MemorySink, **more: Any) -> PredictionLogger:
        return PredictionLogger(model="m", model_version="1", sink=sink, spool=tmp_path / "spool", **more)

    return made


def spooled(directory: Path) -> list[tuple[str, dict[str, Any]]]:
    """Every message that lies in the spool, and that no living process holds: stream and record."""
    reader, found = Spool(directory / "spool"), []
    while (segment := reader.claim()) is not None:
        found += [(message.stream, decode(message.value)[1]) for message in segment.messages()]
        segment.done()
    return found


def ids(records: list[dict[str, Any]]) -> list[str]:
    """Their prediction ids."""
    return [record["prediction_id"] for record in records]


def test_what_is_not_delivered_in_time_is_laid_on_disk_and_sent_later(make: Make) -> None:
    """While the log is away events go to the spool; when it is back they arrive, in order, with their ids and numbers."""
    sink = MemorySink()
    sink.away = True
    log = make(sink)
    said = [log.prediction(score=0.5)]
    eventually(lambda: sink.waiting() == 1, saying="the first is with the sink")
    sink.time_out()
    said += [log.prediction(score=0.5) for _ in range(99)]
    eventually(lambda: log.stats.spooled >= 99, saying="the rest is on disk")
    assert log.stats.dropped == {}
    sink.away = False
    eventually(lambda: log.stats.replayed == log.stats.spooled, saying="the spool is sent")
    assert log.flush() == 0
    arrived = sink.records("predictions")
    assert sorted(ids(arrived)) == sorted(said)
    assert sorted(record["sequence"] for record in arrived) == list(range(100))
    stats = log.stats
    assert stats.accepted == 100 == stats.delivered + stats.spooled
    log.close()
    last = [row for row in sink.records("ledger") if row["closing"]]
    assert sum(row["accepted"] - row["delivered"] - row["replayed"] for row in last) == 0


def test_the_end_of_a_process_is_laid_on_disk_with_its_account(make: Make, tmp_path: Path) -> None:
    """A service that ends while the log is away leaves its events and its last ledger on disk; the next one sends both."""
    sink = MemorySink()
    sink.away = True
    log = make(sink)
    said = [log.prediction(score=0.5) for _ in range(50)]
    log.label(said[0], truth="yes")
    assert log.close(0.5) == 0
    assert (log.stats.spooled, log.stats.dropped, log.stats.delivered) == (51, {}, 0)

    there = MemorySink()
    following = make(there)
    own = following.prediction(score=0.1)
    eventually(lambda: following.stats.replayed == 51, saying="the other's events")
    following.close()
    assert sorted(ids(there.records("predictions"))) == sorted([*said, own])
    assert [label["truth"] for label in there.records("labels")] == ["yes"]
    ledgers = {(row["producer_id"], row["stream"]): row for row in there.records("ledger") if row["closing"]}
    left, sent = (
        ledgers[log.stats.producer_id, "predictions"],
        ledgers[following.stats.producer_id, "predictions"],
    )
    assert (left["accepted"], left["delivered"], left["spooled"]) == (50, 0, 50)
    assert (sent["accepted"], sent["delivered"], sent["replayed"]) == (1, 1, 50)
    assert spooled(tmp_path) == []


def test_a_log_that_never_opens_leaves_events_and_account_on_disk(make: Make, tmp_path: Path) -> None:
    """Settings that Kafka's client refuses lose nothing either: the next process with better ones sends both."""

    class Refused(MemorySink):
        def open(self) -> None:
            raise ConfigError("refused settings")

    log = make(Refused())
    said = [log.prediction(score=0.5) for _ in range(10)]
    log.close(1)
    found = spooled(tmp_path)
    assert sorted(ids([record for stream, record in found if stream == "predictions"])) == sorted(said)
    (ledger,) = [record for stream, record in found if stream == "ledger"]
    assert (ledger["accepted"], ledger["spooled"], ledger["closing"]) == (10, 10, True)


def test_a_log_that_is_slow_fills_the_disk_before_it_loses(make: Make) -> None:
    """What comes faster than the log takes it is laid on disk instead of dropped, and arrives when there is room."""
    sink = MemorySink(capacity=5)
    sink.away = True
    log = make(sink, queue_limit=100)
    said = []
    for _ in range(40):
        said += [log.prediction() for _ in range(10)]
        eventually(lambda: log._channel.intake().room() >= 20, saying="room")
    assert log.stats.dropped == {}
    assert log.stats.spooled >= 290
    sink.away = False
    eventually(
        lambda: log.stats.replayed == log.stats.spooled > 0 and log.stats.waiting == 0, saying="all sent"
    )
    assert sorted(ids(sink.records("predictions"))) == sorted(said)
    log.close()


def test_a_refusal_that_may_end_is_no_loss(make: Make) -> None:
    """Where a topic is missing, events wait on disk until it is there; what is too large is dropped and counted."""
    sink = MemorySink()
    sink.refuse = {"predictions": "UNKNOWN_TOPIC_OR_PART"}
    log = make(sink)
    log.prediction(features={"text": "x" * 2_000_000})
    said = [log.prediction() for _ in range(20)]
    eventually(
        lambda: log.stats.spooled + log.stats.dropped.get("too_large", 0) == 21, saying="they are kept"
    )
    assert (log.stats.failed, log.stats.dropped) == (0, {"too_large": 1})
    sink.refuse = {}
    eventually(lambda: log.stats.replayed == 20, saying="they are sent")
    assert sorted(ids(sink.records("predictions"))) == sorted(said)
    log.close()


def test_a_full_spool_drops_and_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the spool's limit and the queue's, events are dropped and counted, and the service goes on."""
    monkeypatch.setenv("HINDCAST_SPOOL_BYTES", "20000")
    sink = MemorySink(capacity=5)
    sink.away = True
    log = PredictionLogger(model="m", sink=sink, spool=tmp_path, queue_limit=50)
    for _ in range(1_000):
        log.prediction(features={"text": "x" * 200})
    log.close(1)
    stats = log.stats
    assert 0 < stats.spooled < 100
    assert stats.dropped.keys() <= {"queue_full", "spool_full"}
    assert stats.accepted == 1_000 == stats.spooled + sum(stats.dropped.values())
    assert sum(file.stat().st_size for file in tmp_path.iterdir()) <= 20_000


def test_a_close_without_time_lays_the_whole_queue(make: Make, tmp_path: Path) -> None:
    """However little time a close has, all that waits in memory is on disk when it returns, each event once."""
    sink = MemorySink(capacity=5)
    sink.away = True
    log = make(sink)
    said = [log.prediction(score=0.5) for _ in range(20_000)]
    log.close(0)
    assert log.stats.dropped == {}
    assert sorted(ids([record for stream, record in spooled(tmp_path) if stream == "predictions"])) == sorted(
        said
    )


def test_whoever_waits_for_an_event_hears_that_it_is_on_disk(tmp_path: Path) -> None:
    """`settled` says ``spooled`` where the event was laid on disk, and ``delivered`` where Kafka has it."""
    sink = MemorySink()
    channel = Channel(sink, None, spool=Spool(tmp_path))
    record = prediction_record(
        prediction_id="a", model="m", model_version="1", environment="e", event_time=0, features={}
    )
    outcomes: list[str] = []
    assert channel.say_record("predictions", record, time=0, settled=outcomes.append) is None
    eventually(lambda: outcomes == ["delivered"], saying="delivery")
    sink.away = True
    assert channel.say_record("predictions", record, time=0, settled=outcomes.append) is None
    channel.close(0.2)
    assert outcomes == ["delivered", "spooled"]
    assert channel.say_record("predictions", record, time=0, settled=outcomes.append) == "closed"
    assert len(outcomes) == 2


def test_a_spool_that_cannot_be_one_is_said_at_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file in the place of the directory is refused when the logger is made, in one line; an empty name is no spool."""
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="spool"):
        PredictionLogger(model="m", sink=MemorySink(), spool=tmp_path / "file")
    monkeypatch.setenv("HINDCAST_SPOOL", str(tmp_path / "there"))
    PredictionLogger(model="m", sink=MemorySink(), spool="")
    assert not (tmp_path / "there").exists()
    PredictionLogger(model="m", sink=MemorySink())
    assert (tmp_path / "there").is_dir()


def test_a_forked_child_spools_for_itself(make: Make, tmp_path: Path) -> None:
    """Parent and child lay their events in segments of their own, and each event once."""
    sink = MemorySink()
    sink.away = True
    log = make(sink)
    log.prediction(prediction_id="parent")
    eventually(lambda: sink.waiting() == 1, saying="the parent's event is under way")
    sink.time_out()
    eventually(lambda: log.stats.spooled == 1, saying="the parent has a segment open")
    child = os.fork()
    if child == 0:
        try:
            log._channel._sink.away = True  # type: ignore[attr-defined]  # a memory log
            log.prediction(prediction_id="child")
            log.close(0.2)
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    log.prediction(prediction_id="parent again")
    log.close(0.2)
    found = [record["prediction_id"] for stream, record in spooled(tmp_path) if stream == "predictions"]
    assert sorted(found) == ["child", "parent", "parent again"]


def test_a_relative_spool_stays_where_the_logger_was_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A service that changes its directory, as daemons do, spools where it was proven that it can."""
    (tmp_path / "made").mkdir()
    (tmp_path / "served").mkdir()
    monkeypatch.chdir(tmp_path / "made")
    sink = MemorySink()
    sink.away = True
    log = PredictionLogger(model="m", sink=sink, spool="spool")
    monkeypatch.chdir(tmp_path / "served")
    log.prediction(prediction_id="p")
    log.close(0.2)
    found = [
        record["prediction_id"] for stream, record in spooled(tmp_path / "made") if stream == "predictions"
    ]
    assert found == ["p"]
    assert list((tmp_path / "served").iterdir()) == []


def test_a_relative_spool_wants_a_directory_to_be_relative_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the process's own is deleted, the logger is not made, in one line."""
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    with pytest.raises(ConfigError, match="the spool spool is relative to a directory that is not there"):
        PredictionLogger(model="m", sink=MemorySink(), spool="spool")
