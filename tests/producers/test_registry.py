"""The schema registry's client, against a small HTTP server that answers as Confluent's does."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from waiting import eventually

from producers.codec import decode, encode
from producers.errors import ConfigError, TransientError, UnknownSchema
from producers.ids import new_id
from producers.intake import Intake
from producers.limits import Limits
from producers.registry import SchemaRegistry
from producers.said import RecordKind, Said
from producers.schema_files import shipped
from producers.sender import Sender
from producers.testing import MemorySink


class Server(ThreadingHTTPServer):
    """Registers schemas per subject, gives ids, asks for a password; ``failing`` makes it answer that code."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.schemas: list[str] = []
        self.asked: list[str] = []
        self.failing = 0

    @property
    def url(self) -> str:
        """Its address with its user and password."""
        return f"http://us%40er:pass@127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    """POST /subjects/{subject}/versions and GET /schemas/ids/{id}."""

    server: Server

    def do_POST(self) -> None:
        """Register a schema."""
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        assert body["schemaType"] == "AVRO"
        if body["schema"] not in self.server.schemas:
            self.server.schemas.append(body["schema"])
        self._answer({"id": self.server.schemas.index(body["schema"]) + 1})

    def do_GET(self) -> None:
        """Give a schema."""
        place = int(self.path.rsplit("/", 1)[1]) - 1
        if place >= len(self.server.schemas):
            self._answer({"error_code": 40403}, 404)
        else:
            self._answer({"schema": self.server.schemas[place]})

    def _answer(self, body: dict[str, Any], code: int = 200) -> None:
        self.server.asked.append(f"{self.command} {self.path}")
        if self.headers["Authorization"] != "Basic " + base64.b64encode(b"us@er:pass").decode():
            code = 401
        text = json.dumps(body).encode()
        self.send_response(self.server.failing or code)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[Server]:
    """A running registry."""
    made = Server()
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield made
    made.shutdown()
    thread.join()
    made.server_close()


def test_messages_travel_by_id(server: Server) -> None:
    """What one process encodes with an id another decodes by it; each id is asked for once."""
    writer, reader = SchemaRegistry(server.url), SchemaRegistry(server.url + "/")
    record = {
        "topic_id": "t",
        "source_partition": 0,
        "first_offset": 1,
        "next_offset": 2,
        "events": 1,
        "dead_letters": 0,
    }
    record |= {"reached_end": True, "profiler_id": "p", "max_event_time": None, "newest_append_time": None}
    for _ in range(3):
        value = encode("stretch", record, writer)
        assert value[:5] == b"\x00\x00\x00\x00\x01"
        assert decode(value, reader) == ("stretch", record)
    assert server.asked == ["POST /subjects/hindcast.Stretch/versions", "GET /schemas/ids/1"]


def test_an_id_nobody_shipped(server: Server) -> None:
    """An id that is not registered, and an id of somebody else's schema, are unknown schemas."""
    server.schemas.append('{"type": "record", "name": "Alien", "fields": []}')
    for schema_id in (1, 9):
        with pytest.raises(UnknownSchema, match=f"registry id {schema_id}"):
            SchemaRegistry(server.url).schema_of(schema_id)


@pytest.mark.parametrize(
    ("code", "error"), [(403, ConfigError), (409, ConfigError), (500, TransientError), (503, TransientError)]
)
def test_what_the_registry_answers_says_what_to_do(server: Server, code: int, error: type[Exception]) -> None:
    """A refusal is a setting to mend, a failure passes; the message has the address and never the password."""
    server.failing = code
    with pytest.raises(error, match=r"127\.0\.0\.1") as said:
        SchemaRegistry(server.url).id_of(shipped()["prediction.v1"])
    assert "pass@" not in str(said.value)


def test_nobody_answers() -> None:
    """No registry is a fault that passes."""
    with pytest.raises(TransientError, match=r"no schema registry answers at 127\.0\.0\.1:1 "):
        SchemaRegistry("http://127.0.0.1:1").id_of(shipped()["prediction.v1"])


@pytest.mark.parametrize("url", ["registry:8081", "file:///etc/passwd", "http://", ""])
def test_what_is_no_address(url: str) -> None:
    """Anything but an http address is refused by the variable's name."""
    with pytest.raises(ConfigError, match="HINDCAST_SCHEMA_REGISTRY"):
        SchemaRegistry(url)


def test_events_wait_for_a_registry_that_is_away(server: Server) -> None:
    """While the registry fails events wait; when it is back they arrive, framed with its id."""
    server.failing = 503
    sink, intake = MemorySink(), Intake(new_id(), Limits(100))
    sender = Sender(intake, sink, SchemaRegistry(server.url))
    intake.say(Said(RecordKind("deployments", "m"), _deployment(), "production", 0))
    eventually(lambda: len(server.asked) >= 2, saying="attempts")
    assert intake.stats().waiting == 1
    server.failing = 0
    eventually(lambda: intake.stats().delivered == 1, saying="delivery")
    assert sink.messages[0].value[:4] == b"\x00\x00\x00\x00"
    sender.close(1)


def _deployment() -> dict[str, object]:
    return {"model": "m", "model_version": "1", "environment": "e", "role": "champion", "valid_from": 0}
