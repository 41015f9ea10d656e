"""Users who only read: what a ClickHouse server is told to make one."""

from __future__ import annotations

import hashlib
import re

from evaluation.history import READ_LIMITS
from producers.errors import ConfigError
from stream_processors.clickhouse import QueryRefused, Store
from stream_processors.migrations import render, statements
from stream_processors.sql_files import sql_directory

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")
# the user that a server has from the beginning
_OWNER = "default"
_ACCESS_DENIED = 497


def analyst_statements(
    name: str, password: str, *, salt: str, database: str, owner: str = _OWNER, cluster: str = ""
) -> list[str]:
    """Statements that make a user who reads one database within `READ_LIMITS`, or make it anew; run again they change password and limits.

    A server keeps SHA-256 of password and salt, and its log shows no more. ``owner`` runs them: made anew he would only read, and nobody
    could write.

    Raises:
        ConfigError: a name with anything but letters, digits and underscores, the owner's, or ClickHouse's own user.
    """
    if not _NAME.fullmatch(name):
        raise ConfigError(f"a user's name is letters, digits and underscores, not {name!r}")
    if name in {owner, _OWNER}:
        raise ConfigError(f"{name} is the user who writes, and would only read: name another for the analyst")
    known = {
        "name": name,
        "database": database,
        "salt": salt,
        "hash": hashlib.sha256((password + salt).encode()).hexdigest(),
        **{limit: value for limit, value in READ_LIMITS.items() if limit != "readonly"},
    }
    return [
        re.sub(r"\{(\w+)\}", lambda found: str(known[found[1]]), render(text, cluster))
        for text in (_without_comments(part) for part in statements(sql_directory("users") / "analyst.sql"))
    ]


def _without_comments(statement: str) -> str:
    return "\n".join(line for line in statement.rstrip(";").splitlines() if not line.startswith("--"))


def make_analyst(store: Store, made: list[str]) -> None:
    """Run these statements.

    Raises:
        ConfigError: this user may not make users, as nobody may of the engine that `hindcast up` starts.
    """
    for statement in made:
        try:
            store.command(statement)
        except QueryRefused as error:
            if error.code != _ACCESS_DENIED:
                raise
            raise ConfigError(
                "this ClickHouse user may not make users. The local stack has its own: `analyst`, with the password in .hindcast/stack.json"
            ) from None
