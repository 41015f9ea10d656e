"""The lists in docs/data.md, made from what they list: `python tests/docs/generated_lists.py` writes them into the page."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path

from evaluation.queries import shipped_queries
from producers.topics import topics
from stream_processors.sql_files import sql_files

PAGE = Path(__file__).resolve().parents[2] / "docs" / "data.md"
_COMMENT = re.compile(r"^COMMENT '(.*)'$", re.MULTILINE)


def topic_list() -> str:
    """A row per topic, in the order of schemas/topics.json."""
    rows = (
        (
            f"`{one.name}`",
            one.key,
            ", ".join(f"`{value}`" for value in one.values) or "original bytes; the facts in a header",
            "for ever" if one.retention_days is None else f"{one.retention_days} d",
            ", ".join(one.written_by),
            ", ".join(one.read_by),
        )
        for one in topics().values()
    )
    return _table(("topic", "key", "value", "kept", "written by", "read by"), rows)


def table_list() -> str:
    """A row per table, in the order of migrations; one that changes a table makes none."""
    texts = (path.read_text(encoding="utf-8") for path in sql_files("migrations"))
    rows = (_of_migration(text) for text in texts if text.startswith("CREATE TABLE"))
    return _table(("table", "what", "order"), rows)


def view_list() -> str:
    """A row per view, by its file's name without the number that orders them."""
    rows = (
        (
            f"`{path.stem.partition('_')[2]}`",
            _comment(path.read_text(encoding="utf-8")),
            f"`sql/views/{path.name}`",
        )
        for path in sql_files("views")
    )
    return _table(("view", "what", "file"), rows)


def function_list() -> str:
    """A row per function: its call and the first sentence of its header."""
    return _table(("function", "what"), (_of_function(path) for path in sql_files("functions")))


def query_list() -> str:
    """A row per named question, with the parameters that must be given."""
    rows = (
        (f"`{one.name}`", one.question, ", ".join(f"`{p.name}`" for p in one.parameters if p.default is None))
        for one in shipped_queries().values()
    )
    return _table(("name", "question", "must be given"), rows)


LISTS: dict[str, Callable[[], str]] = {
    "topics": topic_list,
    "tables": table_list,
    "views": view_list,
    "functions": function_list,
    "queries": query_list,
}


def with_lists(page: str) -> str:
    """The page with every list between its marks made anew.

    Raises:
        KeyError: a mark names a list that nobody makes.
    """
    mark = re.compile(r"<!-- (\w+) -->\n.*?<!-- end -->", re.DOTALL)
    return mark.sub(lambda found: f"<!-- {found[1]} -->\n{LISTS[found[1]]()}\n<!-- end -->", page)


def _of_migration(text: str) -> tuple[str, ...]:
    created = re.search(r"CREATE TABLE IF NOT EXISTS (\w+)", text)
    order = re.search(r"^ORDER BY \((.*)\)$", text, re.MULTILINE)
    assert created
    assert order
    return f"`{created[1]}`", _comment(text), order[1].replace("`", "")


def _comment(text: str) -> str:
    found = _COMMENT.search(text)
    assert found, text
    return found[1]


def _of_function(path: Path) -> tuple[str, ...]:
    lines = path.read_text(encoding="utf-8").splitlines()
    comments = [line.removeprefix("--").strip() for line in lines if line.startswith("--")]
    header = " ".join(line for line in comments if not line.startswith("example:"))
    call, _, rest = header.partition("): ")
    first_sentence = re.split(r"(?<=[a-z0-9)])\. |: (?=\()", rest)[0]
    return f"`{call})`", first_sentence.rstrip(".")


def _table(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [heads, ("---",) * len(heads), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


if __name__ == "__main__":
    PAGE.write_text(with_lists(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
