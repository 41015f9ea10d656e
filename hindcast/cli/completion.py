"""What the shell proposes for `hindcast query`: names of questions, their parameters, and the values of those that have few."""

from __future__ import annotations

import click
from click.shell_completion import CompletionItem

from evaluation.queries import NamedQuery, shipped_queries


def complete_name(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Queries whose names begin so, each with its question."""
    return [
        CompletionItem(one.name, help=one.question)
        for one in _queries().values()
        if one.name.startswith(incomplete)
    ]


def complete_parameter(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """``NAME=`` of the parameters of the query that is named already and not given yet, or ``NAME=VALUE`` where it has choices."""
    # an option whose value is being typed keeps click from giving the argument its name
    named = _queries().get(context.params.get("name") or next(iter(context.args), ""))
    if named is None:
        return []
    given = {pair.partition("=")[0] for pair in context.params.get("pairs") or ()}
    offered = []
    for one in named.parameters:
        if one.name in given:
            continue
        if not incomplete.startswith(f"{one.name}="):
            offered.append(CompletionItem(f"{one.name}=", help=one.meaning))
        else:
            offered += [CompletionItem(f"{one.name}={choice}", help=one.meaning) for choice in one.choices]
    return [item for item in offered if item.value.startswith(incomplete)]


def _queries() -> dict[str, NamedQuery]:
    return shipped_queries()
