"""API keys: a file of their hashes, each with the models it may speak for.

A key is 256 random bits, so one round of SHA-256 keeps it: there is nothing to guess that a slow hash would protect.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import secrets
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import msgspec

from producers.errors import ConfigError

EVERY_MODEL = "*"
PREFIX = "hgk_"


class Key(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One key.

    Attributes:
        name: who has it.
        sha256: hex digest of the key.
        models: the models it may speak for; `EVERY_MODEL` among them means all.
        created: when it was made.
    """

    name: str
    sha256: str
    models: tuple[str, ...]
    created: datetime

    def may_speak_for(self, model: str) -> bool:
        """Whether events of this model are taken from its holder."""
        return EVERY_MODEL in self.models or model in self.models


class _File(msgspec.Struct, forbid_unknown_fields=True):
    keys: list[Key]


def digest(secret: str) -> str:
    """What is kept of a key."""
    return hashlib.sha256(secret.encode()).hexdigest()


def read_keys(path: Path) -> list[Key]:
    """The keys of a file.

    Raises:
        ConfigError: it is not there, cannot be read, or is no file of keys.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=_File).keys
    except OSError as error:
        raise ConfigError(f"the key file {path} cannot be read: {error.strerror}") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"the key file {path} is no file of keys: {error}") from None


def add_key(path: Path, name: str, models: tuple[str, ...], now: datetime) -> str:
    """Make a key, keep its hash, and return it: nobody can read it again.

    Raises:
        ConfigError: there is a key of this name, or the file cannot be read or written.
    """
    secret = PREFIX + secrets.token_urlsafe(32)
    with _changing(path) as keys:
        if any(key.name == name for key in keys):
            raise ConfigError(f"there is a key {name!r} already: remove it first, or choose another name")
        keys.append(Key(name, digest(secret), models, now))
    return secret


def remove_key(path: Path, name: str) -> None:
    """Take a key out; gateways that run refuse it within a second.

    Raises:
        ConfigError: there is no key of this name, or the file cannot be read or written.
    """
    with _changing(path) as keys:
        kept = [key for key in keys if key.name != name]
        if len(kept) == len(keys):
            raise ConfigError(f"there is no key {name!r} in {path}")
        keys[:] = kept


@contextmanager
def _changing(path: Path) -> Iterator[list[Key]]:
    """The keys, written back whole at the end; one change at a time, and readers see either file."""
    try:
        with path.with_name(path.name + ".lock").open("w") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            keys = read_keys(path) if path.exists() else []
            yield keys
            _replace(path, msgspec.json.format(msgspec.json.encode(_File(keys)), indent=1))
    except OSError as error:
        raise ConfigError(f"the key file {path} cannot be written: {error.strerror}") from None


def _replace(path: Path, content: bytes) -> None:
    # a temporary file is readable by its owner only
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=path.name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise


class KeyRing:
    """The keys of a file as it is now: looked at again when it has changed, at most once in ``every`` seconds.

    Args:
        path: the key file.
        clock: seconds that only grow.
        complain: told in words of a file that cannot be read any more; the keys read before stay in force.
        every: seconds.

    Raises:
        ConfigError: the file cannot be read now.
    """

    def __init__(
        self, path: Path, clock: Callable[[], float], complain: Callable[[str], None], every: float = 1.0
    ) -> None:
        self._path = path
        self._clock = clock
        self._complain = complain
        self._every = every
        self._state = self._look()
        self._known = self._read()
        self._next = clock() + every

    def find(self, secret: str) -> Key | None:
        """The key with this text."""
        now = self._clock()
        if now >= self._next:
            self._next = now + self._every
            self._look_again()
        return self._known.get(digest(secret))

    def _look_again(self) -> None:
        state = self._look()
        if state != self._state:
            try:
                self._known = self._read()
            except ConfigError as error:
                self._complain(f"{error}: the keys read before stay in force")
            self._state = state

    def _look(self) -> tuple[int, ...]:
        try:
            found = self._path.stat()
        except OSError:
            return ()
        return found.st_ino, found.st_mtime_ns, found.st_size

    def _read(self) -> dict[str, Key]:
        return {key.sha256: key for key in read_keys(self._path)}
