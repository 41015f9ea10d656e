"""The shipped SQL: found in the wheel or in a checkout."""

from __future__ import annotations

from pathlib import Path

from producers.errors import ConfigError

_PACKAGED = Path(__file__).parent / "_sql"


def sql_directory(part: str) -> Path:
    """The folder ``migrations``, ``functions``, ``views`` or ``queries``.

    Raises:
        ConfigError: it is not where the package should have it.
    """
    root = _PACKAGED if _PACKAGED.is_dir() else Path(__file__).parent.parent / "sql"
    directory = root / part
    if not directory.is_dir():
        raise ConfigError(f"no SQL in {directory}: the installation is incomplete")
    return directory


def sql_files(part: str) -> list[Path]:
    """Its ``.sql`` files in the order of their names."""
    return sorted(sql_directory(part).glob("*.sql"))
