"""`hindcast` run inside a test, and what it said."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Told:
    """How a command ended, and what it said."""

    code: int
    out: str
    err: str

    @property
    def facts(self) -> dict[str, Any]:
        """What it said as JSON."""
        found: dict[str, Any] = json.loads(self.out)
        return found

    @property
    def line(self) -> str:
        """The one line of a refusal, before which bars may stand, and no empty line."""
        assert all(self.err.splitlines()), self.err
        lines = [line for line in self.err.splitlines() if line.startswith("hindcast: ")]
        assert len(lines) == 1, self.err
        return lines[0]


Hindcast = Callable[..., Told]
