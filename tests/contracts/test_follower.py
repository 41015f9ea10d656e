"""Contracts on a real topic: published, followed, in effect."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from reference_sketches import reference_of

from producers.codec import encode
from producers.errors import BrokerUnavailable, ConfigError
from producers.settings import KafkaSettings
from producers.topics import topics
from stream_processors.contracts.follower import ContractFollower
from stream_processors.contracts.model import Contract
from stream_processors.contracts.publish import publish, reference_digest
from stream_processors.kafka import create_topics, producer, reader


@pytest.fixture
def settings(kafka: str, topic_prefix: str) -> KafkaSettings:
    """A prefix with our topics created."""
    found = KafkaSettings(bootstrap=kafka, topic_prefix=topic_prefix)
    create_topics(found, topics().values(), partitions=2)
    return found


@pytest.fixture
def follower(settings: KafkaSettings) -> Iterator[ContractFollower]:
    """A follower that has read nothing yet."""
    with ContractFollower(settings) as found:
        yield found


def contract(model: str = "m", **fields: Any) -> Contract:
    """A contract of a model."""
    return Contract.model_validate({"model": model, **fields})


@pytest.mark.parametrize("lead", [-1.0, 1e13, float("nan")])
def test_a_lead_that_cannot_be_is_refused(
    settings: KafkaSettings, follower: ContractFollower, lead: float
) -> None:
    """Nothing is published: contracts are kept for ever."""
    with pytest.raises(ConfigError, match="from nothing to a century"):
        publish(settings, contract(), lead=lead)
    assert follower.catch_up() is False


def test_a_contract_with_names_that_no_message_holds_is_none(
    settings: KafkaSettings, follower: ContractFollower
) -> None:
    """Whoever sent it: sketches with such names would be refused by Kafka, and nothing behind them would ever be counted."""
    client = producer(settings)
    for name in ("x" * 1_000, "x" * 1_001):
        body = contract(features={name[:5]: {"kind": "numeric"}}).canonical().replace("xxxxx", name)
        record = {"model": "m", "body": body, "digest": "d", "shape": "s", "effective_from": 0, "lead_ms": 0}
        client.produce(settings.topic("contracts"), encode("contract", record), b"m")
    assert client.flush(10) == 0
    follower.catch_up()
    assert [len(name) for one in follower.history.published("m") for name in one.contract.features] == [1_000]


def test_empty_topic(follower: ContractFollower) -> None:
    """A topic without a contract is caught up with at once."""
    assert follower.catch_up() is False
    assert follower.history.models() == []


def test_published_is_followed(settings: KafkaSettings, follower: ContractFollower) -> None:
    """What `publish` returned for is in the next catch-up, with the same digest and time of effect."""
    follower.catch_up()
    done = publish(settings, contract(owner="ann"), lead=0.2)
    assert follower.catch_up() is True
    assert follower.catch_up() is False
    found = follower.history.applying("m", "production", done.in_effect_from)
    assert found is not None
    assert (found.digest, found.in_effect_from) == (done.digest, done.in_effect_from)
    assert follower.history.applying("m", "production", done.in_effect_from - 1) is None


def test_publish_waits_for_the_effect(settings: KafkaSettings) -> None:
    """`publish` returns only when the lead has passed since the broker took the contract."""
    times = iter([100.0, 100.0, 107.5, 110.1])
    pauses: list[float] = []
    done = publish(settings, contract(), lead=10, clock=lambda: next(times), pause=pauses.append)
    assert done.in_effect
    assert pauses == [10.0, 2.5]


def test_publish_without_waiting(settings: KafkaSettings) -> None:
    """Without waiting, or for a start in the future, `publish` returns at once and says that it is not in effect."""
    assert not publish(settings, contract(), lead=60, wait=False).in_effect
    later = datetime.now(UTC) + timedelta(days=3)
    done = publish(settings, contract(), lead=60, effective_from=later)
    assert not done.in_effect
    assert done.in_effect_from == round(later.timestamp() * 1e6)


def test_references_come_first_and_once(settings: KafkaSettings, follower: ContractFollower) -> None:
    """Reference sketches stand before the contract that names them, all under one digest, and a second publishing does not repeat them."""
    one = contract()
    baseline = reference_of(one, 0, 1, 2)
    done = publish(settings, one, baseline=baseline, lead=0)
    assert done.contract.references == {"training": reference_digest(baseline)}
    publish(settings, contract(owner="bea"), baseline=baseline, lead=0)
    follower.catch_up()
    assert len(follower.history.boundaries("m", "production")) == 2
    assert kinds_on_topic(settings) == ["sketch", "sketch", "sketch", "contract", "contract"]


def kinds_on_topic(settings: KafkaSettings) -> list[str]:
    """Names of the schemas of all messages on the topic of contracts, which are in one partition here."""
    from producers.codec import read_frame
    from stream_processors.kafka import OFFSET_BEGINNING, TopicPartition

    topic = settings.topic("contracts")
    client = reader(settings)
    client.assign([TopicPartition(topic, p, OFFSET_BEGINNING) for p in range(2)])
    found, ended = [], set()
    while len(ended) < 2:
        for message in client.consume(100, 0.2):
            if message.error() is None:
                found.append(read_frame(message.value())[0].name)
            else:
                ended.add(message.partition())
    client.close()
    return found


def test_baseline_of_another_shape(settings: KafkaSettings) -> None:
    """A baseline made before the contract's slices changed is refused with a line that says what to do."""
    baseline = reference_of(contract(), 0)
    changed = contract(slices=[{"by": "origin", "values": ["JFK"]}])
    with pytest.raises(ConfigError, match="hindcast contract baseline"):
        publish(settings, changed, baseline=baseline)


def test_baseline_that_is_not_the_named_one(settings: KafkaSettings) -> None:
    """A contract that names another reference than the baseline's is refused."""
    named = contract(references={"training": "0" * 64})
    with pytest.raises(ConfigError, match="names the reference"):
        publish(settings, named, baseline=reference_of(named, 0))


def test_garbage_between_contracts(settings: KafkaSettings, follower: ContractFollower) -> None:
    """Bytes that are no contract hide no contract."""
    publish(settings, contract(), lead=0)
    client = producer(settings)
    for value in (b"", b"garbage", None):
        client.produce(settings.topic("contracts"), value, b"m")
    client.flush(10)
    publish(settings, contract(owner="eve"), lead=0)
    follower.catch_up()
    assert len(follower.history.boundaries("m", "production")) == 2


def test_a_contract_that_cannot_be_hides_none(settings: KafkaSettings, follower: ContractFollower) -> None:
    """A horizon that no number of the joiner holds, on the topic all the same, is no contract, and ends nobody."""
    record = {
        "model": "m",
        "body": contract()
        .canonical()
        .replace('"horizon":2592000', '"horizon":8639999999999999999999913600000'),
        "digest": "d",
        "shape": "s",
        "effective_from": datetime(1970, 1, 1, tzinfo=UTC),
        "lead_ms": 0,
    }
    assert "99999" in record["body"]
    client = producer(settings)
    client.produce(settings.topic("contracts"), encode("contract", record), b"m")
    client.flush(10)
    publish(settings, contract(owner="eve"), lead=0)
    follower.catch_up()
    assert len(follower.history.boundaries("m", "production")) == 1


def test_no_broker() -> None:
    """A broker that does not answer is said within the time given, not waited for."""
    nowhere = KafkaSettings(bootstrap="127.0.0.1:1")
    with ContractFollower(nowhere) as follower, pytest.raises(BrokerUnavailable):
        follower.catch_up(timeout=0.5)
