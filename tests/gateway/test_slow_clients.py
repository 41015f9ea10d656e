"""Clients that take their time, or never end: each is told so and let go, and the others are answered meanwhile."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from running_gateway import GOOD, RunningGateway, rest, running_gateway
from waiting import eventually

from producers.gateway.settings import HEAD_BYTES, GatewaySettings

HEAD = b"POST /v1/predictions HTTP/1.1\r\nHost: g\r\nContent-Type: application/json\r\n"


@pytest.fixture(scope="module")
def hasty() -> Iterator[RunningGateway]:
    """A gateway with little patience."""
    with running_gateway(GatewaySettings(head_s=0.5, body_s=0.5, write_s=0.5, connections=400)) as running:
        yield running


@pytest.mark.parametrize("said", [b"", b"P", HEAD, HEAD + b"X-A: b"])
def test_a_head_that_does_not_come_is_given_up(hasty: RunningGateway, said: bytes) -> None:
    """Nothing at all, a letter, or all but the end."""
    with hasty.connect() as link:
        link.sendall(said)
        answer = rest(link)
    assert answer.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
    assert answer.endswith(b'{"error":"a request\'s head did not arrive within 0.5 s"}')


def test_a_head_that_drips_is_given_up(hasty: RunningGateway) -> None:
    """A letter now and then does not prolong the time (slowloris)."""
    with hasty.connect() as link:
        link.sendall(HEAD)

        def dripped() -> bool:
            link.sendall(b"X-A: b\r\n")
            link.settimeout(0.01)
            try:
                return link.recv(100).startswith(b"HTTP/1.1 408 ")
            except TimeoutError:
                return False

        eventually(dripped, saying="the refusal")


def test_a_second_head_that_does_not_come_is_given_up(hasty: RunningGateway) -> None:
    """Behind a request that was answered."""
    with hasty.connect() as link:
        link.sendall(b"GET /healthz HTTP/1.1\r\nHost: g\r\n\r\nGET /he")
        answer = rest(link)
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"HTTP/1.1 408 " in answer


def test_a_head_behind_a_request_that_waits_has_time(hasty: RunningGateway) -> None:
    """The client is not to blame for what has to wait for Kafka before its next request is looked at."""
    hasty.sink.away = True
    good = json.dumps(GOOD).encode()
    with hasty.connect() as link:
        durable = HEAD.replace(b"predictions", b"predictions?durable=true")
        link.sendall(durable + b"Content-Length: %d\r\n\r\n%sGET /he" % (len(good), good))
        eventually(lambda: hasty.channel.stats().waiting == 1, saying="it waits")
        link.settimeout(2)
        with pytest.raises(TimeoutError):
            link.recv(1)
        hasty.sink.away = False
        link.settimeout(90)
        assert link.recv(100).startswith(b"HTTP/1.1 200 ")


def test_a_body_that_does_not_come_is_given_up(hasty: RunningGateway) -> None:
    """A part of it, and then nothing."""
    with hasty.connect() as link:
        link.sendall(HEAD + b'Content-Length: 100\r\n\r\n{"model"')
        answer = rest(link)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert answer.endswith(b'{"error":"the body did not arrive within 0.5 s"}')


def test_a_body_that_goes_on_after_its_refusal_is_cut_off(hasty: RunningGateway) -> None:
    """The refusal comes at once; whoever goes on sending may for a while, and not for ever."""
    with hasty.connect() as link:
        link.sendall(HEAD + b"Content-Length: 99999999999\r\n\r\n")
        assert link.recv(100).startswith(b"HTTP/1.1 413 ")

        def cut_off() -> bool:
            try:
                link.sendall(b"x" * 10_000)
            except OSError:
                return True
            return False

        eventually(cut_off, saying="the end of the connection")


def test_a_client_that_does_not_wait_for_leave_is_not_taken_for_its_next_request(
    hasty: RunningGateway,
) -> None:
    """A refusal to one that asks before it sends (`Expect`) ends the connection: its body may come or not."""
    with hasty.connect() as link:
        link.sendall(HEAD + b"Content-Length: 99999999999\r\nExpect: 100-continue\r\n\r\n")
        answer = rest(link)
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"connection: close" in answer


def test_a_head_without_end_is_refused(hasty: RunningGateway) -> None:
    """Beyond 64 KiB, in one header or in many."""
    for piece in (b"x" * 1_000, b"X-A: b\r\n" * 100):
        with hasty.connect() as link:
            link.sendall(HEAD + b"X-B: ")
            with pytest.raises(OSError):  # noqa: PT011, PT012 - whichever the end of a connection is
                for _ in range(HEAD_BYTES):
                    link.sendall(piece)
                    link.settimeout(0.001)
                    try:
                        assert link.recv(100).startswith(b"HTTP/1.1 431 ")
                    except TimeoutError:
                        continue
                    raise ConnectionResetError


def test_trailers_are_not_kept(hasty: RunningGateway) -> None:
    """What follows a body in chunks is thrown away as it comes."""
    with hasty.connect() as link:
        link.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n")
        link.sendall(b"X-T: y\r\n" * 5_000 + b"\r\n")
        assert link.recv(100).startswith(b"HTTP/1.1 422 ")
        (connection,) = hasty.server.server_state.connections
        assert [name for name, _ in connection.headers] == [b"host", b"content-type", b"transfer-encoding"]


def test_answers_that_nobody_reads_are_dropped(hasty: RunningGateway) -> None:
    """A client that asks and asks and does not read."""
    with hasty.connect() as link:
        link.settimeout(0.2)

        def cut_off() -> bool:
            try:
                link.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: g\r\n\r\n" * 100)
            except TimeoutError:
                return False
            except OSError:
                return True
            return False

        eventually(cut_off, saying="the end of the connection")


def test_many_slow_clients_keep_nobody_waiting(hasty: RunningGateway) -> None:
    """Three hundred at once; a good client is answered among them, and none of theirs stays."""
    links = [hasty.connect() for _ in range(300)]
    for number, link in enumerate(links):
        link.sendall(HEAD if number % 2 else HEAD + b"Content-Length: 9\r\n\r\n{")
    assert hasty.send("predictions", GOOD).status == 202
    assert all(rest(link).startswith(b"HTTP/1.1 408 ") for link in links)
    eventually(lambda: not hasty.server.server_state.connections, saying="all are gone")
    for link in links:
        link.close()


@pytest.mark.parametrize(
    "said",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200),
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST /v1/predictions HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST /v1/predictions HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"GET /\xff\xfe HTTP/1.1\r\n\r\n",
    ],
)
def test_what_is_no_http_is_refused(hasty: RunningGateway, said: bytes) -> None:
    """TLS to a port without, versions and lengths that are none."""
    with hasty.connect() as link:
        link.sendall(said)
        assert rest(link).startswith(b"HTTP/1.1 400 ")
