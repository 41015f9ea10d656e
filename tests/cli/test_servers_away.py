"""Servers that are away, refuse or are something else: one line from every command, and no word of a library beside it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import urlsplit

import pytest

from hindcast.__main__ import run

ASKING = [
    "query volume -p model=m",
    "sql SELECT(1)",
    "migrate --dry-run",
    "dead-letters list",
    "dead-letters replay --yes",
]


class _SomethingElse(BaseHTTPRequestHandler):
    """A web server that is no ClickHouse."""

    def do_POST(self) -> None:
        """Whatever is asked."""
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"<html>\nwelcome\n</html>")

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture(scope="module")
def something_else() -> Iterator[str]:
    """Its address."""
    with HTTPServer(("127.0.0.1", 0), _SomethingElse) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def told(capfd: pytest.CaptureFixture[str], line: str, code: int) -> str:
    """The one line on stderr, written by whomever, of a command that ends with this code."""
    assert run(line.split(" ")) == code
    said = capfd.readouterr()
    assert said.out == ""
    assert said.err.startswith("hindcast: ")
    assert said.err.count("\n") == 1, said.err
    return said.err


@pytest.fixture
def somewhere(monkeypatch: pytest.MonkeyPatch, topic_prefix: str) -> pytest.MonkeyPatch:
    """An environment whose servers are to be named."""
    monkeypatch.setenv("HINDCAST_KAFKA", "127.0.0.1:1")
    monkeypatch.setenv("HINDCAST_CLICKHOUSE", "http://127.0.0.1:1")
    monkeypatch.setenv("HINDCAST_TOPIC_PREFIX", topic_prefix)
    return monkeypatch


@pytest.mark.parametrize("line", [*ASKING, "migrate"])
def test_a_clickhouse_that_is_away_is_named(
    somewhere: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], line: str
) -> None:
    """A closed port, and a host that nobody knows."""
    assert "ClickHouse does not answer at 127.0.0.1:1: is it running" in told(capfd, line, 3)
    somewhere.setenv("HINDCAST_CLICKHOUSE", "http://no-such-host.invalid:8123")
    assert "does not answer at no-such-host.invalid:8123" in told(capfd, line, 3)


@pytest.mark.parametrize("line", [*ASKING, "migrate"])
def test_what_is_no_clickhouse_is_named(
    somewhere: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], something_else: str, line: str
) -> None:
    """Another web server at the address."""
    somewhere.setenv("HINDCAST_CLICKHOUSE", something_else)
    assert urlsplit(something_else).netloc in told(capfd, line, 3)


@pytest.mark.parametrize("line", [*ASKING, "migrate"])
def test_a_wrong_password_is_named(
    somewhere: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], clickhouse: str, line: str
) -> None:
    """Without the password."""
    parts = urlsplit(clickhouse)
    somewhere.setenv("HINDCAST_CLICKHOUSE", f"http://default:wrong@{parts.hostname}:{parts.port}")
    said = told(capfd, line, 2)
    assert "ClickHouse refuses this user or password" in said
    assert "wrong" not in said


@pytest.mark.parametrize(
    "line", ["query volume -p model=m", "dead-letters list", "dead-letters replay --yes"]
)
def test_a_database_that_is_not_there_is_named(
    somewhere: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], clickhouse: str, line: str
) -> None:
    """With the command that makes it."""
    somewhere.setenv("HINDCAST_CLICKHOUSE", clickhouse)
    somewhere.setenv("HINDCAST_DATABASE", "nobody_made_this")
    assert "database nobody_made_this does not exist (yet): `hindcast migrate`" in told(capfd, line, 3)


@pytest.mark.parametrize("line", ["topics", "resume"])
def test_a_kafka_that_is_away_is_named(
    somewhere: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], line: str
) -> None:
    """The client's own complaints about each attempt stay with it."""
    assert "no Kafka answers at 127.0.0.1:1 (Connect to ipv4#127.0.0.1:1 failed" in told(capfd, line, 3)
