"""Keyed hashes in place of personal data: the same value gives the same pseudonym, and nobody without the key can try values out."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import lru_cache

from producers.errors import ConfigError

KEY_VARIABLE = "HINDCAST_PII_KEY"
LEAST_KEY_BYTES = 16
# what a pseudonym begins with, so that a plain value in its place is seen
MARK = "hmac:"
HEX_DIGITS = 32
# repeated values (a postcode, a device that comes back) are hashed once
_REMEMBERED = 4096
_BLOCK = 64


class Pseudonyms:
    """Pseudonyms under one key: ``hmac:`` and the first 32 hex digits of HMAC-SHA256(key, UTF-8 text) (RFC 2104).

    128 bits: among n values the odds that any two share a pseudonym are n²/2^129, about 10^-21 for a billion. Name and model of the
    feature are no part of it, so pseudonyms of one key join across features, models and entity ids; use several keys where they must not.

    Args:
        key: 16 bytes or more.

    Raises:
        ConfigError: a shorter key.
    """

    def __init__(self, key: bytes) -> None:
        if len(key) < LEAST_KEY_BYTES:
            raise ConfigError(
                f"{KEY_VARIABLE} is a key of {len(key)} bytes: at least {LEAST_KEY_BYTES} are wanted"
            )
        padded = (hashlib.sha256(key).digest() if len(key) > _BLOCK else key).ljust(_BLOCK, b"\0")
        # states after the key's block: half the time of `hmac`, which begins anew at every call
        self._inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in padded))
        self._outer = hashlib.sha256(bytes(byte ^ 0x5C for byte in padded))
        self.remembered = lru_cache(_REMEMBERED)(self.__call__)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Pseudonyms:
        """With the key in HINDCAST_PII_KEY, in hex digits.

        Raises:
            ConfigError: not set, not hex digits, or too short; the message never shows it.
        """
        text = environment.get(KEY_VARIABLE, "").strip()
        if not text:
            raise ConfigError(
                f"{KEY_VARIABLE} is not set: a contract that says hash needs a key, such as of `openssl rand -hex 32`"
            )
        try:
            key = bytes.fromhex(text)
        except ValueError:
            raise ConfigError(
                f"{KEY_VARIABLE} is no key in hex digits, such as of `openssl rand -hex 32`"
            ) from None
        return cls(key)

    def __call__(self, text: str) -> str:
        """The pseudonym of a value; `remembered` gives the same and keeps the last 4,096 values and pseudonyms in memory."""
        inner, outer = self._inner.copy(), self._outer.copy()
        # a lone surrogate has no UTF-8, and its event is no worse for it once it is hashed
        inner.update(text.encode("utf-8", "surrogatepass"))
        outer.update(inner.digest())
        return MARK + outer.hexdigest()[:HEX_DIGITS]
