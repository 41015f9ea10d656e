"""Which statements come in: one at a time, no files of this machine, and only reading where only reading is allowed.

The engine's own `readonly` setting lets KILL QUERY and SYSTEM pass, files and other servers be read (`evaluation.statements`), because chDB knows no
users; and chDB runs several statements of one text one after another.
"""

from __future__ import annotations

from collections.abc import Mapping

from evaluation.statements import refuse_functions_by_parameter, refuse_what_does_not_read
from hindcast.local.clickhouse_door.failures import (
    INTO_OUTFILE_NOT_ALLOWED,
    NOT_IMPLEMENTED,
    READONLY,
    SYNTAX_ERROR,
    refused,
)
from hindcast.local.clickhouse_door.statement import (
    first_words,
    is_one_statement,
    reads_its_body,
    writes_a_file,
)
from producers.errors import ConfigError

# "open" is a bracket: (SELECT 1) UNION ALL (SELECT 2).
_READING = frozenset(
    {"select", "with", "from", "show", "describe", "desc", "exists", "explain", "set", "use", "open"}
)


def admit(text: bytes, parameters: Mapping[str, str], *, reading_only: bool) -> None:
    """Return when the statement, with what its placeholders are bound to, may go to the engine.

    Raises:
        QueryFailed: it may not; in ClickHouse's words and codes.
    """
    if reading_only and not _READING.issuperset(first_words(text, 1)):
        raise refused(
            READONLY, "Cannot execute query in readonly mode: over GET, and for this user, only reading"
        )
    if reading_only:
        try:
            refuse_what_does_not_read(text.decode())
            refuse_functions_by_parameter(text.decode(), parameters)
        except (ConfigError, UnicodeDecodeError) as problem:
            raise refused(READONLY, f"Cannot execute query in readonly mode: {problem}") from None
        return
    if not is_one_statement(text):
        raise refused(SYNTAX_ERROR, "Syntax error (Multi-statements are not allowed)")
    if writes_a_file(text):
        raise refused(INTO_OUTFILE_NOT_ALLOWED, "INTO OUTFILE and FROM INFILE are not allowed over HTTP")
    if reads_its_body(text):
        raise refused(
            NOT_IMPLEMENTED, "this door does not serve input(): insert into a table, then select from it"
        )
