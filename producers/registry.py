"""A Confluent-compatible schema registry over HTTP, as far as the codec needs one: register a schema, look up an id."""

from __future__ import annotations

import base64
import json
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import quote, unquote, urlunsplit

from fastavro.schema import fingerprint, to_parsing_canonical_form

from producers.errors import ConfigError, TransientError, UnknownSchema
from producers.schema_files import Schema, by_fingerprint
from producers.settings import LOOPBACK_HOSTS, KafkaSettings, http_address

TIMEOUT_S = 5.0
_NOT_FOUND = 404
_MEDIA_TYPE = "application/vnd.schemaregistry.v1+json"


class SchemaRegistry:
    """Ids of shipped schemas in a registry; each is asked for once. Subjects are record names (``hindcast.Prediction``).

    Args:
        url: ``http[s]://[user:password@]host[:port][/path]``.
        timeout: seconds for one answer.

    Raises:
        ConfigError: not an http address.
    """

    def __init__(self, url: str, *, timeout: float = TIMEOUT_S) -> None:
        parts = http_address(url)
        self._place = f"{parts.hostname}:{parts.port}" if parts.port else parts.hostname
        self._url = urlunsplit(
            (parts.scheme, parts.netloc.rpartition("@")[2], parts.path.rstrip("/"), "", "")
        )
        self._headers = {"Accept": _MEDIA_TYPE, "Content-Type": _MEDIA_TYPE}
        if parts.username is not None:
            who = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            self._headers["Authorization"] = "Basic " + base64.b64encode(who.encode()).decode()
        # else a proxy of the environment is used, as urllib does
        direct = [urllib.request.ProxyHandler({})] if parts.hostname in LOOPBACK_HOSTS else []
        self._opener = urllib.request.build_opener(*direct)
        self._timeout = timeout
        self._ids: dict[str, int] = {}
        self._schemas: dict[int, Schema] = {}

    def id_of(self, schema: Schema) -> int:
        """The id of a shipped schema, registered if need be.

        Raises:
            TransientError: no answer.
            ConfigError: the registry refuses these credentials, or this schema as incompatible.
        """
        known = self._ids.get(schema.label)
        if known is None:
            subject = quote(schema.parsed["name"], safe="")
            reply = self._ask(f"/subjects/{subject}/versions", {"schema": schema.text, "schemaType": "AVRO"})
            known = self._ids[schema.label] = int(reply["id"])
        return known

    def schema_of(self, schema_id: int) -> Schema:
        """The shipped schema that an id stands for.

        Raises:
            UnknownSchema: the registry does not know the id, or it is no schema that was shipped.
            TransientError: no answer.
            ConfigError: the registry refuses these credentials.
        """
        known = self._schemas.get(schema_id)
        if known is None:
            try:
                text = self._ask(f"/schemas/ids/{schema_id}")["schema"]
                mark = fingerprint(to_parsing_canonical_form(json.loads(text)), "CRC-64-AVRO")
                known = by_fingerprint()[bytes.fromhex(mark)]
            except KeyError:
                raise UnknownSchema(f"registry id {schema_id}") from None
            self._schemas[schema_id] = known
        return known

    def _ask(self, path: str, body: dict[str, str] | None = None) -> Any:
        """The JSON answer; raises KeyError where there is no such thing."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self._url + path, data=data, headers=self._headers)  # noqa: S310 - http only, checked above
        try:
            with self._opener.open(request, timeout=self._timeout) as reply:
                return json.loads(reply.read())
        except urllib.error.HTTPError as error:
            if error.code == _NOT_FOUND:
                raise KeyError(path) from None
            if error.code in {401, 403}:
                raise ConfigError(f"the schema registry at {self._place} refuses these credentials") from None
            if error.code in {409, 422}:
                raise ConfigError(
                    f"the schema registry at {self._place} refuses a schema ({error.code})"
                ) from None
            raise TransientError(f"the schema registry at {self._place} answers {error.code}") from None
        except (OSError, ValueError) as error:
            raise TransientError(
                f"no schema registry answers at {self._place} ({type(error).__name__})"
            ) from None


def registry_of(kafka: KafkaSettings) -> SchemaRegistry | None:
    """The registry that the settings name; None where they name none."""
    return SchemaRegistry(kafka.schema_registry) if kafka.schema_registry else None
