"""As much of a statement as the HTTP interface must understand: where an INSERT's data begin, and which format answers.

Pure text work; the engine parses the SQL itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_TOKEN = re.compile(
    rb"""
    (?P<space>\s+ | --[^\n]* | //[^\n]* | \#[!\ ][^\n]* | /\*.*?\*/)
  | (?P<heredoc>\$(?P<tag>\w*)\$.*?\$(?P=tag)\$)
  | (?P<quoted>'(?:[^'\\]|\\.|'')*' | "(?:[^"\\]|\\.)*" | `(?:[^`\\]|\\.)*`)
  | (?P<word>[A-Za-z_][\w$]*)
  | (?P<open>[(\[{])
  | (?P<close>[)\]}])
  | (?P<other>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_AFTER_FORMAT = re.compile(rb"[ \t\f]*\r?\n?")


@dataclass(frozen=True)
class Token:
    """A significant token: lower-cased word or its kind, its place, and how many brackets stand around it."""

    text: str
    start: int
    end: int
    depth: int


@dataclass(frozen=True)
class Insert:
    """An INSERT whose data follow it: `sql` for the engine is `head + FROM INFILE … + tail`."""

    head: str
    tail: str
    data_format: str
    data_at: int


def tokens(text: bytes) -> Iterator[Token]:
    """The significant tokens of a statement, lazily: nothing beyond the last one asked for is looked at."""
    depth = 0
    for match in _TOKEN.finditer(text):
        kind = match.lastgroup if match.lastgroup != "tag" else "heredoc"
        if kind == "space":
            continue
        if kind == "close":
            depth -= 1
        name = match.group().decode("utf-8", "replace").lower() if kind in ("word", "other") else str(kind)
        yield Token(name, match.start(), match.end(), depth)
        if kind == "open":
            depth += 1


def first_words(text: bytes, count: int) -> list[str]:
    """The first significant tokens of the statement."""
    found = []
    for token in tokens(text):
        found.append(token.text)
        if len(found) == count:
            break
    return found


def split_insert(text: bytes) -> Insert | None:
    """The parts of `INSERT INTO … [SETTINGS …] FORMAT name <data>` or `INSERT INTO … VALUES` with the data elsewhere.

    None for anything whose data stand in the SQL itself: INSERT … SELECT, VALUES with rows behind it, other statements.
    """
    seen = tokens(text)
    first = next(seen, None)
    if first is None or first.text != "insert":
        return None
    settings_at: int | None = None
    for token in seen:
        if token.depth:
            continue
        if token.text in ("select", "with", "infile", "watch"):
            return None
        if token.text == "settings" and settings_at is None:
            settings_at = token.start
        if token.text == "values":
            return _values(text, token, settings_at)
        if token.text == "format":
            return _formatted(text, token, settings_at, next(seen, None))
    return None


def _values(text: bytes, values: Token, settings_at: int | None) -> Insert | None:
    if text[values.end :].strip():
        return None
    split = settings_at if settings_at is not None else values.start
    return Insert(text[:split].decode(), text[split : values.start].decode(), "Values", len(text))


def _formatted(text: bytes, word: Token, settings_at: int | None, name: Token | None) -> Insert | None:
    if name is None or not _is_name(text, name):
        return None
    split = settings_at if settings_at is not None else word.start
    after = _AFTER_FORMAT.match(text, name.end)
    data_at = after.end() if after else name.end
    data_format = text[name.start : name.end].decode()
    return Insert(text[:split].decode(), text[split : word.start].decode(), data_format, data_at)


def _is_name(text: bytes, token: Token) -> bool:
    return token.text == "quoted" or re.match(rb"[A-Za-z_]", text[token.start : token.end]) is not None


def _before_rows(text: bytes) -> Iterator[Token]:
    """The statement's tokens, without the rows of INSERT … VALUES, which may be many megabytes."""
    inserts = False
    for place, token in enumerate(tokens(text)):
        inserts = inserts or (place == 0 and token.text == "insert")
        if inserts and token.text == "values" and not token.depth:
            return
        yield token


def output_format(text: bytes, default: str) -> str:
    """The format named by a trailing `FORMAT name` outside of brackets, else the default."""
    found = default
    previous = ""
    for token in _before_rows(text):
        if previous == "format" and not token.depth:
            found = text[token.start : token.end].decode("utf-8", "replace")
        previous = token.text if not token.depth else ""
    return found


def writes_a_file(text: bytes) -> bool:
    """Whether the statement would write to or read from a file by `INTO OUTFILE` or `FROM INFILE`."""
    previous = ""
    for token in _before_rows(text):
        if (previous, token.text) in (("into", "outfile"), ("from", "infile")):
            return True
        previous = token.text
    return False


def reads_its_body(text: bytes) -> bool:
    """Whether it is an INSERT … SELECT … FROM input(…), whose data follow it."""
    if first_words(text, 1) != ["insert"]:
        return False
    selects, previous = False, ""
    for token in _before_rows(text):
        if selects and (previous, token.text) == ("input", "open"):
            return True
        selects = selects or token.text == "select"
        previous = token.text
    return False


def is_one_statement(text: bytes) -> bool:
    """Whether nothing but space and comments follows the first semicolon."""
    # Most texts have none, and may be long.
    if b";" not in text:
        return True
    ended = False
    for token in tokens(text):
        if ended and token.text != ";":
            return False
        ended = ended or token.text == ";"
    return True


def answering_into(text: bytes, path: str, default_format: str) -> bytes | None:
    """The SELECT, writing its answer to the file `path` in its own format, else in the default one.

    None for every other statement.
    """
    if first_words(text, 1) not in (["select"], ["with"], ["open"]):
        return None
    outside = [token for token in tokens(text) if not token.depth]
    if any(token.text == "insert" for token in outside):
        return None
    last = next((place for place, token in enumerate(outside) if token.text == ";"), len(outside))
    end = outside[last].start if last < len(outside) else len(text)
    into = f"\nINTO OUTFILE '{path}' TRUNCATE ".encode()
    for place in range(last - 2, 0, -1):
        following = outside[place + 2].text if place + 2 < last else "settings"
        if outside[place].text == "format" and following == "settings":
            at = outside[place].start
            return text[:at] + into + text[at:end]
    return text[:end] + into + f"FORMAT {default_format}".encode()
