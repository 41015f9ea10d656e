"""A recorder that was away for so long that Kafka forgot what it had committed: what is gone is said all the same."""

from __future__ import annotations

from confluent_kafka import KafkaException
from recording_road import Road
from test_changed_logs import labels
from waiting import eventually

from stream_processors.kafka import admin
from stream_processors.recorder import recorder_group


def forget_commits(road: Road) -> None:
    """Delete the recorder's group, as Kafka does by itself when it had no member for seven days."""
    client, group = admin(road.kafka), recorder_group(road.kafka)

    def gone() -> bool:
        # the killed member counts as one until its session has ended
        try:
            client.delete_consumer_groups([group])[group].result()
        except KafkaException:
            return False
        return True

    eventually(gone, within=60, saying="Kafka lets the group be deleted")


def test_a_gap_is_said_where_no_commit_is_left(road: Road) -> None:
    """How far the log is recorded is asked of the record: what follows up to the log's beginning is the gap. Dead letters are recorded too.

    Of partition 2 nothing was recorded before it lost its beginning, but of its topic: nothing of it is passed over in silence either.
    """
    road.send("labels", labels("a", range(10)), partition=0)
    road.send("labels", [*labels("b", range(4)), b"garbage"], partition=1)
    first = road.start()
    road.recorded("labels", "dead-letters")
    road.kill(first)
    road.send("labels", labels("c", range(10)), partition=0)
    road.send("labels", labels("d", range(2)), partition=1)
    road.drop_before("labels", 0, 15)
    road.drop_before("labels", 1, 5)
    road.send("labels", labels("e", range(3)), partition=2)
    road.drop_before("labels", 2, 2)
    forget_commits(road)
    road.start()
    road.recorded("labels", "dead-letters")
    said = sorted((one["reason"], one["partition"], one["offset"], one["detail"]) for one in road.letters())
    left = "left the log before they were recorded"
    assert said[:2] == [
        ("expired", 0, 10, f"offsets 10 to 14 {left}"),
        ("expired", 2, 0, f"offsets 0 to 1 {left}"),
    ]
    assert [one[:3] for one in said[2:]] == [("undecodable", 1, 4)]
    assert road.count("labels") == 10 + 4 + 5 + 2 + 1
    gaps = ("offsets 10 to 14", "offsets 0 to 1")
    eventually(
        lambda: any(one in road.heartbeat()["last_error"] for one in gaps), saying="the status says it"
    )


def test_a_gap_is_said_once(road: Road) -> None:
    """Where commits are forgotten again before anything behind the gap was recorded, the entry that is there tells where it ends."""
    road.send("labels", labels("a", range(10)), partition=0)
    first = road.start()
    road.recorded("labels")
    road.kill(first)
    road.send("labels", labels("b", range(5)), partition=0)
    road.drop_before("labels", 0, 15)
    for _ in range(2):
        forget_commits(road)
        again = road.start()
        road.recorded("labels", "dead-letters")
        road.kill(again)
    assert [(one["reason"], one["offset"]) for one in road.letters()] == [("expired", 10)]


def test_a_log_that_nobody_ever_recorded_has_no_gap(road: Road) -> None:
    """What left the log before there was a recorder is not a gap of the record."""
    road.send("labels", labels("a", range(10)), partition=0)
    road.drop_before("labels", 0, 4)
    road.start()
    road.recorded("labels")
    assert road.count("labels") == 6
    assert road.letters() == []
