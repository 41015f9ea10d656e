"""Partitions that nobody was given: a static member that comes back as itself gets what it had, whatever there is now."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from confluent_kafka import KafkaException
from confluent_kafka.admin import NewPartitions
from recording_road import REPOSITORY, Road
from waiting import eventually

from producers.topics import topics
from stream_processors.group_coverage import Coverage, StaleAssignment
from stream_processors.kafka import Consumer, admin, consumer

READS = {"recorder": "drift", "joiner": "labels", "profiler": "predictions", "monitor": "sketches"}
Owned = set[tuple[str, int]]


def owned(road: Road, group: str) -> Owned:
    """Partitions that members of a group have, with topics' names without prefix."""
    # kept: the futures of a client that is gone are never done
    name, client = road.kafka.topic(group), admin(road.kafka)
    try:
        found = client.describe_consumer_groups([name])[name].result()
    except KafkaException:
        return set()
    places = (place for member in found.members for place in member.assignment.topic_partitions)
    return {(place.topic.removeprefix(road.kafka.topic("")), place.partition) for place in places}


def add_partitions(road: Road, topic: str, total: int) -> None:
    """Let a topic have so many."""
    client = admin(road.kafka)
    for future in client.create_partitions([NewPartitions(road.kafka.topic(topic), total)]).values():
        future.result()


class Members:
    """One process of every role."""

    def __init__(self, road: Road, log: Path) -> None:
        self._road, self._log = road, log
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, roles: Iterable[str] = READS) -> None:
        """Start them, in place of those before."""
        for role in roles:
            with self._log.open("ab") as log:
                self._running[role] = subprocess.Popen(
                    [sys.executable, "-m", f"stream_processors.{role}"],
                    env={**os.environ, **self._road.environment, "HINDCAST_SLOT": "0"},
                    cwd=REPOSITORY,
                    stderr=log,
                )

    def kill(self) -> None:
        """End all with SIGKILL."""
        for one in self._running.values():
            one.kill()
            one.wait(10)

    def supervise(self) -> None:
        """Start those again that say that only a new process helps."""
        self.start([role for role, one in self._running.items() if one.poll() == 1])


@pytest.fixture
def road(kafka: str, clickhouse: str, topic_prefix: str, database: str, tmp_path: Path) -> Iterator[Road]:
    """Empty topics and tables."""
    with Road(kafka, clickhouse, topic_prefix, database, tmp_path) as made:
        yield made


def test_what_is_added_while_a_member_is_away_is_somebodys(road: Road, tmp_path: Path) -> None:
    """The member that comes back notices that its group lacks a partition, leaves, and is given all."""
    members = Members(road, tmp_path / "members.log")

    def whole(count: int) -> None:
        members.supervise()
        for role, topic in READS.items():
            assert owned(road, role) >= {(topic, partition) for partition in range(count)}, role

    try:
        members.start()
        eventually(lambda: whole(4), saying="all join")
        members.kill()
        for topic in READS.values():
            add_partitions(road, topic, 6)
        members.start()
        eventually(lambda: whole(6), saying="every partition is somebody's")
    finally:
        members.kill()


@pytest.fixture
def member(road: Road) -> Iterator[Consumer]:
    """A member of a group, subscribed to labels alone."""
    client = consumer(road.kafka, group=road.kafka.topic("some"), instance="one")
    client.subscribe([road.kafka.topic("labels")])
    yield client
    client.close()


def test_only_what_stays_nobodys_is_complained_of(road: Road, member: Consumer) -> None:
    """For some seconds after every change partitions are nobody's; a group that nobody is in, and topics that are not there, lack nothing."""
    now = [0.0]
    names = [road.kafka.topic(name) for name in ("labels", "nothing")]
    coverage = Coverage(road.kafka, road.kafka.topic("some"), names, clock=lambda: now[0])
    more = Coverage(
        road.kafka, road.kafka.topic("some"), [*names, road.kafka.topic("drift")], clock=lambda: now[0]
    )
    for now[0] in (10.0, 20.0, 30.0):
        more.refuse_stale()

    def joined() -> bool:
        member.poll(0.1)
        return len(owned(road, "some")) == 4

    eventually(joined, saying="it has labels")
    for now[0] in (40.0, 50.0, 60.0):
        coverage.refuse_stale()
    for now[0] in (70.0, 71.0, 78.0, 82.0, 83.5):
        more.refuse_stale()
    now[0] = 87.0
    with pytest.raises(StaleAssignment, match="drift-0"):
        more.refuse_stale()
    # who has just left is given time
    now[0] = 92.0
    more.refuse_stale()


def test_a_kafka_that_is_away_is_no_reason_to_leave(road: Road) -> None:
    """Nothing is known then, and it is said elsewhere."""
    now = [0.0]
    away = type(road.kafka)(bootstrap="127.0.0.1:1", topic_prefix="away")
    coverage = Coverage(away, "away.recorder", [away.topic(name) for name in topics()], clock=lambda: now[0])
    for now[0] in (10.0, 30.0, 50.0):
        coverage.refuse_stale()
