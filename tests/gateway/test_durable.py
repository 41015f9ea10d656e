"""A durable request is answered when Kafka has spoken: what became of each item."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from running_gateway import GOOD, running_gateway
from waiting import eventually

from producers.channel import Channel
from producers.codec import decode
from producers.gateway.outlet import kafka_channel
from producers.gateway.settings import GatewaySettings
from producers.limits import Limits
from producers.settings import KafkaSettings
from producers.spool import Spool, SpoolSettings
from producers.testing import MemorySink
from stream_processors.kafka import Message

SOON = GatewaySettings(durable_s=0.3)


def test_what_is_delivered_is_there(
    settings: KafkaSettings, read_all: Callable[[str], list[Message]]
) -> None:
    """When the answer says delivered, every good item stands in Kafka, with the id that was answered."""
    channel = kafka_channel(settings, Limits(), SpoolSettings())
    with running_gateway(channel=channel) as gateway:
        reply = gateway.send("predictions?durable=true", [GOOD, {}, GOOD])
        found = {decode(message.value())[1]["prediction_id"] for message in read_all("predictions")}
    assert reply.status == 200
    assert reply.content["outcomes"] == ["delivered", "refused", "delivered"]
    ids = reply.content["ids"]
    assert ids[1] is None
    assert found == {ids[0], ids[2]}


def test_what_kafka_does_not_take_in_time_is_pending() -> None:
    """503 says that it is not durable yet; it stays queued and arrives once, when Kafka is back."""
    sink = MemorySink()
    sink.away = True
    with running_gateway(SOON, sink=sink) as gateway:
        reply = gateway.send("predictions?durable=1", [GOOD, GOOD])
        assert (reply.status, reply.content["outcomes"]) == (503, ["pending", "pending"])
        assert int(reply.headers["retry-after"]) > 0
        sink.away = False
        eventually(lambda: len(sink.records("predictions")) == 2, saying="they arrive")
        again = gateway.send("predictions?durable=1", GOOD)
        assert (again.status, again.content["outcomes"]) == (200, ["delivered"])


def test_what_is_on_disk_is_durable(tmp_path: Path) -> None:
    """With a spool a durable request is answered while Kafka is away: the event is on disk, and will be sent."""
    nowhere = KafkaSettings("127.0.0.1:1")
    channel = kafka_channel(nowhere, Limits(), SpoolSettings(tmp_path / "spool"))
    with running_gateway(channel=channel) as gateway:
        reply = gateway.send("predictions?durable=true", [GOOD, GOOD])
        assert (reply.status, reply.content["outcomes"]) == (200, ["spooled", "spooled"])
        assert (
            'hindcast_producer_spooled_total{model="*"} 2.0' in gateway.ask("GET", "/metrics").body.decode()
        )
    left = Spool(tmp_path / "spool").claim()
    assert left is not None
    assert {message.key.decode() for message in left.messages()} == set(reply.content["ids"])


def test_why_an_item_was_lost_is_said() -> None:
    """What is too large will always be: 200 with its outcome; what Kafka refuses today it may take tomorrow: 503."""
    sink = MemorySink(max_bytes=5_000)
    with running_gateway(SOON, sink=sink) as gateway:
        large = {**GOOD, "entity_id": "x" * 6_000}
        reply = gateway.send("predictions?durable=true", [large, GOOD])
        assert (reply.status, reply.content["outcomes"]) == (200, ["too_large", "delivered"])
        sink.refuse["predictions"] = "TOPIC_AUTHORIZATION_FAILED"
        reply = gateway.send("predictions?durable=true", GOOD)
        assert (reply.status, reply.content["outcomes"]) == (503, ["TOPIC_AUTHORIZATION_FAILED"])


def test_one_who_does_not_ask_does_not_wait() -> None:
    """Without `durable`, and with `durable=false`, the answer comes while Kafka is away."""
    sink = MemorySink()
    sink.away = True
    with running_gateway(sink=sink) as gateway:
        for path in ("predictions", "predictions?durable=false"):
            reply = gateway.send(path, GOOD)
            assert (reply.status, "outcomes" in reply.content) == (202, False)
        sink.away = False
    assert len(sink.records("predictions")) == 2


def test_a_channel_that_was_closed_takes_nothing() -> None:
    """It is a reason to come again, to another gateway."""
    sink = MemorySink()
    channel = Channel(sink, None)
    with running_gateway(sink=sink, channel=channel) as gateway:
        channel.close(1)
        assert gateway.send("predictions", GOOD).status == 503
        assert gateway.ask("GET", "/readyz").status == 503
