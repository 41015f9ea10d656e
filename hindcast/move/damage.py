"""What `hindcast verify` and `import` say of an export that is not as it was written."""

from __future__ import annotations

from producers.errors import ConfigError


class DamagedExport(ConfigError):
    """A file of an export is missing, cut, changed or too many, or its manifest does not add up: take another copy."""

    def __init__(self, problem: str) -> None:
        super().__init__(f"damaged export: {problem}")
