"""A baseline on disk: reference sketches in an Avro object container, beside the contract they belong to."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import fastavro

from producers.errors import ConfigError
from producers.schema_files import newest


def baseline_path(contract: Path) -> Path:
    """``churn.yaml`` has its baseline in ``churn.baseline.avro``."""
    return contract.with_name(f"{contract.stem}.baseline.avro")


def write_baseline(path: Path, sketches: Iterable[dict[str, Any]]) -> None:
    """Write the sketches; an earlier file is replaced only by a whole one.

    Raises:
        ConfigError: the place cannot be written to.
    """
    draft = path.with_name(f"{path.name}.tmp")
    try:
        with draft.open("wb") as file:
            fastavro.writer(file, newest("sketch").parsed, sketches, codec="deflate")
        draft.replace(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise ConfigError(f"cannot write {path}: {error.strerror}") from None


def read_baseline(path: Path) -> list[dict[str, Any]]:
    """The sketches in a file, resolved to the newest schema.

    Raises:
        ConfigError: not there, or not an Avro file of sketches.
    """
    try:
        with path.open("rb") as file:
            records: Any = list(fastavro.reader(file, newest("sketch").parsed))
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from None
    except Exception:  # noqa: BLE001 - fastavro raises nearly anything at a damaged file
        raise ConfigError(
            f"{path} is damaged, or no baseline: make it again with `hindcast contract baseline`"
        ) from None
    sketches: list[dict[str, Any]] = records
    return sketches
