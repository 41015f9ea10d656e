"""The page for people: the OpenAPI description as HTML, without a script or anything from elsewhere. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from html import escape
from typing import Any

from producers.gateway.openapi import Json

_STYLE = (
    "body{font:16px/1.5 sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222}"
    "table{border-collapse:collapse;width:100%}td,th{border-top:1px solid #ccc;padding:.3rem .6rem;text-align:left;vertical-align:top}"
    "code{background:#f2f2f2;padding:0 .2rem}"
)
_CODE = re.compile(r"`([^`]+)`")


def page(document: Json) -> str:
    """One HTML page."""
    return "".join(_parts(document))


def _parts(document: Json) -> Iterator[str]:
    info = document["info"]
    yield f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{_text(info["title"])}</title>'
    yield f"<style>{_STYLE}</style></head><body><h1>{_text(info['title'])}</h1><p>{_text(info['description'])}</p>"
    yield '<p>For programs: <a href="/openapi.json">openapi.json</a> (OpenAPI 3.1).</p>'
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            yield f"<h2><code>{method.upper()} {_text(path)}</code></h2><p>{_text(operation['summary'])}</p>"
            if method == "post":
                yield from _operation(operation)
    for name, schema in document["components"]["schemas"].items():
        yield f'<h2 id="{name}">{name}</h2><p>{_text(schema["description"])}</p>'
        yield from _fields(schema)
    yield "</body></html>"


def _operation(operation: Json) -> Iterator[str]:
    item = operation["requestBody"]["content"]["application/x-ndjson"]["schema"]["$ref"].rpartition("/")[2]
    yield f'<p>Items: <a href="#{item}">{item}</a>.</p>'
    yield from _table(
        ("parameter", "in", "meaning"),
        ((one["name"], one["in"], one["description"]) for one in operation["parameters"]),
    )
    yield from _table(
        ("status", "meaning"),
        ((status, one["description"]) for status, one in operation["responses"].items()),
    )


def _fields(schema: Json) -> Iterator[str]:
    required = schema.get("required", ())
    yield from _table(
        ("field", "type", "default", "meaning"),
        (
            (
                f"`{name}`",
                _kind(one),
                "required" if name in required else json.dumps(one["default"]) if "default" in one else "",
                one["description"],
            )
            for name, one in schema["properties"].items()
        ),
    )


def _kind(schema: Json) -> str:
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    words = " or ".join(kinds)
    if "format" in schema:
        words = words.replace("string", schema["format"])
    if "enum" in schema:
        words = " or ".join(f"`{value}`" for value in schema["enum"])
    inner: Any = schema.get("additionalProperties") or schema.get("items")
    return f"{words} of {_kind(inner)}" if inner else words


def _table(head: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> Iterator[str]:
    yield "<table><tr>" + "".join(f"<th>{_text(cell)}</th>" for cell in head) + "</tr>"
    for row in rows:
        yield "<tr>" + "".join(f"<td>{_text(cell)}</td>" for cell in row) + "</tr>"
    yield "</table>"


def _text(words: str) -> str:
    return _CODE.sub(r"<code>\1</code>", escape(words))
