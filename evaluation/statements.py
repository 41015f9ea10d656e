"""What a read-only statement may look like, before it is sent."""

from __future__ import annotations

import re

from producers.errors import ConfigError

# Everything within which a semicolon or a word means nothing (ClickHouse's lexer: a backslash or a second quote escapes)
_OPAQUE = re.compile(
    r"'(?:\\.|''|[^'\\])*'|\"(?:\\.|\"\"|[^\"\\])*\"|`(?:\\.|``|[^`\\])*`|--[^\n]*|#[ !][^\n]*|/\*.*?\*/",
    re.DOTALL,
)
_READS = ("select", "with", "show", "describe", "desc", "exists", "explain")


def read_only(statement: str) -> str:
    """The statement without semicolons and comments at its end, if it is one statement that reads.

    The server refuses writes as well; this gives the clear line, and keeps out what a server allows its readers (KILL QUERY) and several
    statements at once, which the embedded engine would run.

    Raises:
        ConfigError: empty, several statements, something that does not read, or a FORMAT of its own.
    """
    # as long as the statement, so that places in both are the same
    plain = _OPAQUE.sub(lambda found: ("x" if found[0][0] in "'\"`" else " ") * len(found[0]), statement)
    plain = plain.rstrip("; \t\r\n")
    words = plain.replace("(", " ").split()
    if not words:
        raise ConfigError("no statement: give one, or send it to the standard input")
    if ";" in plain:
        raise ConfigError("one statement at a time is answered")
    if words[0].lower() not in _READS:
        raise ConfigError(f"only statements that read are answered: {', '.join(_READS).upper()}")
    if len(words) > 2 and words[-2].lower() == "format":
        raise ConfigError("leave FORMAT out: --format table, csv, json, jsonl or parquet gives the form")
    return statement[: len(plain)]
