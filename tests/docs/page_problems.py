"""What is wrong with a page: links that lead nowhere, paths, make targets and commands that do not exist. Each finds a list of problems."""

from __future__ import annotations

import re
from pathlib import Path

import click
from markdown_pages import ROOT, Page, calls_of, pages

from hindcast.cli import hindcast

_TOP = {
    "schemas",
    "sql",
    "producers",
    "stream_processors",
    "evaluation",
    "hindcast",
    "tests",
    "benchmarks",
    "docs",
    "examples",
}
_PATH = re.compile(r"[\w.*-]+(/[\w.*-]*)+")
_ROOT_FILE = re.compile(r"(Makefile|Dockerfile|[\w-]+\.(md|toml|yml))")


def broken_links(page: Page) -> list[str]:
    """Relative links whose file or heading is not there."""
    known = {one.name: one.anchors for one in pages()} | {page.name: page.anchors}
    problems = []
    for link in page.links:
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (ROOT / page.name).parent / path if path else ROOT / page.name
        headings = known.get(str(target.resolve().relative_to(ROOT)), set())
        if not target.exists() or (anchor and anchor not in headings):
            problems.append(link)
    return problems


def missing_paths(page: Page) -> list[str]:
    """Words in backticks that look like a path of this repository and name nothing in it."""
    found = []
    for span in page.spans:
        in_tree = _PATH.fullmatch(span) and span.partition("/")[0] in _TOP
        if (in_tree or _ROOT_FILE.fullmatch(span)) and not any(ROOT.glob(span.rstrip("/"))):
            found.append(span)
    return found


def make_targets(makefile: Path = ROOT / "Makefile") -> set[str]:
    """Targets that a person may name."""
    return set(re.findall(r"^([a-z]+):", makefile.read_text(encoding="utf-8"), re.MULTILINE))


def unknown_targets(page: Page) -> list[str]:
    """Targets of ``make`` that the page names and the Makefile does not have."""
    lines = [line for block in page.blocks if block.language == "sh" for line in block.commands()]
    spans = [span for span in page.spans if re.fullmatch(r"(\w+=\S+ )*make [a-z]+.*", span)]
    named = []
    for line in [*lines, *spans]:
        words = re.sub(r"^(\w+=\S+ )*", "", line.strip()).split()
        if words[:1] == ["make"]:
            named.append(words[1])
    return [name for name in named if name not in make_targets()]


def refused_commands(page: Page) -> list[str]:
    """Calls of ``hindcast`` in shell blocks that the command line would refuse, and commands named in backticks that there are not."""
    problems = []
    for block in page.blocks:
        if block.language == "sh":
            for line in block.commands():
                for words in calls_of(line, "hindcast"):
                    problems += _refusal(words)
    for span in page.spans:
        if span.startswith("hindcast ") and re.match(r"[a-z-]+$", span.split()[1]):
            problems += [] if _subcommand(span.split()[1:])[0] is not hindcast else [span]
    return problems


def every_command() -> dict[str, click.Command]:
    """Each command and subcommand by the words that call it, without ``hindcast``."""
    found: dict[str, click.Command] = {}

    def walk(command: click.Command, words: tuple[str, ...]) -> None:
        if words:
            found[" ".join(words)] = command
        if isinstance(command, click.Group):
            context = click.Context(command)
            for name in command.list_commands(context):
                inner = command.get_command(context, name)
                assert inner is not None
                walk(inner, (*words, name))

    walk(hindcast, ())
    return found


def _subcommand(words: list[str]) -> tuple[click.Command, list[str]]:
    """The command that the first words name, and the words after them."""
    command: click.Command = hindcast
    rest = list(words)
    while isinstance(command, click.Group) and rest:
        inner = command.get_command(click.Context(command), rest[0])
        if inner is None:
            break
        command, rest = inner, rest[1:]
    return command, rest


def _refusal(words: list[str]) -> list[str]:
    command, rest = _subcommand(words)
    try:
        command.make_context(" ".join(words), rest)
    except click.exceptions.Exit:
        return []
    except click.UsageError as problem:
        return [f"hindcast {' '.join(words)}: {problem.format_message()}"]
    # some groups are commands themselves, and none has another argument than a subcommand
    if isinstance(command, click.Group) and not (
        command.invoke_without_command and (not rest or rest[0].startswith("-"))
    ):
        return [f"hindcast {' '.join(words)}: no such command"]
    return []
