"""`hindcast up`, `hindcast down` and `hindcast status`: the local stack from the command line."""

from __future__ import annotations

import json
import shlex
import sys
import time
from pathlib import Path

import click
from rich.console import Console
from rich.live import Live

from hindcast.interruption import Interruption
from hindcast.local.layout import DEFAULT_DIRECTORY
from hindcast.local.stack import LocalStack
from hindcast.local.startup import StackOptions
from hindcast.local.status_view import render_status

_REFRESH_S = 1.0
_PORT = click.IntRange(1, 65535)
_directory = click.option(
    "--directory",
    type=click.Path(path_type=Path),
    default=DEFAULT_DIRECTORY,
    show_default=True,
    help="Where the stack keeps everything.",
)


@click.command()
@_directory
@click.option(
    "--detach", is_flag=True, help="Return when everything is healthy; end it with `hindcast down`."
)
@click.option("--kafka-port", type=_PORT, help="Port for Kafka; that of last time, else a free one.")
@click.option(
    "--clickhouse-port", type=_PORT, help="Port for ClickHouse; that of last time, else a free one."
)
@click.option("--topic-prefix", default="hindcast", show_default=True, help="Topics are PREFIX.name.")
@click.option("--database", default="hindcast", show_default=True, help="ClickHouse database.")
def up(
    directory: Path,
    *,
    detach: bool,
    kafka_port: int | None,
    clickhouse_port: int | None,
    topic_prefix: str,
    database: str,
) -> None:
    """Start Kafka, ClickHouse and the four processors on this machine; Ctrl-C stops everything."""
    console = Console()
    stack = LocalStack(directory)
    options = StackOptions(kafka_port, clickhouse_port, topic_prefix, database)
    interruption = Interruption()
    interruption.raise_on_signals()
    try:
        stack.up(options, detach=detach, said=lambda step: console.print(f"[dim]{step} …[/dim]"))
    except KeyboardInterrupt:
        # `up` itself has already stopped what it had started; a further Ctrl-C shall not cut off the word that says so.
        interruption.ignore_signals()
        click.echo("hindcast: interrupted while starting; nothing is left running", err=True)
        raise click.Abort from None
    if detach:
        console.print(render_status(stack.status()), crop=False)
        return
    _watch(stack, console, interruption)


@click.command()
@_directory
def down(directory: Path) -> None:
    """Stop everything that `hindcast up` started in this directory; the data stay."""
    stopped = LocalStack(directory).down()
    click.echo("stopped" if stopped else f"nothing runs in {directory}")


@click.command()
@_directory
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.option("--env", "as_env", is_flag=True, help='As `export` lines: eval "$(hindcast status --env)".')
def status(directory: Path, *, as_json: bool, as_env: bool) -> None:
    """Show what runs, lag per processor and partition, events per second, and the last error."""
    stack = LocalStack(directory)
    seen = stack.status()
    if as_env:
        for name, value in stack.environment().items():
            click.echo(f"export {name}={shlex.quote(value)}")
    elif as_json:
        click.echo(json.dumps(seen, indent=1))
    else:
        Console().print(render_status(seen), crop=False)
    if not seen["running"] or "problem" in seen:
        # As `systemctl status` does for what does not run.
        sys.exit(3)


def _watch(stack: LocalStack, console: Console, interruption: Interruption) -> None:
    """Show the status until a signal comes, then stop everything."""
    try:
        console.print("everything runs; Ctrl-C stops it")
        with Live(render_status(stack.status()), console=console, auto_refresh=False) as live:
            while stack.running():
                interruption.check()
                live.update(render_status(stack.status()), refresh=console.is_terminal)
                time.sleep(_REFRESH_S)
    except KeyboardInterrupt:
        # A second Ctrl-C must not leave half of it running.
        interruption.ignore_signals()
        console.print("stopping …")
        stack.down()
        console.print(f"stopped; the data stay in {stack.layout.directory}")
        return
    raise click.ClickException("everything ended: `hindcast down` elsewhere, or the supervisor was killed")
