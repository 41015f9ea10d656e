"""What a read-only statement may look like, before it is sent. Pure.

A server holds its readers to that itself. The embedded engine knows no users: its ``readonly`` lets a reader open the machine's files and network
(``file()`` as a function, or by its bare name as in ``arrayMap(file, ...)``, any table function in a DESCRIBE), kill queries, and send several statements at once. So a statement is taken apart here, and
refused wherever it could be read otherwise than the engine reads it: its lexer also knows quotes and spaces beyond ASCII, here-documents, comments in
comments and ``//``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from producers.errors import ConfigError

_TOKEN = re.compile(
    r"""
    (?P<space>[\ \t\n\r\f\v]+ | --[^\n]* | /\*(?:(?!/\*|\*/).)*\*/)
  | (?P<text>'(?:\\.|''|[^'\\])*')
  | (?P<name>"(?:\\.|""|[^"\\])*" | `(?:\\.|``|[^`\\])*`)
  | (?P<word>[A-Za-z0-9_]+)
  | (?P<sign>[()\[\]{},;.+*%=!<>?:|@^~&-] | /(?![/*]))
    """,
    re.VERBOSE | re.DOTALL,
)
_READS = ("select", "with", "show", "describe", "desc", "exists", "explain")
# Table functions that answer from the record or from nothing; all others read files, other servers, or text that is a statement.
TABLE_FUNCTIONS = frozenset(
    [
        "dictionary",
        "format",
        "fuzzjson",
        "fuzzquery",
        "generate_series",
        "generaterandom",
        "generateseries",
        "loop",
        "merge",
        "mergetreeanalyzeindexes",
        "mergetreeanalyzeindexesuuid",
        "mergetreecodecblockcounts",
        "mergetreeindex",
        "mergetreeprojection",
        "mergetreetextindex",
        "null",
        "numbers",
        "numbers_mt",
        "primes",
        "prometheusquery",
        "prometheusqueryrange",
        "sqlstandardvalues",
        "timeseriesdata",
        "timeseriesmetricfamilies",
        "timeseriesmetrics",
        "timeseriessamples",
        "timeseriesselector",
        "timeseriestags",
        "values",
        "view",
        "viewexplain",
        "viewifpermitted",
        "zeros",
        "zeros_mt",
    ]
)
# Functions that are no tables. The engine takes the bare name of one wherever it wants a function, as in arrayMap(file, ...).
REFUSED_NAMES = frozenset(
    [
        "aiclassify",
        "aiembed",
        "aiextract",
        "aifilter",
        "aigenerate",
        "airedact",
        "aisimilarity",
        "aitranslate",
        "catboostevaluate",
        "file",
        "hascolumnintable",
        "showcertificate",
    ]
)
REFUSED_FUNCTIONS = frozenset(
    [
        "arrowstream",
        "azureblobstorage",
        "azureblobstoragecluster",
        "bigquery",
        "cluster",
        "clusterallreplicas",
        "cosn",
        "deltalake",
        "deltalakeazure",
        "deltalakeazurecluster",
        "deltalakecluster",
        "deltalakelocal",
        "deltalakes3",
        "deltalakes3cluster",
        "eval",
        "executable",
        "filecluster",
        "filesystem",
        "gcs",
        "hdfs",
        "hdfscluster",
        "hudi",
        "hudicluster",
        "iceberg",
        "icebergazure",
        "icebergazurecluster",
        "icebergcluster",
        "iceberghdfs",
        "iceberghdfscluster",
        "iceberglocal",
        "iceberglocalcluster",
        "icebergs3",
        "icebergs3cluster",
        "input",
        "jdbc",
        "mongodb",
        "mysql",
        "odbc",
        "oss",
        "paimon",
        "paimonazure",
        "paimonazurecluster",
        "paimoncluster",
        "paimonhdfs",
        "paimonhdfscluster",
        "paimonlocal",
        "paimons3",
        "paimons3cluster",
        "postgresql",
        "python",
        "redis",
        "remote",
        "remotesecure",
        "s3",
        "s3cluster",
        "sqlite",
        "url",
        "urlcluster",
        "ytsaurus",
        *REFUSED_NAMES,
    ]
)


def read_only(statement: str) -> str:
    """The statement without semicolons and comments at its end, if it is one statement that reads, and reads the record alone.

    Raises:
        ConfigError: empty, no text, several statements, something that does not read, a file or another server, or a FORMAT of its own.
    """
    try:
        statement.encode()
    except UnicodeEncodeError:
        raise ConfigError("half of a surrogate pair in the statement is no text") from None
    tokens = _one_statement(statement)
    if not tokens:
        raise ConfigError("no statement: give one, or send it to the standard input")
    words = [text for text, _ in tokens]
    first = next((word for word in words if word != "("), "")
    if first not in _READS:
        raise ConfigError(f"only statements that read are answered: {', '.join(_READS).upper()}")
    _refuse_what_reaches_out(words)
    if len(words) > 2 and words[-2] == "format":
        raise ConfigError("leave FORMAT out: --format table, csv, json, jsonl or parquet gives the form")
    return statement[: tokens[-1][1]]


def refuse_what_does_not_read(statement: str) -> None:
    """Return where a statement, which may set and use as well, and name its format, does nothing beyond the record.

    Raises:
        ConfigError: several statements, something that writes, a file or another server.
    """
    _refuse_what_reaches_out([text for text, _ in _one_statement(statement)])


def refuse_functions_by_parameter(statement: str, parameters: Mapping[str, Any]) -> None:
    """Return where no parameter of a statement that reads, and has an ``{name:Identifier}``, is the name of a function that reaches beyond the record.

    Raises:
        ConfigError: one is.
    """
    # comments may stand beside name and type, so that neither is compared as a whole
    if any("Identifier" in kind for _, kind in placeholders(statement)):
        for name, value in parameters.items():
            if str(value).lower() in REFUSED_NAMES:
                raise ConfigError(f"parameter {name} names a function that reaches beyond the record")


def placeholders(statement: str) -> Iterator[tuple[str, str]]:
    """Name and type, without spaces, of every ``{name:Type}`` of a statement that reads."""
    tokens = _one_statement(statement)
    texts = [text for text, _ in tokens]
    for place, text in enumerate(texts):
        if text == "{" and texts[place + 2 : place + 3] == [":"] and "}" in texts[place:]:
            (_, begin), (_, colon), (_, end) = (
                tokens[place],
                tokens[place + 2],
                tokens[texts.index("}", place)],
            )
            kind = statement[colon : end - 1]
            yield statement[begin : colon - 1].strip(), "".join(kind.split())


def _one_statement(statement: str) -> list[tuple[str, int]]:
    """Its tokens, without semicolons at the end."""
    tokens = _tokens(statement)
    while tokens and tokens[-1][0] == ";":
        tokens.pop()
    if any(text == ";" for text, _ in tokens):
        raise ConfigError("one statement at a time is answered")
    return tokens


def _tokens(statement: str) -> list[tuple[str, int]]:
    """Words in lower case, signs, ``'`` for a text and ``"`` for a quoted name that is no refused function's, each with the place where it ends."""
    found, at = [], 0
    while at < len(statement):
        token = _TOKEN.match(statement, at)
        if token is None:
            raise ConfigError(
                f"{statement[at : at + 2]!r} outside of quotation marks is not taken: a statement that only reads is of ASCII, without $, #, //"
                " or a comment in a comment"
            )
        at = token.end()
        if token.lastgroup == "text":
            found.append(("'", at))
        elif token.lastgroup == "name":
            if "\\" in token[0]:
                raise ConfigError(f"a name with an escape is not taken: {token[0]}")
            name = token[0][1:-1].lower()
            found.append((name if name in REFUSED_FUNCTIONS else '"', at))
        elif token.lastgroup != "space":
            found.append((token[0].lower(), at))
    return found


def _refuse_what_reaches_out(words: Sequence[str]) -> None:
    depth = 0
    for place, word in enumerate(words):
        following = words[place + 1 : place + 3]
        depth += (word in "([{") - (word in ")]}") if len(word) == 1 else 0
        if following[:1] == ["("] and word in REFUSED_FUNCTIONS:
            raise ConfigError(f"{word}() reaches beyond the record, and only the record is read")
        if word in REFUSED_NAMES:
            raise ConfigError(
                f"{word} names a function that reaches beyond the record, and only the record is read: nothing else may have that name here"
            )
        if word == "apply" and any(one in REFUSED_FUNCTIONS for one in following):
            raise ConfigError("APPLY of a function that reaches beyond the record")
        if (word, *following[:1]) in {("into", "outfile"), ("from", "infile")}:
            raise ConfigError("INTO OUTFILE and FROM INFILE are not allowed: only the record is read")
        if word == "insert" and not depth:
            raise ConfigError("INSERT does not read")
