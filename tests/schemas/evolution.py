"""Whether a schema may follow the versions before it: BACKWARD_TRANSITIVE, and told apart by its fingerprint.

Avro's own resolution rules come from the reference implementation (package ``avro``). It, like the fingerprint, does
not look at logical types, and a change from micros to millis would be read silently wrong: so they are compared here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import avro.schema
from avro.compatibility import ReaderWriterCompatibilityChecker, SchemaCompatibilityType
from fastavro.schema import fingerprint, to_parsing_canonical_form


def objections(newer: str, older: Sequence[str]) -> list[str]:
    """Why a schema (JSON text) must not be shipped after the older ones; empty when it may."""
    found = []
    for place, text in enumerate(older, start=1):
        checker = ReaderWriterCompatibilityChecker()  # type: ignore[no-untyped-call]  # its package types only half
        answer = checker.get_compatibility(avro.schema.parse(newer), avro.schema.parse(text))
        if answer.compatibility is not SchemaCompatibilityType.compatible:
            found.append(f"cannot read v{place}: {sorted(answer.messages)} at {sorted(answer.locations)}")
        if _mark(newer) == _mark(text):
            found.append(f"shares the fingerprint of v{place}")
        before, after = dict(_logical_types(json.loads(text))), dict(_logical_types(json.loads(newer)))
        found += [
            f"reads {path} of v{place} in another unit"
            for path in before.keys() & after.keys()
            if before[path] != after[path]
        ]
    return found


def _mark(text: str) -> str:
    return str(fingerprint(to_parsing_canonical_form(json.loads(text)), "CRC-64-AVRO"))


def _logical_types(schema: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Each place in a schema whose values are numbers or strings, and its logical type, if any."""
    if isinstance(schema, list):
        for branch in schema:
            if branch != "null":
                yield from _logical_types(branch, path)
    elif isinstance(schema, str):
        yield path, ""
    elif schema["type"] == "record":
        for field in schema["fields"]:
            yield from _logical_types(field["type"], f"{path}.{field['name']}")
    elif schema["type"] in {"array", "map"}:
        yield from _logical_types(schema.get("items", schema.get("values")), f"{path}[]")
    else:
        yield path, schema.get("logicalType", "")
