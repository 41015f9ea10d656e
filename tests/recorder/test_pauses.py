"""A partition of which too much is dead letters waits for a person, over restarts; all others go on."""

from __future__ import annotations

import time

from recording_road import Road, example
from waiting import eventually

from producers.codec import encode
from stream_processors.recorder.brake import LIMIT
from stream_processors.recorder.pauses import let_go_on, paused_partitions

NOW = time.time_ns() // 1000


def test_a_bad_deploy_pauses_its_partition_until_resumed(road: Road) -> None:
    """The partition stops right after the dead letter that passes the limit, stays stopped after a restart, and goes on when let."""
    road.send("labels", [b"garbage"] * (LIMIT + 500), partition=1)
    road.send_records("labels", "label", [example("label", label_id="beside")], partition=2)
    first = road.start()
    eventually(
        lambda: road.heartbeat().get("paused") == ["labels-1"], within=60, saying="the partition pauses"
    )
    eventually(
        lambda: road.committed("labels")[1] == LIMIT + 1, within=20, saying="it stands after the limit"
    )
    assert "hindcast resume" in road.heartbeat()["last_error"]
    road.recorded("dead-letters")
    assert road.count("dead_letters") == LIMIT + 1
    assert road.count("labels") == 1
    road.kill(first)

    road.start()
    eventually(
        lambda: road.heartbeat().get("pid") != first.pid and road.heartbeat().get("paused") == ["labels-1"],
        within=60,
        saying="it still waits",
    )
    [pause] = paused_partitions(road.kafka)
    assert (pause.topic, pause.partition, pause.offset) == ("labels", 1, LIMIT + 1)
    assert road.heartbeat()["lag"]["labels-1"] == 499

    let_go_on(road.kafka, [pause])
    road.recorded("labels", "dead-letters")
    assert road.count("dead_letters") == LIMIT + 500
    assert paused_partitions(road.kafka) == []
    eventually(lambda: road.heartbeat()["paused"] == [], saying="the status says so")


def test_a_resumption_holds_for_a_recorder_that_starts_later(road: Road) -> None:
    """Letting a partition go on while no recorder runs is remembered by Kafka."""
    road.send("labels", [b"garbage"] * (LIMIT + 10), partition=0)
    first = road.start()
    eventually(lambda: road.committed("labels")[0] == LIMIT + 1, within=60, saying="the partition pauses")
    road.kill(first)
    let_go_on(road.kafka, paused_partitions(road.kafka))
    assert paused_partitions(road.kafka) == []
    road.send("labels", [encode("label", example("label"))], partition=0)
    road.start()
    road.recorded("labels")
    assert road.count("labels") == 1
