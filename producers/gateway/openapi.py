"""The OpenAPI description, made from the shipped Avro schemas: their fields, types, defaults and words. Pure."""

from __future__ import annotations

from functools import cache
from typing import Any

import msgspec

from producers.gateway.items import STREAMS, Stream
from producers.gateway.settings import MOST_VALUES, GatewaySettings
from producers.schema_files import newest

Json = dict[str, Any]
_NUMBERED = ("producer_id", "sequence")
_SPLIT = ("numeric_features", "categorical_features")
_MOMENT: Json = {"type": "string", "format": "date-time"}
_ID: Json = {"type": ["string", "integer"]}
_PRIMITIVE: dict[str, Json] = {
    "string": {"type": "string"},
    "double": {"type": "number"},
    "boolean": {"type": "boolean"},
    "int": {"type": "integer", "minimum": -(2**31), "maximum": 2**31 - 1},
}
# where JSON may say it in more ways than Avro
_WIDER: dict[str, Json] = {
    **dict.fromkeys(
        (
            *("prediction_id", "label_id", "request_id", "entity_id"),
            *("model", "model_version", "environment", "output"),
        ),
        _ID,
    ),
    "decision": {"type": ["string", "boolean", "integer"]},
    "truth": {"type": ["string", "boolean", "number"]},
    "segments": {
        "type": "object",
        "additionalProperties": {"type": ["string", "boolean", "integer", "null"]},
    },
}
_MADE = {
    "prediction_id": "Made where it is not given; say it, and event_time, if you may send a request again.",
    "label_id": "Made where it is not given; say it if you may send a request again.",
    "event_time": "The time of arrival where it is not given.",
    "reported_at": "The time of arrival where it is not given.",
    "valid_from": "The time of arrival where it is not given.",
}
_STATUSES = {
    "202": "Every good item is queued; the others stand in `errors`.",
    "200": "`durable=true`: every good item is in Kafka or on the gateway's disk.",
    "400": "Not JSON, not of its Content-Encoding, empty, or a wrong parameter. Nothing was taken.",
    "401": "No API key, or one that is not known. Nothing was taken.",
    "403": "The key may speak for the model of no item, or a web page sent to a gateway without keys.",
    "408": "The body did not arrive in time. Nothing was taken.",
    "413": "Too long, as sent or decompressed, or too many items. Nothing was taken.",
    "415": "Another Content-Type, charset or Content-Encoding. Nothing was taken.",
    "422": "No item is good; what is wrong with each stands in `errors`.",
    "429": "More is being sent at once than the gateway holds. Nothing was taken: send it again after `Retry-After` seconds.",
    "503": "No room, or about to end: nothing was taken, send it again after `Retry-After` seconds. With `durable=true` also:"
    " not every good item was delivered or spooled; `outcomes` says which.",
}
_LOOKED_AT = {"202", "200", "403", "422", "503"}
_LATER = {"429", "503"}


def document(settings: GatewaySettings) -> Json:
    """The OpenAPI 3.1 document of a gateway with these limits."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Hindcast gateway",
            "version": "1",
            "description": (
                f"Predictions, labels and deployments over HTTP. A request has at most {settings.items} items,"
                f" {MOST_VALUES} values and {settings.body_bytes} bytes, as sent and decompressed. Times are RFC 3339"
                " strings with a zone; fractions beyond microseconds are rounded. Integers beyond 2^53 are refused"
                " as numbers, because they would change."
            ),
        },
        "paths": {
            **{f"/v1/{stream.name}": {"post": _operation(stream)} for stream in STREAMS.values()},
            "/healthz": {"get": _plain("The process lives.")},
            "/readyz": {"get": _plain("An event would be taken now.", "It would not; the text says why.")},
            "/metrics": {"get": _plain("Counters in Prometheus's text format.")},
        },
        "components": {
            "schemas": {
                **{_name(stream): item_schema(stream) for stream in STREAMS.values()},
                "Taken": _TAKEN,
                "Failed": _FAILED,
            },
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
        },
        # where the gateway has no key file, none is wanted
        "security": [{"key": []}] if settings.keys else [],
    }


@cache
def item_schema(stream: Stream) -> Json:
    """The JSON Schema of one item: the fields of the newest Avro schema, features in one object."""
    avro = newest(stream.schema).parsed
    required = [field.name for field in msgspec.structs.fields(stream.item) if field.required]
    properties: Json = {}
    for field in avro["fields"]:
        if field["name"] == _SPLIT[0]:
            properties |= _features(avro)
        elif field["name"] not in (*_NUMBERED, *_SPLIT):
            properties[field["name"]] = _property(field)
    return {
        "type": "object",
        "description": avro["doc"],
        "required": required,
        "additionalProperties": False,
        "properties": properties,
    }


def _property(field: Json) -> Json:
    name = field["name"]
    found = dict(_WIDER.get(name) or _type(field["type"]))
    found["description"] = " ".join(filter(None, (field["doc"], _MADE.get(name))))
    nullable = isinstance(field["type"], list) or name in _MADE
    if nullable:
        kinds = found["type"]
        found["type"] = [*(kinds if isinstance(kinds, list) else [kinds]), "null"]
    if field.get("default") is not None:
        found["default"] = field["default"]
    return found


def _type(avro: Any) -> Json:
    if isinstance(avro, list):
        return _type(next(branch for branch in avro if branch != "null"))
    if isinstance(avro, str):
        return _PRIMITIVE[avro]
    if avro["type"] == "map":
        return {"type": "object", "additionalProperties": _type(avro["values"])}
    if avro["type"] == "enum":
        return {"type": "string", "enum": list(avro["symbols"])}
    assert avro["logicalType"] == "timestamp-micros"
    return _MOMENT


def _features(avro: Json) -> Json:
    docs = {field["name"]: field["doc"] for field in avro["fields"]}
    numbers, categories = (docs[name] for name in _SPLIT)
    return {
        "features": {
            "type": "object",
            "additionalProperties": {"type": ["number", "string", "boolean", "null"]},
            "description": f"The model's inputs. Numbers: {numbers} Strings and booleans: {categories}",
            "default": {},
        },
        "categorical": {
            "type": "array",
            "items": {"type": "string"},
            "description": "Features that are categories whatever their values: a numeric code, a category that may be null.",
            "default": [],
        },
    }


def _name(stream: Stream) -> str:
    return stream.schema.capitalize()


def _operation(stream: Stream) -> Json:
    item = {"$ref": f"#/components/schemas/{_name(stream)}"}
    several = {"oneOf": [item, {"type": "array", "items": item}]}
    return {
        "operationId": f"send_{stream.name}",
        "summary": f"Send {stream.name}: one object, an array of them, or one object a line.",
        "parameters": [
            {
                "name": "durable",
                "in": "query",
                "schema": {"type": "boolean", "default": False},
                "description": "Answer when Kafka has acknowledged every item, with the outcome of each.",
            },
            {
                "name": "Content-Encoding",
                "in": "header",
                "schema": {"type": "string", "enum": ["gzip", "zstd"]},
                "description": "How the body is compressed.",
            },
        ],
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": several}, "application/x-ndjson": {"schema": item}},
        },
        "responses": {status: _response(status, text) for status, text in _STATUSES.items()},
    }


def _response(status: str, text: str) -> Json:
    schema: Json = {"$ref": "#/components/schemas/Failed"}
    if status in {"200", "202", "422"}:
        schema = {"$ref": "#/components/schemas/Taken"}
    elif status in _LOOKED_AT:
        schema = {"anyOf": [schema, {"$ref": "#/components/schemas/Taken"}]}
    found: Json = {"description": text, "content": {"application/json": {"schema": schema}}}
    if status in _LATER:
        found["headers"] = {"Retry-After": {"description": "Seconds.", "schema": {"type": "integer"}}}
    return found


def _plain(good: str, bad: str = "") -> Json:
    text = {"text/plain": {"schema": {"type": "string"}}}
    responses = {"200": {"description": good, "content": text}}
    if bad:
        responses["503"] = {"description": bad, "content": text}
    return {"summary": good, "security": [], "responses": responses}


_TAKEN: Json = {
    "type": "object",
    "description": "The items were looked at.",
    "required": ["accepted", "refused"],
    "properties": {
        "accepted": {"type": "integer", "description": "Items taken."},
        "refused": {"type": "integer", "description": "Items not taken; each stands in `errors`."},
        "ids": {
            "type": "array",
            "items": {"type": ["string", "null"]},
            "description": "The prediction_id or label_id of each item in order, null for a refused one. Deployments have none.",
        },
        "outcomes": {
            "type": "array",
            "items": {"type": "string"},
            "description": "Durable requests only, of each item in order: `delivered`, `spooled`, `refused`, `pending`"
            " (queued, and not acknowledged yet), or why it was lost, such as `queue_full` or an error's name.",
        },
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["index", "field", "reason"],
                "properties": {
                    "index": {"type": "integer", "description": "The item's place in the request, from 0."},
                    "field": {"type": "string", "description": "The field at fault; empty: the whole item."},
                    "reason": {"type": "string", "description": "What is wrong."},
                },
            },
            "description": "What is wrong with each refused item; left out where there is none.",
        },
    },
}
_FAILED: Json = {
    "type": "object",
    "description": "Nothing was taken.",
    "required": ["error"],
    "properties": {"error": {"type": "string", "description": "Why."}},
}
