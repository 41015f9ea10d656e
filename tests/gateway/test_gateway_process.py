"""The process: it ends in order at SIGTERM, speaks TLS, stays small under abuse, and says in one line why it does not start."""

from __future__ import annotations

import gzip
import http.client
import json
import signal
import socket
import ssl
import subprocess
import sys
import threading
import tomllib
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
import trustme
from gateway_process import ROOT, GatewayProcess, environment, gateway_process
from running_gateway import GOOD, JSON, Reply, reply_of, rest
from waiting import eventually

from hindcast.__main__ import run
from producers.codec import decode
from producers.settings import KafkaSettings
from stream_processors.kafka import Message

NOWHERE = {"HINDCAST_KAFKA": "127.0.0.1:1"}
MIB = 1024 * 1024


def kafka_of(settings: KafkaSettings) -> dict[str, str]:
    """The variables that name it."""
    return {"HINDCAST_KAFKA": settings.bootstrap, "HINDCAST_TOPIC_PREFIX": settings.topic_prefix}


def test_what_was_accepted_is_in_kafka_after_sigterm(
    settings: KafkaSettings, read_all: Callable[[str], list[Message]], tmp_path: Path
) -> None:
    """In the middle of traffic: requests that run are answered, and every id that was answered stands in Kafka once."""
    ids: list[str] = []
    enough = threading.Event()

    def send(gateway: GatewayProcess) -> None:
        link = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=90)
        try:
            while True:
                link.request("POST", "/v1/predictions", json.dumps([GOOD] * 50), JSON)
                reply = reply_of(link)
                assert reply.status == 202, reply
                ids.extend(reply.content["ids"])
                if len(ids) > 2_000:
                    enough.set()
        except OSError:  # the gateway has gone
            pass

    with gateway_process(tmp_path, variables=kafka_of(settings)) as gateway:
        threads = [threading.Thread(target=send, args=(gateway,)) for _ in range(3)]
        for thread in threads:
            thread.start()
        assert enough.wait(90)
        gateway.process.send_signal(signal.SIGTERM)
        for thread in threads:
            thread.join(90)
        assert gateway.ended() == 0
        assert "Traceback" not in gateway.log.read_text()
    arrived = [decode(message.value())[1]["prediction_id"] for message in read_all("predictions")]
    assert len(ids) == len(set(ids))
    # a request whose answer could not be read any more may have been taken
    assert set(ids) <= set(arrived)
    assert len(arrived) == len(set(arrived))
    (*_, last) = sorted(
        (decode(message.value())[1] for message in read_all("ledger")), key=lambda one: one["sent_at"]
    )
    assert (last["closing"], last["accepted"], last["delivered"]) == (True, len(arrived), len(arrived))


def test_nobody_keeps_it_from_ending(tmp_path: Path) -> None:
    """A body that does not come, a durable request that Kafka does not answer, an idle connection: each is let go in order."""
    variables = {**NOWHERE, "HINDCAST_GATEWAY_DRAIN_S": "6"}
    with gateway_process(tmp_path, variables=variables) as gateway:
        links = [socket.create_connection(("127.0.0.1", gateway.port), timeout=90) for _ in range(3)]
        head = b"POST /v1/predictions?durable=true HTTP/1.1\r\nHost: g\r\nContent-Type: application/json\r\n"
        good = json.dumps(GOOD).encode()
        links[0].sendall(head + b"Content-Length: 9\r\n\r\n{")
        links[1].sendall(head + b"Content-Length: %d\r\n\r\n%s" % (len(good), good))
        waits = 'hindcast_producer_waiting{model="*"} 1.0'
        eventually(lambda: waits in asked(gateway, "/metrics"), saying="it waits for Kafka")
        gateway.process.send_signal(signal.SIGTERM)
        assert rest(links[0]).startswith(b"HTTP/1.1 408 ")
        assert b'"outcomes":["pending"]' in rest(links[1])
        assert rest(links[2]) == b""
        assert gateway.ended() == 0
        said = gateway.log.read_text()
        assert "Traceback" not in said
        for link in links:
            link.close()


def asked(gateway: GatewayProcess, path: str) -> str:
    """What a GET is answered."""
    link = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=90)
    link.request("GET", path)
    reply = reply_of(link)
    link.close()
    return reply.body.decode()


def test_abuse_leaves_no_memory_behind(tmp_path: Path) -> None:
    """Garbage, bombs, depth, bodies that are too long or stop half-way: after a hundred of them the process is as small as after ten."""
    long = b'[{"model": "' + b"x" * (7 * MIB)
    abuses = [
        (gzip.compress(bytes(100 * MIB)), {**JSON, "Content-Encoding": "gzip"}),
        (b"[" * MIB, JSON),
        (b"[" + b"0," * 290_000 + b"0]", JSON),
        (b'[{"model":"m","model_version":"1","features":{' + b",".join(b'"%d":[]' % n for n in range(200_000)) + b"}}]", JSON),
        (long, JSON),
        (long + b"x" * 2 * MIB, JSON),
        (bytes(range(256)) * 4_000, JSON),
    ]  # fmt: skip
    with gateway_process(tmp_path, variables=NOWHERE) as gateway:
        process = psutil.Process(gateway.process.pid)

        def round_of_abuse() -> int:
            for body, headers in abuses:
                link = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=90)
                link.request("POST", "/v1/predictions", body, headers)
                assert reply_of(link).status in {400, 413, 422}
                link.close()
            with socket.create_connection(("127.0.0.1", gateway.port), timeout=90) as link:
                head = b"POST /v1/predictions HTTP/1.1\r\nHost: g\r\nContent-Type: application/json\r\n"
                link.sendall(head + b"Content-Length: 8000000\r\n\r\n" + long)
            return int(process.memory_info().rss)

        before = max(round_of_abuse() for _ in range(4))
        after = min(round_of_abuse() for _ in range(12))
        # each of these requests alone holds so much while it runs
        assert after - before < 8 * MIB
        assert asked(gateway, "/healthz") == "ok\n"
        free = "hindcast_gateway_held_bytes 0.0"
        eventually(lambda: free in asked(gateway, "/metrics"), saying="the last half body is let go")
        assert "Traceback" not in gateway.log.read_text()


@pytest.fixture
def authority(tmp_path: Path) -> tuple[trustme.CA, dict[str, Path]]:
    """A certificate authority, and files of it, of a server's certificate for loopback, and of the server's key."""
    made = trustme.CA()
    of_server = made.issue_cert("127.0.0.1")
    files = {name: tmp_path / f"{name}.pem" for name in ("ca", "certificate", "key")}
    made.cert_pem.write_to_path(str(files["ca"]))
    of_server.cert_chain_pems[0].write_to_path(str(files["certificate"]))
    of_server.private_key_pem.write_to_path(str(files["key"]))
    return made, files


def test_it_speaks_tls(tmp_path: Path, authority: tuple[trustme.CA, dict[str, Path]]) -> None:
    """With uvicorn's options: a client with a certificate is answered, one without is not, nor is plain HTTP."""
    made, files = authority
    options = (
        "--ssl-certfile",
        files["certificate"],
        "--ssl-keyfile",
        files["key"],
        "--ssl-ca-certs",
        files["ca"],
    )
    with gateway_process(tmp_path, *map(str, options), variables=NOWHERE) as gateway:
        assert gateway.url.startswith("https://127.0.0.1:")
        stranger = ssl.create_default_context(cafile=str(files["ca"]))
        known = ssl.create_default_context(cafile=str(files["ca"]))
        made.issue_cert("client@example.org").configure_cert(known)
        link = http.client.HTTPSConnection("127.0.0.1", gateway.port, timeout=90, context=known)
        link.request("POST", "/v1/predictions", json.dumps(GOOD), JSON)
        assert reply_of(link).status == 202
        link.close()
        for refused in (
            http.client.HTTPSConnection("127.0.0.1", gateway.port, timeout=90, context=stranger),
            http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=90),
        ):
            with pytest.raises((OSError, http.client.HTTPException)):
                answered(refused)


def answered(link: http.client.HTTPConnection) -> Reply:
    """The answer to a GET."""
    link.request("GET", "/healthz")
    return reply_of(link)


@pytest.mark.parametrize(
    ("line", "variables", "code", "why"),
    [
        ("--host 0.0.0.0", {}, 2, "without keys whoever reaches 0.0.0.0 may send: name a key file (--keys), or say"),
        ("--host 192.0.2.1 --without-keys", {}, 2, "cannot listen on 192.0.2.1 port 8700: Cannot assign"),
        ("--host no-such-host.invalid --without-keys", {}, 2, "cannot listen on no-such-host.invalid: "),
        ("--keys nowhere.json", {}, 2, "the key file nowhere.json cannot be read: No such file"),
        ("--ssl-certfile nowhere.pem", {}, 2, "TLS: No such file or directory (nowhere.pem"),
        ("", {"HINDCAST_GATEWAY_ITEMS": "many"}, 2, "HINDCAST_GATEWAY_ITEMS is 'many': a number is wanted"),
        ("", {"HINDCAST_GATEWAY_ITEMS": "1.5"}, 2, "HINDCAST_GATEWAY_ITEMS is 1.5: a whole number is wanted"),
        ("", {"HINDCAST_GATEWAY_ITEMS": "200000"}, 2, "HINDCAST_GATEWAY_ITEMS is 200000: a request of more than 100000"),
        ("", {"HINDCAST_GATEWAY_HELD_BYTES": "9"}, 2, "HINDCAST_GATEWAY_HELD_BYTES is 9: at least twice"),
        ("", {"HINDCAST_GATEWAY_BODY_S": "0"}, 2, "HINDCAST_GATEWAY_BODY_S is 0: at least 0.1 is wanted"),
        ("", {"HINDCAST_GATEWAY_DRAIN_S": "2"}, 2, "HINDCAST_GATEWAY_DRAIN_S is 2: at least 3 is wanted"),
        ("", {"HINDCAST_KAFKA": "nonsense:x"}, 2, "HINDCAST_KAFKA is 'nonsense:x': host:port is wanted"),
    ],
)  # fmt: skip
def test_why_it_does_not_start_is_one_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    line: str,
    variables: dict[str, str],
    code: int,
    why: str,
) -> None:
    """That names the option or the variable."""
    monkeypatch.chdir(tmp_path)
    for name, value in {**NOWHERE, **variables}.items():
        monkeypatch.setenv(name, value)
    assert run(["gateway", *line.split()]) == code
    said = capsys.readouterr().err
    assert said.startswith(f"hindcast: {why}"), said
    assert said.count("\n") == 1


def test_a_port_in_use_is_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """And nothing was started."""
    monkeypatch.setenv("HINDCAST_KAFKA", "127.0.0.1:1")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert run(["gateway", "--port", str(port)]) == 2
    assert (
        capsys.readouterr().err
        == f"hindcast: cannot listen on 127.0.0.1 port {port}: Address already in use\n"
    )


def test_the_extra_brings_what_it_needs() -> None:
    """With `hindcast[gateway]` alone the command runs: whatever it loads is of the core, of this extra, or needed by one of them."""
    program = (
        "import hindcast.cli.gateway, producers.gateway.server, producers.gateway.keys, sys\n"
        "print(*{m.partition('.')[0] for m, of in sys.modules.items() if getattr(of, '__file__', None)} - sys.stdlib_module_names)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment(), capture_output=True, text=True, check=True
    )
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    named = [*project["dependencies"], *project["optional-dependencies"]["gateway"]]
    ours = {text.partition(">")[0].replace("-", "_").partition(".")[0] for text in named}
    ours |= {"producers", "hindcast"}
    # what starlette, uvicorn and fastavro bring along, and what a checkout's own installation adds
    brought = {"anyio", "h11", "idna", "sniffio", "typing_extensions", "_distutils_hack", "cramjam", "lz4"}
    assert {"msgspec", "starlette", "uvicorn", "httptools"} <= set(done.stdout.split())
    assert set(done.stdout.split()) - ours - brought == set()
