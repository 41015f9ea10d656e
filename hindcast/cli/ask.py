"""`hindcast query` and `hindcast sql`: ask what was recorded."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import click
import pyarrow as pa

from evaluation.history import History
from evaluation.queries import NamedQuery, find_query, shipped_queries
from hindcast.cli.completion import complete_name, complete_parameter
from hindcast.cli.outputs import Output, output_options
from hindcast.cli.servers import CLICKHOUSE, variables
from hindcast.cli.unrecorded import what_lacks
from hindcast.one_line import one_line
from producers.errors import ConfigError
from stream_processors.settings import ClickHouseSettings

_param = click.option(
    "--param",
    "-p",
    "pairs",
    multiple=True,
    metavar="NAME=VALUE",
    shell_complete=complete_parameter,
    help="A parameter; may be given several times.",
)


@click.command(add_help_option=False)
@click.argument("name", required=False, shell_complete=complete_name)
@_param
@output_options
@click.option(
    "--help", "-h", "wants_help", is_flag=True, help="Describe the command, or the query if one is named."
)
@click.pass_context
def query(
    context: click.Context,
    /,
    name: str | None,
    pairs: Sequence[str],
    *,
    wants_help: bool,
    **output: Any,
) -> None:
    """Answer one of the named questions; without a NAME list them.

    `hindcast query NAME --help` tells a query's parameters and columns. Times are UTC, like 2024-05-31 or 2024-05-31T12:00.
    """
    goes = Output.from_options(**output)
    if wants_help:
        click.echo(describe(find_query(name)) if name else context.get_help())
    elif name is None:
        questions = [{"name": one.name, "question": one.question} for one in shipped_queries().values()]
        goes.write(pa.Table.from_pylist(questions))
    else:
        asked, parameters = find_query(name), parsed(pairs)
        with History(settings()) as history:
            answer = history.answer(asked.name, parameters)
            lacks = None if answer.num_rows else what_lacks(history, asked, parameters, datetime.now(UTC))
        if lacks and goes.plot is not None:
            raise ConfigError(one_line(f"nothing to plot: {lacks}"))
        goes.write(answer, asked.plot)
        if lacks:
            click.echo(one_line(f"hindcast: {lacks}"), err=True)


@click.command()
@click.argument("statement", required=False)
@_param
@output_options
def sql(statement: str | None, pairs: Sequence[str], **output: Any) -> None:
    """Answer one STATEMENT that reads, from the argument or the standard input.

    {name:Type} in it is bound to --param name=value. It runs read-only, within limits of time, memory and rows.
    """
    goes = Output.from_options(**output)
    if statement in (None, "-"):
        statement = _from_standard_input()
    assert statement is not None
    with History(settings()) as history:
        answer = history.sql(statement, parsed(pairs))
    goes.write(answer)


def _from_standard_input() -> str:
    if sys.stdin.isatty():
        return ""
    try:
        text = sys.stdin.read()
        text.encode()
    except UnicodeError:
        raise ConfigError("the statement on the standard input is not UTF-8 text") from None
    return text


def parsed(pairs: Sequence[str]) -> dict[str, str]:
    """Parameters from NAME=VALUE pairs; a value may hold anything.

    Raises:
        ConfigError: a pair without a name or equals sign, or a name given twice.
    """
    found: dict[str, str] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name.isidentifier():
            raise ConfigError(f"--param wants NAME=VALUE, not {pair!r}")
        if name in found:
            raise ConfigError(f"--param {name} is given twice")
        found[name] = value
    return found


def settings(environment: Mapping[str, str] | None = None) -> ClickHouseSettings:
    """Where to ask: what the environment says, else the stack that runs in this directory, else the defaults."""
    given = os.environ if environment is None else environment
    return ClickHouseSettings.from_environment(variables(given, CLICKHOUSE))


def describe(named: NamedQuery) -> str:
    """What a query asks, its parameters and columns, and an example."""
    lines = [named.question, *([named.explanation] if named.explanation else []), "", "Parameters:"]
    for one in named.parameters:
        default = "required" if one.default is None else f"default {one.default or 'empty'}"
        choices = f"; one of {one.told_choices()}" if one.choices else ""
        choices += "; {} to {}".format(*one.between) if one.between else ""
        lines.append(f"  {one.name} ({one.type}; {default}{choices}): {one.meaning}")
    lines += ["", "Columns:", *(f"  {one.name}: {one.meaning}" for one in named.columns)]
    if named.whole:
        lines += ["", "Read whole, whatever period is asked for:"]
        lines += [f"  {one.name}: {one.meaning}" for one in named.whole]
    example = "".join(f" --param {name}={value}" for name, value in named.example.items())
    lines += ["", f"Example: hindcast query {named.name}{example}"]
    return "\n".join([*lines, *(["", named.output] if named.output else [])])
