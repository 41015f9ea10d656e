"""The shipped Avro schemas: found in the wheel or in a checkout, parsed once, known by name and by fingerprint."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import fastavro
from fastavro.schema import fingerprint, to_parsing_canonical_form

from producers.errors import ConfigError

_PACKAGED = Path(__file__).parent / "_schemas"


def schema_directory() -> Path:
    """Where the ``.avsc`` files are: inside the wheel, else ``schemas/`` of the checkout."""
    return _PACKAGED if _PACKAGED.is_dir() else Path(__file__).parent.parent / "schemas"


@dataclass(frozen=True)
class Schema:
    """One shipped version of one schema.

    Attributes:
        name: such as ``prediction``.
        version: 1, 2, …
        text: the file's text, as a registry and an Arrow decoder want it.
        parsed: fastavro's parsed form.
        fingerprint: CRC-64-AVRO of the canonical form, 8 bytes little-endian (Avro 1.11 specification,
            "Single-object encoding").
    """

    name: str
    version: int
    text: str
    parsed: Any
    fingerprint: bytes

    @property
    def label(self) -> str:
        """``prediction.v1``."""
        return f"{self.name}.v{self.version}"


def _load(path: Path) -> Schema:
    text = path.read_text(encoding="utf-8")
    raw = json.loads(text)
    name, version = path.name.removesuffix(".avsc").rsplit(".v", 1)
    # fastavro gives the 64-bit Rabin fingerprint as hex of its little-endian bytes, which is what goes on the wire
    mark = bytes.fromhex(fingerprint(to_parsing_canonical_form(raw), "CRC-64-AVRO"))
    return Schema(name, int(version), text, fastavro.parse_schema(raw), mark)


@cache
def shipped() -> dict[str, Schema]:
    """Every shipped version by its label, such as ``prediction.v1``.

    Raises:
        ConfigError: the schemas are not where the package should have them.
    """
    found = {schema.label: schema for schema in map(_load, sorted(schema_directory().glob("*.avsc")))}
    if not found:
        raise ConfigError(f"no Avro schemas in {schema_directory()}: the installation is incomplete")
    return found


@cache
def newest(name: str) -> Schema:
    """The newest version of a schema, such as ``prediction``."""
    return max((s for s in shipped().values() if s.name == name), key=lambda schema: schema.version)


@cache
def by_fingerprint() -> dict[bytes, Schema]:
    """Every shipped version by its fingerprint (8 bytes, little-endian)."""
    return {schema.fingerprint: schema for schema in shipped().values()}
