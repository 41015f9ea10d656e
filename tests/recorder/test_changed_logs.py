"""A log that is not what it was, because its topic was made anew or because it expired: what comes is recorded, what is gone is said."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from kafka_topics import make_topic_anew
from recording_road import Road, example
from stepping import stepping
from waiting import eventually

from evaluation.history import History
from producers.codec import encode
from stream_processors.recorder.brake import LIMIT
from stream_processors.recorder.pauses import metadata, paused_partitions
from stream_processors.topic_ids import topic_ids


def labels(name: str, numbers: Iterable[int]) -> list[bytes]:
    """Labels with ids of their own."""
    return [encode("label", example("label", label_id=f"{name}{number:02}")) for number in numbers]


def recorded_labels(road: Road) -> list[tuple[str, int]]:
    """Id and offset of every label, by id."""
    rows = road.rows("SELECT label_id, _offset FROM labels FINAL ORDER BY label_id")
    return [(row["label_id"], row["_offset"]) for row in rows]


def numbered(name: str, count: int) -> list[tuple[str, int]]:
    """What `recorded_labels` says when so many were recorded from offset 0 on."""
    return [(f"{name}{number:02}", number) for number in range(count)]


@pytest.mark.parametrize("fresh", [3, 50], ids=["fewer than before", "more than before"])
def test_a_topic_made_anew_is_noticed_while_the_recorder_runs(road: Road, fresh: int) -> None:
    """A topic that is deleted and made again under a running recorder is recorded from offset 0 on, beside the old one's messages."""
    road.send("labels", labels("old", range(20)), partition=0)
    recorder = road.start()
    road.recorded("labels")
    make_topic_anew(road.kafka, "labels")
    road.send("labels", labels("new", range(fresh)), partition=0)
    road.recorded("labels")
    assert recorded_labels(road) == [*numbered("new", fresh), *numbered("old", 20)]
    [row] = road.rows("SELECT uniqExact(_topic_id) AS topics FROM labels FINAL")
    assert row == {"topics": 2}
    assert road.count("dead_letters") == 0
    assert recorder.poll() is None


def test_a_topic_made_anew_between_two_runs_is_recorded_from_its_beginning(road: Road) -> None:
    """A commit that speaks of the topic that was deleted, even one that reached Kafka after the new one was made, is void."""
    road.send("labels", labels("old", range(20)), partition=0)
    first = road.start()
    road.recorded("labels")
    road.kill(first)
    old = topic_ids(road.kafka, [road.kafka.topic("labels")])[road.kafka.topic("labels")]
    make_topic_anew(road.kafka, "labels")
    road.send("labels", labels("new", range(50)), partition=0)
    road.rewind({"labels": 20}, metadata=metadata(old, None))
    road.start()
    road.recorded("labels")
    assert recorded_labels(road) == [*numbered("new", 50), *numbered("old", 20)]


@pytest.mark.parametrize("noticed", [False, True], ids=["made anew at once", "away for a while"])
def test_what_was_deleted_with_its_topic_is_said_and_recorded(road: Road, noticed: bool) -> None:
    """Messages of a partition that waits are deleted with their topic: they are a gap, and the new topic's partition does not wait."""
    road.send("labels", [b"garbage"] * (LIMIT + 500), partition=1)
    road.start()
    eventually(lambda: road.committed("labels")[1] == LIMIT + 1, within=60, saying="the partition waits")
    eventually(
        lambda: road.heartbeat()["lag"].get("labels-1") == 499, saying="it knows what stands in the log"
    )
    road.send("labels", labels("old", range(1)), partition=0)
    eventually(lambda: road.committed("labels")[0] == 1, within=60, saying="another partition goes on")

    def let_go() -> None:
        eventually(lambda: "labels-1" not in road.heartbeat()["lag"], saying="it has let the partitions go")

    make_topic_anew(road.kafka, "labels", meanwhile=let_go if noticed else lambda: None)
    road.send("labels", labels("new", range(5)), partition=1)
    road.recorded("labels", "dead-letters")
    assert recorded_labels(road) == [*numbered("new", 5), ("old00", 0)]
    [gap] = [letter for letter in road.letters() if letter["reason"] == "expired"]
    assert (gap["topic"], gap["partition"], gap["offset"]) == ("labels", 1, LIMIT + 1)
    assert (
        gap["detail"]
        == f"offsets {LIMIT + 1} to {LIMIT + 499} were deleted with their topic before they were recorded"
    )
    assert paused_partitions(road.kafka) == []


def test_messages_that_left_the_log_are_said_and_recorded(road: Road) -> None:
    """A gap between the committed offset and the log's start is a dead letter of reason `expired`, once."""
    road.send("labels", labels("a", range(10)), partition=0)
    first = road.start()
    road.recorded("labels")
    road.kill(first)
    road.send("labels", labels("b", range(10)), partition=0)
    road.drop_before("labels", 0, 15)
    road.start()
    road.recorded("labels", "dead-letters")
    [letter] = road.letters()
    assert (letter["reason"], letter["offset"]) == ("expired", 10)
    assert "offsets 10 to 14 left the log" in letter["detail"]
    [gaps] = History(road.store.settings).query("dead_letters_by_reason").to_pylist()
    assert (gaps["reason"], gaps["messages"]) == ("expired", 5)
    assert road.count("labels") == 15
    eventually(lambda: "offsets 10 to 14" in road.heartbeat()["last_error"], saying="the status says it")


def test_messages_that_leave_the_log_while_the_recorder_runs_are_a_gap_too(road: Road) -> None:
    """A log that expires beyond what a recorder that must wait has recorded is said and recorded too, and it goes on behind the gap."""
    road.send("labels", labels("a", range(10)), partition=0)
    with stepping(road) as (recorder, until):
        until(lambda: road.committed("labels")[0] == 10)
        # as while ClickHouse takes nothing: nothing is fetched
        recorder._ours.hold_back()
        road.send("labels", labels("b", range(10)), partition=0)
        road.drop_before("labels", 0, 15)
        recorder._ours.flow()
        until(lambda: road.committed("labels")[0] == 20)
        until(lambda: road.count("dead_letters") == 1)
    [letter] = road.letters()
    assert (letter["reason"], letter["offset"]) == ("expired", 10)
    assert "offsets 10 to 14 left the log" in letter["detail"]
    assert road.count("labels") == 15
