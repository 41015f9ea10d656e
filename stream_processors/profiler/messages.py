"""Keys and times as they stand in messages. Pure."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

Record = dict[str, Any]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def message_key(model: str, environment: str) -> bytes:
    """The key of ``sketches``, ``quality``, ``drift`` and ``alerts``: ``["model","environment"]``."""
    return json.dumps([model, environment], separators=(",", ":")).encode()


def at(micros: int) -> datetime:
    """Microseconds since the epoch as an aware datetime."""
    return _EPOCH + timedelta(microseconds=micros)
