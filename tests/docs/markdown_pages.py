"""README, docs and the other pages for people, taken apart: fenced blocks, links, headings, words in backticks. Pure but for `pages`."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

_FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_SPAN = re.compile(r"`([^`\n]+)`")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_SUBSTITUTED = re.compile(r"\$\(([^)]*)\)")


@dataclass(frozen=True)
class Block:
    """One fenced block: the word after the fence and the lines inside."""

    language: str
    text: str

    def commands(self) -> list[str]:
        """Lines of a shell block as they would be run: continued lines joined, comments and empty lines left out."""
        lines = self.text.replace("\\\n", " ").splitlines()
        return [line for line in lines if line.strip() and not line.lstrip().startswith("#")]


@dataclass(frozen=True)
class Page:
    """One page; ``name`` is its path from the root of the checkout."""

    name: str
    text: str

    @property
    def blocks(self) -> list[Block]:
        """Fenced blocks in order."""
        return [Block(found[1], found[2]) for found in _FENCED.finditer(self.text)]

    @property
    def prose(self) -> str:
        """What stands outside of fenced blocks."""
        return _FENCED.sub("", self.text)

    @property
    def links(self) -> list[str]:
        """Targets of links, in order."""
        return _LINK.findall(self.prose)

    @property
    def spans(self) -> list[str]:
        """What stands in backticks, in order."""
        return _SPAN.findall(self.prose)

    @property
    def anchors(self) -> set[str]:
        """What a link may name behind ``#``, by the rule that forges use."""
        return {
            re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
            for heading in _HEADING.findall(self.prose)
        }

    def rows(self) -> list[list[str]]:
        """Rows of all tables, head rows and rules left out, as cells."""
        lines = self.prose.splitlines()
        rows = []
        for before, line in zip(["", *lines], lines, strict=False):
            is_head = not before.startswith("|")
            if line.startswith("|") and not is_head and not re.fullmatch(r"[|\s:-]+", line):
                rows.append([cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]])
        return rows


def page(name: str) -> Page:
    """The page at a path from the root."""
    return Page(name, (ROOT / name).read_text(encoding="utf-8"))


def pages() -> list[Page]:
    """Every page that people read."""
    docs = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "docs").glob("*.md"))
    return [page(name) for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", *docs)]


def calls_of(command: str, program: str) -> list[list[str]]:
    """The words after a program's name wherever a shell line calls it, also inside ``$(…)``."""
    lines = [command, *_SUBSTITUTED.findall(command)]
    words = [shlex.split(line, comments=True) for line in lines]
    return [call[1:] for call in words if call[:1] == [program]]
