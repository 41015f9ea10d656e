"""The rows of view functions_v, made from the headers of what is called with arguments: `python tests/sql/callable_rows.py` writes them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

from stream_processors.sql_files import sql_directory, sql_files

VIEW = "90_functions_v.sql"


@dataclass(frozen=True)
class Callable:
    """What the header of a file says."""

    name: str
    kind: str
    call: str
    meaning: str
    example: str


def callables() -> list[Callable]:
    """Every function, and every view that takes a parameter."""
    views = [path for path in sql_files("views") if path.name != VIEW]
    return [
        *(_of(path.stem, "function", path) for path in sql_files("functions")),
        *(_of(path.stem[3:], "view", path) for path in views if _takes_parameter(path)),
    ]


def _takes_parameter(path: Path) -> bool:
    return bool(re.search(r"^-- parameter: ", path.read_text(encoding="utf-8"), re.MULTILINE))


def _of(name: str, kind: str, path: Path) -> Callable:
    text = path.read_text(encoding="utf-8")
    lines = list(takewhile(lambda line: line.startswith("--"), text.splitlines()))
    example = next(line for line in lines if line.startswith("-- example: ")).removeprefix("-- example: ")
    header = " ".join(
        line.removeprefix("--").strip() for line in lines if not line.startswith("-- example: ")
    )
    call, _, meaning = header.partition("): ")
    return Callable(name, kind, f"{call})", meaning, example)


def with_rows(text: str) -> str:
    """The view's text with its rows made anew."""
    rows = ",\n".join(f"    ({', '.join(map(_quoted, vars(one).values()))})" for one in callables())
    return re.sub(r"(?<=\n    \[\n).*?(?=\n    \]\n)", lambda _: rows, text, flags=re.DOTALL)


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


if __name__ == "__main__":
    file = sql_directory("views") / VIEW
    file.write_text(with_rows(file.read_text(encoding="utf-8")), encoding="utf-8")
