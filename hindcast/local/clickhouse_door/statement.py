"""As much of a statement as the HTTP interface must understand: where an INSERT's data begin, and which format answers.

Pure text work; the engine parses the SQL itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
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
# a name or an operand follows these, even one that is spelled like a clause: ORDER BY format DESC
_BEFORE_NAMES = frozenset((
    "and", "as", "between", "by", "case", "distinct", "else", "from", "function", "having", "ilike", "in", "into", "join",
    "like", "not", "on", "or", "prewhere", "qualify", "select", "table", "then", "using", "when", "where", "with",
    *",.+-/%=<>|:?",
))  # fmt: skip
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


def _told_from_names(seen: Iterable[Token]) -> Iterator[tuple[Token, bool]]:
    """Each token, and whether it is a name outside of brackets, such as a column called format."""
    before, wanted = "", False
    end = 0
    for token in seen:
        if token.depth:
            yield token, False
            continue
        # what follows "1." is no part of a name
        wanted = wanted and (before != "." or token.start == end)
        goes_on = token.text in ("distinct", "not", "case") or (
            before == "into" and token.text in ("table", "function")
        )
        name = wanted and not goes_on and token.text[0].isidentifier()
        yield token, name
        before, wanted, end = token.text, token.text in _BEFORE_NAMES and not name, token.end


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
    if first_words(text, 1) != ["insert"]:
        return None
    seen = _told_from_names(tokens(text))
    settings_at: int | None = None
    for token, is_name in seen:
        if token.text == "infile" and not token.depth:
            return None
        if token.depth or is_name:
            continue
        if token.text in ("select", "with", "watch"):
            return None
        if token.text == "settings" and settings_at is None:
            settings_at = token.start
        if token.text == "values":
            return _values(text, token, settings_at)
        if token.text == "format":
            return _formatted(text, token, settings_at, next(seen, (None, False))[0])
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
    inserts = first_words(text, 1) == ["insert"]
    for token, is_name in _told_from_names(tokens(text)):
        if inserts and token.text == "values" and not token.depth and not is_name:
            return
        yield token


def output_format(text: bytes, default: str) -> str:
    """The format named by a trailing `FORMAT name` outside of brackets, else the default."""
    found, named_next = default, False
    for token, is_name in _told_from_names(_before_rows(text)):
        if named_next:
            found = text[token.start : token.end].decode("utf-8", "replace")
        named_next = token.text == "format" and not token.depth and not is_name
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
    """The SELECT or EXPLAIN, writing its answer to the file `path` in its own format, else in the default one.

    None for every other statement.
    """
    if not _may_be_long(first_words(text, 2)):
        return None
    told = [(token, is_name) for token, is_name in _told_from_names(tokens(text)) if not token.depth]
    if any(token.text == "insert" and not is_name for token, is_name in told):
        return None
    outside = [token for token, _ in told]
    last = next((place for place, token in enumerate(outside) if token.text == ";"), len(outside))
    end = outside[last].start if last < len(outside) else len(text)
    into = f"\nINTO OUTFILE '{path}' TRUNCATE ".encode()
    for place in range(last - 2, 0, -1):
        following = outside[place + 2].text if place + 2 < last else "settings"
        if outside[place].text == "format" and not told[place][1] and following == "settings":
            at = outside[place].start
            return text[:at] + into + text[at:end]
    return text[:end] + into + f"FORMAT {default_format}".encode()


def _may_be_long(words: list[str]) -> bool:
    # EXPLAIN AST explains INTO OUTFILE instead of following it
    return words[:1] in (["select"], ["with"], ["from"], ["open"]) or (
        words[:1] == ["explain"] and words != ["explain", "ast"]
    )
