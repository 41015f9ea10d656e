"""`hindcast topics`, `migrate`, `resume` and `dead-letters`, as a person runs them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

import pytest
from click.testing import CliRunner
from recording_road import Road, example
from waiting import eventually

from hindcast.cli import hindcast
from hindcast.local.ports import LOOPBACK, free_port
from producers.codec import encode
from producers.errors import BrokerUnavailable, ConfigError
from producers.settings import KafkaSettings
from stream_processors.recorder import replay as recorder_replay
from stream_processors.recorder.brake import LIMIT
from stream_processors.recorder.dead_letters import DeadLetter, Facts
from stream_processors.recorder.replay import replay

NOW = time.time_ns() // 1000

Say = Callable[..., str]


@pytest.fixture
def say(road: Road) -> Say:
    """Run a command line against the road; returns what it prints."""

    def run(*arguments: str, code: int = 0) -> str:
        ran = CliRunner().invoke(hindcast, list(arguments), env=road.environment)
        assert ran.exit_code == code, ran.output
        return ran.output

    return run


def test_topics_are_created_once(say: Say, road: Road) -> None:
    """What is missing is created, with its own settings, and the rest is left alone."""
    road.environment["HINDCAST_TOPIC_PREFIX"] = f"{road.kafka.topic_prefix}-new"
    assert f"created {road.kafka.topic_prefix}-new.predictions" in say("topics")
    assert "every topic is there" in say("topics")


def test_migrate_says_what_it_would_do_and_did(say: Say, road: Road) -> None:
    """A dry run prints statements and changes nothing; a run says what it applied."""
    road.environment["HINDCAST_DATABASE"] = f"{road.store.database}_new"
    assert "CREATE TABLE IF NOT EXISTS predictions" in say("migrate", "--dry-run")
    assert "applied 0001_predictions" in say("migrate")
    assert "up to date" in say("migrate")
    road.store.command(f"DROP DATABASE {road.store.database}_new SYNC")


def test_resume_lists_and_lets_go(say: Say, road: Road) -> None:
    """Without arguments it lists what waits; a partition that does not wait is named; the one that does goes on."""
    assert "no partition waits" in say("resume")
    road.send("labels", [b"garbage"] * (LIMIT + 5), partition=3)
    road.start()
    eventually(lambda: "labels:3 waits at offset" in say("resume"), within=60, saying="the pause is listed")
    assert "labels:2 does not wait" in say("resume", "labels:2", code=1)
    assert "say a topic and a number" in say("resume", "nonsense", code=2)
    assert f"labels:3 goes on at offset {LIMIT + 1}" in say("resume", "labels:3")
    road.recorded("labels")
    assert "no partition waits" in say("resume", "--all")


def test_dead_letters_are_listed_and_sent_back(say: Say, road: Road) -> None:
    """A dead letter that would be recorded now is sent back with its bytes, recorded, and marked as replayed."""
    road.store.command("ALTER TABLE predictions ADD CONSTRAINT no_beast CHECK score != 666")
    value = encode(
        "prediction", example("prediction", prediction_id="[bold]beast", event_time=NOW, score=666.0)
    )
    road.send("predictions", [value], key="[bold]beast", headers=[("trace", b"\xff")])
    road.send("labels", [b"[red]garbage"])
    road.start()
    road.recorded("predictions", "labels", "dead-letters")
    shown = say("dead-letters", "list")
    assert "predictions:" in shown
    assert "undecodable" in shown
    assert "…" not in shown
    with_slips = (("--reason", "undecodeable"), ("--topic", "prediction"))
    for command in (("list",), ("replay", "--yes")):
        for slip in with_slips:
            assert f"'{slip[1]}' is none of" in say("dead-letters", *command, *slip, code=2)
    [letter] = [
        json.loads(line) for line in say("dead-letters", "list", "--json", "--reason", "refused").splitlines()
    ]
    assert (letter["topic"], letter["bytes"]) == ("predictions", len(value))

    road.store.command("ALTER TABLE predictions DROP CONSTRAINT no_beast")
    assert "1 sent back" in say("dead-letters", "replay", "--topic", "predictions", "--yes")
    road.recorded("predictions", "dead-letters")
    assert road.rows("SELECT prediction_id, score FROM predictions FINAL") == [
        {"prediction_id": "[bold]beast", "score": 666.0}
    ]
    assert "predictions" not in say("dead-letters", "list", "--json")
    [row] = road.rows(
        "SELECT replayed, hex(value) AS value FROM dead_letters FINAL WHERE topic = 'predictions'"
    )
    assert row == {"replayed": True, "value": value.hex().upper()}
    assert "predictions" in say("dead-letters", "list", "--json", "--replayed")


def test_a_dead_letter_of_a_foreign_topic_is_not_sent(road: Road) -> None:
    """What stood on dead-letters itself, or on a topic that is not ours, is never produced anywhere."""
    for topic in ("dead-letters", "elsewhere"):
        letter = DeadLetter(Facts(topic, "id", 0, 0, 0, "undecodable", ""), b"k", b"v")
        with pytest.raises(ConfigError, match=topic):
            replay(road.kafka, [letter])


def test_more_dead_letters_than_the_client_holds_wait_for_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hundred thousand fill librdkafka's queue where Kafka takes none: it is said that they were not taken, and none is left out."""
    monkeypatch.setattr(recorder_replay, "_DELIVERY_S", 1.0)
    letter = DeadLetter(Facts("labels", "id", 0, 0, 0, "undecodable", ""), b"k", b"v")
    with pytest.raises(BrokerUnavailable, match="150000 messages were not taken"):
        replay(KafkaSettings(f"{LOOPBACK}:{free_port()}", "nobody"), [letter] * 150_000)
