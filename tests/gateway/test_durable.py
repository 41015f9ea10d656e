"""A durable request is answered when Kafka has spoken: what became of each item."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
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
    """What Kafka refuses today it may take tomorrow: 503, with the name of its error."""
    sink = MemorySink()
    with running_gateway(SOON, sink=sink) as gateway:
        sink.refuse["predictions"] = "TOPIC_AUTHORIZATION_FAILED"
        reply = gateway.send("predictions?durable=true", GOOD)
        assert (reply.status, reply.content["outcomes"]) == (503, ["TOPIC_AUTHORIZATION_FAILED"])


def test_what_is_too_large_for_kafka_is_refused(settings: KafkaSettings) -> None:
    """It will always be: it stands in `errors` beside what does not fit, has no id, and alone it is 422; what is good is in Kafka."""
    large = {**GOOD, "entity_id": "x" * 1_100_000}
    with running_gateway(channel=kafka_channel(settings, Limits(), SpoolSettings())) as gateway:
        reply = gateway.send("predictions?durable=true", [GOOD, large, {}])
        assert (reply.status, reply.content["accepted"], reply.content["refused"]) == (200, 1, 2)
        assert reply.content["outcomes"] == ["delivered", "refused", "refused"]
        assert [one is None for one in reply.content["ids"]] == [False, True, True]
        too_large, missing = reply.content["errors"]
        assert too_large == {"index": 1, "field": "", "reason": "is larger than Kafka takes"}
        assert missing["index"] == 2
        alone = gateway.send("predictions?durable=true", large)
        assert (alone.status, alone.content["accepted"], alone.content["outcomes"]) == (422, 0, ["refused"])


def test_an_item_that_is_too_large_hides_nothing() -> None:
    """Beside it an item that is not durable yet is 503 as ever."""
    sink = MemorySink(max_bytes=5_000)
    with running_gateway(SOON, sink=sink) as gateway:
        sink.refuse["labels"] = "TOPIC_AUTHORIZATION_FAILED"
        label = {"model": "churn", "prediction_id": "p", "truth": "leave"}
        reply = gateway.send("labels?durable=true", [{**label, "source": "x" * 6_000}, label])
        assert (reply.status, reply.content["outcomes"]) == (503, ["refused", "TOPIC_AUTHORIZATION_FAILED"])


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


def test_the_end_is_shared_by_requests_and_kafka(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a durable request waited is not given to Kafka again, and both leave the process time to go."""
    sink = MemorySink()
    sink.away = True
    given: list[float] = []
    with running_gateway(GatewaySettings(drain_s=6), sink=sink) as gateway:
        close = gateway.channel.close
        monkeypatch.setattr(gateway.channel, "close", lambda timeout: given.append(timeout) or close(0))
        asked = ThreadPoolExecutor(1).submit(gateway.send, "predictions?durable=true", GOOD)
        eventually(lambda: gateway.channel.stats().waiting == 1, saying="it waits for Kafka")
    assert asked.result().content["outcomes"] == ["pending"]
    # two of six seconds were the request's, and two are for leaving
    assert 0 <= given[0] <= 2


def test_a_channel_that_was_closed_takes_nothing() -> None:
    """It is a reason to come again, to another gateway."""
    sink = MemorySink()
    channel = Channel(sink, None)
    with running_gateway(sink=sink, channel=channel) as gateway:
        channel.close(1)
        assert gateway.send("predictions", GOOD).status == 503
        assert gateway.ask("GET", "/readyz").status == 503
