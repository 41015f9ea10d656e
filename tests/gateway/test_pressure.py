"""More than can be taken is refused whole, with a time to come again: 503 where Kafka is slow, 429 where clients are too many."""

from __future__ import annotations

import json

from running_gateway import GOOD, Reply, running_gateway
from waiting import eventually

from producers.gateway.settings import GatewaySettings
from producers.limits import Limits
from producers.testing import MemorySink

KIB = 1024
HEAD = (
    "POST /v1/predictions HTTP/1.1\r\nHost: g\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n"
)


def may_come_again(reply: Reply, status: int) -> bool:
    """A refusal that says when."""
    return reply.status == status and int(reply.headers["retry-after"]) > 0


def test_a_request_that_finds_no_room_leaves_nothing_behind() -> None:
    """It is taken whole or not at all, so it may be sent again as it is; `/readyz` says that there is no room."""
    sink = MemorySink(capacity=1)
    sink.away = True
    with running_gateway(GatewaySettings(items=10), sink=sink, limits=Limits(events=10)) as gateway:
        assert gateway.ask("GET", "/readyz").status == 200
        assert gateway.send("predictions", [GOOD] * 8).status == 202
        reply = gateway.send("predictions", [GOOD] * 8)
        assert may_come_again(reply, 503)
        assert reply.content == {"error": "no room for so many events now: nothing was taken, send it again"}
        eventually(lambda: gateway.send("predictions", GOOD).status == 503, saying="the queue is full")
        ready = gateway.ask("GET", "/readyz")
        assert (ready.status, ready.body[:8]) == (503, b"no room ")
        assert gateway.ask("GET", "/healthz").status == 200
        accepted = gateway.channel.stats().accepted
        sink.away = False
        eventually(lambda: gateway.send("predictions", [GOOD] * 8).status == 202, saying="room again")
        assert gateway.ask("GET", "/readyz").body == b"ready\n"
        eventually(lambda: len(sink.records("predictions")) == accepted + 8, saying="all that was accepted")
        assert gateway.channel.stats().dropped == {}


def test_bodies_that_are_on_their_way_are_bounded() -> None:
    """What one slow client holds is not there for another, who is told to come again."""
    settings = GatewaySettings(body_bytes=64 * KIB, held_bytes=128 * KIB)
    body = json.dumps({**GOOD, "entity_id": "x" * 60 * KIB}).encode()
    with running_gateway(settings) as gateway:
        slow = [gateway.connect() for _ in range(2)]
        for link in slow:
            link.sendall(HEAD.format(len(body)).encode() + body[:-1])
        held = f"hindcast_gateway_held_bytes {2.0 * (len(body) - 1)}"
        eventually(lambda: held in gateway.ask("GET", "/metrics").body.decode(), saying="both are held")
        reply = gateway.send("predictions", body)
        assert may_come_again(reply, 429)
        assert reply.content == {
            "error": "more is being sent at once than the gateway holds: send again later"
        }
        for link in slow:
            link.sendall(body[-1:])
            assert link.recv(100).startswith(b"HTTP/1.1 202 ")
            link.close()
        assert gateway.send("predictions", body).status == 202


def test_connections_are_bounded() -> None:
    """One more is told so, and ended; when another ends, there is room."""
    with running_gateway(GatewaySettings(connections=3)) as gateway:
        links = [gateway.connect() for _ in range(3)]
        eventually(lambda: len(gateway.server.server_state.connections) == 3, saying="they are open")
        reply = gateway.ask("GET", "/healthz")
        assert may_come_again(reply, 503)
        assert reply.content == {"error": "too many connections"}
        links.pop().close()
        eventually(lambda: gateway.ask("GET", "/healthz").status == 200, saying="room for another")
        for link in links:
            link.close()
