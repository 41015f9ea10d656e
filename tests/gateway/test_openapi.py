"""The description is made from the shipped schemas, says what the gateway does, and needs nothing from elsewhere."""

from __future__ import annotations

import json
import re
from typing import Any

import jsonschema
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from running_gateway import RunningGateway
from test_bad_json import ITEMS

from producers.gateway.examining import examine
from producers.gateway.items import STREAMS, Event
from producers.gateway.openapi import document, item_schema
from producers.gateway.page import page
from producers.gateway.settings import GatewaySettings
from producers.schema_files import newest

# fields that clients do not say, and those that stand for others
LEFT_OUT = {"producer_id", "sequence", "numeric_features", "categorical_features"}
INSTEAD = {"features", "categorical"}


@pytest.mark.parametrize("name", STREAMS)
def test_items_have_the_fields_of_their_schema(name: str) -> None:
    """In the code that takes them and in the description, with the schema's words; a new version that differs is noticed here."""
    stream = STREAMS[name]
    avro = {field["name"]: field["doc"] for field in newest(stream.schema).parsed["fields"]}
    taken = {field.name for field in msgspec.structs.fields(stream.item)}
    described = item_schema(stream)["properties"]
    assert taken - INSTEAD == set(avro) - LEFT_OUT
    assert taken == set(described)
    assert [one for one in taken - INSTEAD if not described[one]["description"].startswith(avro[one])] == []
    assert [one for one in taken if not described[one]["description"]] == []


@pytest.mark.parametrize("name", STREAMS)
def test_defaults_and_required_fields_are_those_of_the_code(name: str) -> None:
    """What the description leaves open, the code takes; what it asks for, the code asks for."""
    for field in msgspec.structs.fields(STREAMS[name].item):
        described = item_schema(STREAMS[name])["properties"][field.name]
        assert field.required == (field.name in item_schema(STREAMS[name])["required"])
        if field.required:
            continue
        default = field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory()
        assert described.get("default") == default
        assert default is not None or "null" in described["type"]


@given(item=ITEMS, name=st.sampled_from(sorted(STREAMS)))
def test_what_is_taken_is_described(item: dict[str, Any], name: str) -> None:
    """No item is taken that the description forbids."""
    (found,) = examine(STREAMS[name], [json.dumps(item).encode()], 0, lambda _model: True)
    if isinstance(found, Event):
        jsonschema.validate(item, item_schema(STREAMS[name]))


def test_the_description_forbids_what_is_refused() -> None:
    """Unknown fields, missing ones and wrong types: the checks above can fail."""
    for item in (
        {},
        {"model": "m", "model_version": "1", "x": 1},
        {"model": "m", "model_version": "1", "features": 1},
    ):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(item, item_schema(STREAMS["predictions"]))


def test_the_gateway_describes_itself(gateway: RunningGateway) -> None:
    """`/openapi.json` names every path, and every reference in it leads somewhere."""
    described = gateway.ask("GET", "/openapi.json").content
    assert described == json.loads(json.dumps(document(GatewaySettings())))
    assert described["openapi"].startswith("3.1")
    assert set(described["paths"]) == {f"/v1/{name}" for name in STREAMS} | {
        "/healthz",
        "/readyz",
        "/metrics",
    }
    for path in described["paths"]:
        assert gateway.ask("POST" if path.startswith("/v1") else "GET", path).status != 404
    named = set(re.findall(r'"#/components/schemas/(\w+)"', json.dumps(described)))
    assert named == set(described["components"]["schemas"])


def test_answers_are_as_described(gateway: RunningGateway) -> None:
    """Of a request that was looked at, and of one that was not."""
    schemas = document(GatewaySettings())["components"]["schemas"]
    looked_at = gateway.send("predictions?durable=true", [{}, {"model": "m", "model_version": "1"}])
    jsonschema.validate(looked_at.content, {**schemas["Taken"], "additionalProperties": False})
    assert set(looked_at.content) == set(schemas["Taken"]["properties"])
    jsonschema.validate(
        gateway.send("predictions", b"").content, {**schemas["Failed"], "additionalProperties": False}
    )


def test_the_page_needs_nothing_from_elsewhere(gateway: RunningGateway) -> None:
    """No script, no address but our own, and the browser is told to load nothing; every field and status stands on it."""
    reply = gateway.ask("GET", "/")
    text = reply.body.decode()
    assert reply.headers["content-type"] == "text/html; charset=utf-8"
    assert reply.headers["content-security-policy"].startswith("default-src 'none'")
    assert "<script" not in text
    assert set(re.findall(r'(?:href|src)="([^"]*)"', text)) == {
        "/openapi.json",
        "#Prediction",
        "#Label",
        "#Deployment",
    }
    assert [
        name
        for name in item_schema(STREAMS["predictions"])["properties"]
        if f"<code>{name}</code>" not in text
    ] == []
    assert all(
        f"<td>{status}</td>" in text for status in (200, 202, 400, 401, 403, 408, 413, 415, 422, 429, 503)
    )


def test_words_of_the_description_are_no_markup() -> None:
    """A schema's word may hold what HTML would take for a tag."""
    described = document(GatewaySettings())
    described["info"] = {"title": "<b>", "description": "a < b"}
    assert "<b>" not in page(described)
    assert "a &lt; b" in page(described)


def test_keys_are_described_where_they_are_wanted(tmp_path: Any) -> None:
    """And nowhere else."""
    assert document(GatewaySettings())["security"] == []
    assert document(GatewaySettings(keys=tmp_path))["security"] == [{"key": []}]
