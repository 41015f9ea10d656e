"""Where the local servers keep their data and what they download."""

from __future__ import annotations

import errno
import os
import re
import shutil
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from producers.errors import ConfigError

MEBIBYTE = 1024 * 1024
# supervisord's settings know no way to write the first line's, and take what follows a blank and a semicolon or hash for a comment;
# chDB reads parameters after a question mark, Kafka splits at commas, Log4j looks up what stands in ${…}.
_UNUSABLE = re.compile(
    r'[%"\\\x00-\x1f\x7f\ud800-\udfff]'
    r"|\s[;#]|\?|,|\$\{"
)
CHECKOUT = Path(__file__).resolve().parents[2]


def cache_directory(environment: Mapping[str, str]) -> Path:
    """Where downloaded jars live: `HINDCAST_CACHE`, else `.cache/` of a checkout, else the user's cache."""
    given = environment.get("HINDCAST_CACHE")
    if given:
        return full_path(Path(given))
    if (CHECKOUT / "pyproject.toml").is_file():
        return CHECKOUT / ".cache"
    return Path.home() / ".cache" / "hindcast"


def full_path(place: Path) -> Path:
    """The absolute path of what a person typed, ``~`` included; it need not exist.

    Raises:
        ConfigError: the home of nobody, or relative to a working directory that is gone.
    """
    try:
        return place.expanduser().absolute()
    except RuntimeError:
        raise ConfigError(f"{place} begins with the home of a user who is not known here") from None
    except OSError as problem:
        raise ConfigError(f"{place} has no place: the working directory: {problem.strerror}") from None


def prepare_directory(directory: Path, *, free_mib: int = 0) -> Path:
    """Create the directory and prove that this process can write at least `free_mib` MiB of data in it.

    Raises:
        ConfigError: it is not a directory, may not be read or written, or its disk is full.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        next(directory.iterdir(), None)
        probe = directory / ".writable"
        probe.write_bytes(b"\0" * 4096)
        probe.unlink()
        free = shutil.disk_usage(directory).free // MEBIBYTE
    except OSError as problem:
        raise ConfigError(explain(directory, problem)) from None
    if free < free_mib:
        raise ConfigError(_too_little(directory, free, free_mib))
    return directory.resolve()


def disk_full(directories: Iterable[Path], *, free_mib: int) -> str:
    """One line about the directory with the least room, where that is less than `free_mib` MiB; empty where all have it.

    A directory that is not there, or cannot be asked, is passed over.
    """
    found = []
    for directory in directories:
        with suppress(OSError):
            found.append((shutil.disk_usage(directory).free // MEBIBYTE, directory))
    free, directory = min(found, default=(free_mib, Path()))
    return _too_little(directory, free, free_mib) if free < free_mib else ""


def _too_little(directory: Path, free: int, needed: int) -> str:
    return f"disk full: {directory} has {free} MiB left, at least {needed} MiB are needed"


def refuse_unusable_name(directory: Path) -> None:
    """Return when every server, and the supervisor, reads the directory's path as it is, and that to which its links lead.

    Raises:
        ConfigError: one of them would take it for another path.
    """
    for path in (str(directory), os.path.realpath(directory)):
        found = _UNUSABLE.search(path)
        if found:
            raise ConfigError(
                f"{path!r} has {found.group()!r} in its name, which not every server can read: name another place"
            )


def explain(path: Path, problem: OSError) -> str:
    """One line about a path that could not be used, saying what to do."""
    if problem.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"disk full: cannot write in {path}"
    if isinstance(problem, FileExistsError | NotADirectoryError):
        return f"{path} is not a directory: name another place"
    if isinstance(problem, PermissionError):
        return f"{path} may not be read and written by this user: change its owner or name another place"
    return f"{path} cannot be used: {problem.strerror}"
