"""Query ids chosen by the client, on an engine that only gives its own.

The id travels as the query's `log_comment` setting, which `system.processes` shows. Statements that look for a query
id there (`KILL QUERY`, `SELECT … FROM system.processes`) are rewritten to find it.
"""

from __future__ import annotations

from hindcast.local.clickhouse_door.statement import first_words, tokens

_CHOSEN = "Settings['log_comment']"
# the door's own addition to a SELECT
_PIPE = "'[[:space:]]INTO OUTFILE ./dev/fd/[0-9]+. TRUNCATE '"
_PROCESSES = (
    f"(SELECT * REPLACE(if({_CHOSEN} != '', {_CHOSEN}, query_id) AS query_id, "
    f"if({_CHOSEN} != '', {_CHOSEN}, initial_query_id) AS initial_query_id, "
    f"replaceRegexpOne(query, {_PIPE}, '') AS query) FROM system.processes)"
)
_TABLE = ["system", ".", "processes"]
_READING = (["select"], ["with"], ["from"], ["open"], ["explain"])


def find_by_chosen_id(text: str) -> str:
    """The statement, with `query_id` meaning the id that the client chose."""
    raw = text.encode()
    if first_words(raw, 2) == ["kill", "query"]:
        return _replace(raw, ["query_id"], _CHOSEN)
    if b"processes" in raw.lower() and first_words(raw, 1) in _READING:
        return _replace(raw, _TABLE, _PROCESSES)
    return text


def _replace(raw: bytes, words: list[str], meaning: str) -> str:
    """The text with other words for these, where they are no part of a string or a comment."""
    found = list(tokens(raw))
    parts, at = [], 0
    for place in range(len(found) - len(words) + 1):
        here = found[place : place + len(words)]
        if [token.text for token in here] == words:
            parts += [raw[at : here[0].start].decode(), meaning]
            at = here[-1].end
    return "".join([*parts, raw[at:].decode()])
