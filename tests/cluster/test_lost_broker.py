"""One of three brokers is gone, and everything goes on with the two that are left."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from recording_road import Road, example
from three_brokers import ThreeBrokers, three_brokers
from waiting import eventually

from hindcast.cli import hindcast
from producers.errors import BrokerUnavailable
from producers.settings import KafkaSettings
from producers.topics import topics
from stream_processors.kafka import create_topics
from stream_processors.topic_ids import TopicIds


@pytest.fixture(scope="module")
def brokers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ThreeBrokers]:
    """Three brokers, all of them up before a test and after it."""
    with three_brokers(tmp_path_factory.mktemp("brokers")) as made:
        yield made


def test_clients_that_took_a_lost_broker_for_the_controller_take_another(
    brokers: ThreeBrokers, topic_prefix: str
) -> None:
    """Each answer of Kafka's names some broker as the controller, so a third of these clients lose theirs; they need no five minutes to look again."""
    settings = KafkaSettings(brokers.bootstrap, topic_prefix)
    create_topics(settings, [topics()["labels"]])
    name = settings.topic("labels")
    clients = [TopicIds(settings) for _ in range(15)]
    known = {one.of([name])[name] for one in clients}
    brokers.kill(3)
    try:
        for one in clients:
            eventually(lambda one=one: {_id(one, name)} == known, within=40, saying="the topic's id")
    finally:
        brokers.start(3)


def _id(client: TopicIds, name: str) -> str:
    try:
        return client.of([name], within=1.0)[name]
    except BrokerUnavailable as fault:
        return str(fault)


def _labels(name: str) -> list[dict[str, Any]]:
    return [example("label", label_id=f"{name} {place}") for place in range(20)]


def test_a_recorder_goes_on_with_two_of_three_brokers(
    brokers: ThreeBrokers, clickhouse: str, topic_prefix: str, database: str, tmp_path: Path
) -> None:
    """Whichever is lost, the next labels are recorded without it."""
    with Road(brokers.bootstrap, clickhouse, topic_prefix, database, tmp_path) as road:
        recorder = road.start()
        for count, lost in enumerate((2, 3), start=1):
            road.send_records("labels", "label", _labels(f"with {lost}"))
            road.recorded("labels")
            brokers.kill(lost)
            road.send_records("labels", "label", _labels(f"without {lost}"))
            road.recorded("labels")
            brokers.start(lost)
            assert road.count("labels") == 40 * count
        assert recorder.poll() is None, road.said()


def test_single_copies_are_told(brokers: ThreeBrokers, topic_prefix: str) -> None:
    """A topic that one broker holds alone is lost with it; of three copies nothing is said."""
    environment = {"HINDCAST_KAFKA": brokers.bootstrap, "HINDCAST_TOPIC_PREFIX": topic_prefix}
    told = {}
    for copies in ("1", "3"):
        environment["HINDCAST_TOPIC_PREFIX"] = f"{topic_prefix}-{copies}"
        ran = CliRunner().invoke(
            hindcast, ["topics", "--partitions", "1", "--replication", copies], env=environment
        )
        assert ran.exit_code == 0, ran.output
        told[copies] = ran.stderr
    assert f"{len(topics())} topics have one copy, such as {topic_prefix}-1.alerts:" in told["1"]
    assert not told["3"]
