"""Shipped schema versions stay as they are, and a new version can read all before it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any

import pytest
from evolution import objections

from producers.schema_files import by_fingerprint, schema_directory, shipped

Change = Callable[[dict[str, Any]], None]


def evolved(change: Change) -> list[str]:
    """Objections to a version of `prediction` that differs by one change from the first."""
    first = shipped()["prediction.v1"].text
    second = json.loads(first)
    change(second)
    return objections(json.dumps(second), [first])


def field(schema: dict[str, Any], name: str) -> dict[str, Any]:
    """The field of that name, to be changed in place."""
    return next(field for field in schema["fields"] if field["name"] == name)


def add(new: dict[str, Any]) -> Change:
    """The change that appends a field."""
    return lambda schema: schema["fields"].append(new)


def test_shipped_schemas_are_frozen() -> None:
    """The text of a shipped version is the text that `schemas/HASHES` holds (`sha256sum -c` reads it too).

    A changed schema is a new version in a new file; its line is added to HASHES.
    """
    lines = (schema_directory() / "HASHES").read_text(encoding="utf-8").splitlines()
    held = {name: digest for digest, name in (line.split() for line in lines)}
    found = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in schema_directory().glob("*.avsc")
    }
    assert held == found


def test_no_two_versions_share_a_fingerprint() -> None:
    """Each shipped version is named by a fingerprint of its own."""
    assert len(by_fingerprint()) == len(shipped())


def test_every_version_reads_all_before_it() -> None:
    """No shipped version raises an objection against its predecessors, and versions count from 1 without a gap."""
    for name in {schema.name for schema in shipped().values()}:
        versions = sorted(
            (s for s in shipped().values() if s.name == name), key=lambda schema: schema.version
        )
        assert [schema.version for schema in versions] == list(range(1, len(versions) + 1))
        for place, schema in enumerate(versions):
            assert objections(schema.text, [before.text for before in versions[:place]]) == []


@pytest.mark.parametrize(
    "change",
    [
        add({"name": "region", "type": ["null", "string"], "default": None}),
        lambda schema: schema["fields"].remove(field(schema, "rank")),
        lambda schema: field(schema, "latency_ms").update(name="took_ms", aliases=["latency_ms"]),
        lambda schema: field(schema, "item_index").update(type=["null", "long"]),
    ],
    ids=["field with default", "field dropped", "field renamed with alias", "int widened to long"],
)
def test_compatible_change_passes(change: Change) -> None:
    """A change that every older event survives raises no objection."""
    assert evolved(change) == []


@pytest.mark.parametrize(
    ("change", "objection"),
    [
        (add({"name": "region", "type": "string"}), "cannot read v1"),
        (lambda schema: field(schema, "score").update(type=["null", "long"]), "cannot read v1"),
        (lambda schema: field(schema, "status").update(default="fine"), "shares the fingerprint"),
        (lambda schema: field(schema, "model").update(default="m"), "shares the fingerprint"),
        (lambda schema: field(schema, "event_time")["type"].update(logicalType="timestamp-millis"), "unit"),
        (lambda schema: schema.update(doc="Said differently."), "shares the fingerprint"),
    ],
    ids=[
        "field without default",
        "double narrowed",
        "another default",
        "default added",
        "micros to millis",
        "doc",
    ],
)
def test_incompatible_change_is_refused(change: Change, objection: str) -> None:
    """A change that breaks older events, or that a fingerprint cannot tell, is refused and says why."""
    assert any(objection in said for said in evolved(change))


def test_transitive() -> None:
    """A version is held against all before it, not only the last: a field dropped in between may not come back."""
    first = {"type": "record", "name": "R", "fields": [{"name": "a", "type": "string"}]}
    second = {"type": "record", "name": "R", "fields": []}
    third = {"type": "record", "name": "R", "fields": [{"name": "a", "type": "long", "default": 0}]}
    texts = [json.dumps(schema) for schema in (first, second, third)]
    assert objections(texts[2], [texts[1]]) == []
    assert objections(texts[2], texts[:2]) != []
