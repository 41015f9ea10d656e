"""Query ids chosen by the client, on an engine that only gives its own.

The id travels as the query's `log_comment` setting, which `system.processes` shows. Statements that look for a query
id there (`KILL QUERY`, `SELECT … FROM system.processes`) are rewritten to find it.
"""

from __future__ import annotations

import re

from hindcast.local.clickhouse_door.statement import first_words, tokens

_CHOSEN = "Settings['log_comment']"
# the door's own addition to a SELECT
_PIPE = "'[[:space:]]INTO OUTFILE ./dev/fd/[0-9]+. TRUNCATE '"
_PROCESSES = (
    f"(SELECT * REPLACE(if({_CHOSEN} != '', {_CHOSEN}, query_id) AS query_id, "
    f"if({_CHOSEN} != '', {_CHOSEN}, initial_query_id) AS initial_query_id, "
    f"replaceRegexpOne(query, {_PIPE}, '') AS query) FROM system.processes)"
)
_TABLE = re.compile(r"\bsystem\s*\.\s*processes\b", re.IGNORECASE)


def find_by_chosen_id(text: str) -> str:
    """The statement, with `query_id` meaning the id that the client chose."""
    raw = text.encode()
    if first_words(raw, 2) == ["kill", "query"]:
        return _replace_words(text, {"query_id": _CHOSEN})
    if "processes" in text and first_words(raw, 1) in (["select"], ["with"]):
        return _TABLE.sub(_PROCESSES, text)
    return text


def _replace_words(text: str, meaning: dict[str, str]) -> str:
    raw = text.encode()
    parts, at = [], 0
    for token in tokens(raw):
        if token.text in meaning:
            parts += [raw[at : token.start].decode(), meaning[token.text]]
            at = token.end
    return "".join([*parts, raw[at:].decode()])
