"""A named question's answer, to look at."""

from __future__ import annotations

from typing import Any

from evaluation.history import History


def rows(history: History, name: str, /, **parameters: Any) -> list[dict[str, Any]]:
    """An answer as dictionaries."""
    found: list[dict[str, Any]] = history.query(name, **parameters).to_pylist()
    return found
