"""How far a load has come, on disk: lines of JSON beside the data, of which the last whole one counts."""

from __future__ import annotations

import fcntl
import json
import os
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Self

from producers.errors import ConfigError


@dataclass(frozen=True)
class Progress:
    """What is done of a load.

    Attributes:
        checked: every row was looked at, and none is refused.
        total: rows of the file, once they are counted.
        rows: rows that were sent and acknowledged, refused or left out, from the first on.
        refused: those of them that Kafka does not take.
        skipped: those of them that were left out.
        done: all are.
    """

    checked: bool = False
    total: int | None = None
    rows: int = 0
    refused: int = 0
    skipped: int = 0
    done: bool = False

    @property
    def loaded(self) -> int:
        """Rows that Kafka has."""
        return self.rows - self.refused - self.skipped


class LoadState:
    """The file that keeps the progress of one load. Only one process at a time has it.

    Args:
        path: the file.
        facts: written at its head, for people.

    Raises:
        ConfigError: another process has it, or it cannot be written.
    """

    def __init__(self, path: Path, facts: dict[str, object]) -> None:
        self.path = path
        try:
            self._file = path.open("a+b")
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._file.close()
            raise ConfigError(
                f"this file is being loaded already, by the process that holds {path}"
            ) from None
        except OSError as error:
            raise ConfigError(
                f"{path} cannot be written ({error.strerror}): --state-dir names another directory for it"
            ) from None
        found = self._read()
        self.progress = found or Progress()
        if found is None:
            self._append(facts)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self._file.close()

    def save(self, **changes: object) -> None:
        """Keep what has changed."""
        self.progress = replace(self.progress, **changes)  # type: ignore[arg-type]  # names and types of Progress
        self._append({"progress": asdict(self.progress)})

    def forget(self) -> None:
        """Begin anew."""
        self.save(**asdict(Progress()))

    def _append(self, line: dict[str, object]) -> None:
        # begins with a line break, which ends a line that was torn
        self._file.write(b"\n" + json.dumps(line).encode() + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())

    def _read(self) -> Progress | None:
        self._file.seek(0)
        found = None
        for line in self._file:
            try:
                said = json.loads(line)
                found = Progress(**said["progress"]) if "progress" in said else found or Progress()
            except (ValueError, TypeError):
                continue  # torn
        return found
