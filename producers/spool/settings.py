"""Where a service's spool is, and how large it may become."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from producers.errors import ConfigError
from producers.settings import number
from producers.spool.spool import LIMIT_BYTES
from producers.spool.writing import POLICIES, SEGMENT_END


@dataclass(frozen=True)
class SpoolSettings:
    """What the environment says about the spool.

    Attributes:
        directory: None: nothing is spooled.
        limit_bytes: see `Spool`.
        sync: see `Spool`.
    """

    directory: Path | None = None
    limit_bytes: int = LIMIT_BYTES
    sync: str = SEGMENT_END

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> SpoolSettings:
        """Settings from HINDCAST_SPOOL, _SPOOL_BYTES and _SPOOL_SYNC.

        Raises:
            ConfigError: a value that cannot be one; the message names the variable.
        """
        directory = environment.get("HINDCAST_SPOOL", "")
        sync = environment.get("HINDCAST_SPOOL_SYNC") or cls.sync
        if sync not in POLICIES:
            raise ConfigError(f"HINDCAST_SPOOL_SYNC is {sync[:40]!r}: say {', '.join(POLICIES)}")
        return cls(
            directory=Path(directory) if directory else None,
            limit_bytes=int(number(environment, "HINDCAST_SPOOL_BYTES", cls.limit_bytes, least=1)),
            sync=sync,
        )
