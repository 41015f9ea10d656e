"""Every example on every page runs, in order, as a reader would run it."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import pytest
from markdown_pages import Block, page, pages
from reader import LEFT_OUT, Reader

EXAMPLES = [one.name for one in pages() if {block.language for block in one.blocks} & {"python", "sh", "sql"}]


def test_the_readme_brings_each_user_what_they_came_for(reader: Reader, readme: dict[Block, str]) -> None:
    """A service's event and label reach the analyst's query, the columns are those printed on the page, and the consumer sees a verdict."""
    assert any("flight-delay distance origin=JFK severe" in text for text in readme.values())
    answer = ("query", "entity_history", "--param", "model=churn", "--param", "entity=customer-17", "--json")
    row = json.loads(reader.hindcast(*answer))[0]
    assert (row["score"], row["decision"], row["truth"]) == (0.31, "stay", "leave")
    question, shown = next(
        (line, block.text)
        for asked, block in pairwise(page("README.md").blocks)
        if block.language == "text"
        for line in asked.commands()
        if line.startswith("hindcast sql")
    )
    again = reader.run(Block("sh", question))
    assert again.splitlines()[0].split() == shown.splitlines()[0].split()


@pytest.mark.parametrize("name", [name for name in EXAMPLES if name != "README.md"])
def test_the_examples_of_a_page_run(reader: Reader, name: str) -> None:
    """Each block of Python, SQL and shell ends well after the README, and consumers print what is on their topic."""
    try:
        for block in page(name).blocks:
            reader.run(block)
    finally:
        reader.end_gateways()


def test_the_gateway_answers_as_printed(reader: Reader) -> None:
    """Each answer on its page is the one to the request above it, but for the ids that it makes."""
    blocks = page("docs/gateway.md").blocks
    pairs = [(asked, shown) for asked, shown in pairwise(blocks) if shown.language == "json"]
    assert len(pairs) >= 2
    try:
        reader.run(blocks[0])
        for asked, shown in pairs:
            answer, printed = json.loads(reader.run(asked)), json.loads(shown.text)
            assert [type(one) for one in answer.pop("ids")] == [type(one) for one in printed.pop("ids")]
            assert answer == printed
    finally:
        reader.end_gateways()


@pytest.mark.parametrize(
    "block",
    [
        Block("python", "raise SystemExit(3)"),
        Block("sh", "hindcast query nosuch\necho after it"),
        Block("sql", "SELECT nosuch FROM predictions_v"),
    ],
)
def test_a_broken_example_is_found(block: Block, tmp_path: Path) -> None:
    """An example that fails, in its middle too, fails the test."""
    with pytest.raises(AssertionError):
        Reader(tmp_path, {}).run(block)


def test_little_is_left_out() -> None:
    """What is not run is installing, testing, measuring, Docker, and the starts and ends of stacks."""
    assert not LEFT_OUT.match("hindcast query volume --param model=churn")
    assert not LEFT_OUT.match('eval "$(hindcast status --env)"')
    assert LEFT_OUT.match("QUICK=1 make bench")
    assert LEFT_OUT.match("hindcast up --detach")
