"""The schema registry's client, against a small HTTP server that answers as Confluent's does."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from registry_server import Server, running_registry
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


@pytest.fixture
def server() -> Iterator[Server]:
    """A running registry."""
    with running_registry() as made:
        yield made


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


def test_no_proxy_is_asked_for_this_machine(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy that the environment names for the world outside does not know what listens here."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    assert SchemaRegistry(server.url).id_of(shipped()["stretch.v1"]) == 1


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


@pytest.mark.parametrize(
    "url", ["registry:8081", "file:///etc/passwd", "http://", "http://r:99999", "http://[::1", "nourl"]
)
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
