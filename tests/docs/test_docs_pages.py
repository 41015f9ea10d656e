"""What the pages name is there: links, paths, make targets, commands."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from generated_lists import LISTS, with_lists
from markdown_pages import Page, page, pages
from page_problems import broken_links, every_command, missing_paths, refused_commands, unknown_targets
from sketch_picture import PICTURE, picture

CHECKS = [broken_links, missing_paths, unknown_targets, refused_commands]


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("one", pages(), ids=lambda one: one.name)
def test_what_a_page_names_is_there(check: Callable[[Page], list[str]], one: Page) -> None:
    """Links resolve, paths and targets exist, and the command line takes every call as it is written."""
    assert check(one) == []


@pytest.mark.parametrize(
    ("check", "text"),
    [
        (broken_links, "[a](docs/nowhere.md)"),
        (broken_links, "[a](docs/drift.md#no-such-heading)"),
        (missing_paths, "`stream_processors/nowhere.py`"),
        (missing_paths, "`NOWHERE.md`"),
        (unknown_targets, "`make coffee`"),
        (unknown_targets, "```sh\nQUICK=1 make coffee\n```"),
        (refused_commands, "```sh\nhindcast query --nosuch\n```"),
        (refused_commands, "```sh\nhindcast contract nosuch\n```"),
        (refused_commands, "```sh\nhindcast gateway nosuch\n```"),
        (refused_commands, "```sh\nhindcast gateway keys\n```"),
        (refused_commands, '```sh\neval "$(hindcast status --enviroment)"\n```'),
        (refused_commands, "`hindcast nosuch`"),
    ],
)
def test_each_check_bites(check: Callable[[Page], list[str]], text: str) -> None:
    """A page with a mistake is found out."""
    assert len(check(Page("README.md", text))) == 1


def test_every_command_is_described_and_has_help() -> None:
    """Each command and subcommand stands on some page, and says in its help what it does."""
    everything = "\n".join(one.text for one in pages())
    commands = every_command()
    assert len(commands) > 15
    assert [words for words in commands if f"hindcast {words}" not in everything] == []
    assert [words for words, command in commands.items() if not command.help] == []


def test_generated_lists_are_up_to_date() -> None:
    """docs/data.md lists the topics, tables, views, functions and questions that there are; generated_lists.py writes them."""
    written = page("docs/data.md").text
    assert [name for name in LISTS if f"<!-- {name} -->" not in written] == []
    assert with_lists(written) == written
    assert with_lists(written.replace("| `drift_v` |", "| `drift` |")) == written


def test_the_picture_is_what_the_code_draws() -> None:
    """docs/pictures/histogram.svg is what the histogram's code makes now, small, and shown; sketch_picture.py writes it."""
    drawn = picture()
    assert PICTURE.read_text(encoding="utf-8") == drawn
    assert len(drawn) < 150_000
    assert drawn.count("<rect") > 30
    assert f"pictures/{PICTURE.name}" in page("docs/sketches.md").links
