"""Who may ask: the owner, and an analyst who can only read, within limits."""

from __future__ import annotations

import base64
import binascii
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from hindcast.local.clickhouse_door.failures import AUTHENTICATION_FAILED, refused

# Forced on every query of the analyst; readonly=1 makes the engine refuse any change of them.
ANALYST_LIMITS: Mapping[str, str] = {
    "max_execution_time": "60",
    "max_memory_usage": "4000000000",
    "max_result_rows": "10000000",
    "readonly": "1",
}


@dataclass(frozen=True)
class User:
    """A name, its password, and the settings forced on its queries."""

    name: str
    password: str
    forced: Mapping[str, str] = field(default_factory=dict)

    @property
    def may_write(self) -> bool:
        """Whether the user may do more than read."""
        return self.forced.get("readonly", "0") == "0"


@dataclass(frozen=True)
class Users:
    """Everybody who may come in."""

    known: tuple[User, ...]

    def authenticate(self, query: Mapping[str, str], headers: Mapping[str, str]) -> User:
        """The user whose name and password stand in the URL, in ClickHouse's headers or as HTTP Basic.

        Raises:
            QueryFailed: no such user, or another password; says neither which.
        """
        name, password = _credentials(query, headers)
        for user in self.known:
            if user.name == name and hmac.compare_digest(user.password.encode(), password.encode()):
                return user
        shown = name if re.fullmatch(r"[\w.@-]{1,64}", name) else "?"
        raise refused(
            AUTHENTICATION_FAILED,
            f"{shown}: Authentication failed: password is incorrect, or there is no user with such name",
        )


def _credentials(query: Mapping[str, str], headers: Mapping[str, str]) -> tuple[str, str]:
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic":
        try:
            name, _, password = base64.b64decode(token, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            raise refused(AUTHENTICATION_FAILED, "the Authorization header is not HTTP Basic") from None
        return name or "default", password
    if "x-clickhouse-user" in headers or "x-clickhouse-key" in headers:
        return headers.get("x-clickhouse-user", "default"), headers.get("x-clickhouse-key", "")
    return query.get("user", "default"), query.get("password", "")
