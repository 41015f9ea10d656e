"""`hindcast demo`: a year of real flights, from departure to verdict."""

from __future__ import annotations

import shlex
import time
from datetime import UTC, datetime
from pathlib import Path

import click
from rich.console import Console

from producers.errors import ConfigError


@click.command()
@click.option(
    "--directory",
    type=click.Path(path_type=Path),
    default=Path(".hindcast/demo"),
    show_default=True,
    help="Where the demo's stack keeps everything; an earlier demo there is replaced.",
)
@click.option(
    "--report",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("demo-report.html"),
    show_default=True,
    help="The report as one page.",
)
@click.option(
    "--until",
    type=click.DateTime(["%Y-%m-%d"]),
    help="Only flights that departed before this day (UTC), for a shorter run.",
)
@click.option("--seed", default=2013, show_default=True, help="Of delays, corrections and resends.")
@click.option(
    "--keep", is_flag=True, help="Leave the stack running, to look around; `hindcast down` ends it."
)
def demo(directory: Path, report: Path, until: datetime | None, seed: int, *, keep: bool) -> None:
    """A year of real flights: predicted at departure, labelled hours to weeks later, judged, reported."""
    # packages of the demo's extra, which take a second to load
    from hindcast.cli.local import end_on_signals
    from hindcast.demo import run, story
    from hindcast.demo.report import page, terminal
    from hindcast.local.stack import LocalStack

    if not report.absolute().parent.is_dir():
        raise ConfigError(f"no directory {report.absolute().parent} for the report")
    began = time.monotonic()
    console = Console()
    end_on_signals()
    LocalStack(directory).clear()
    end = until.replace(tzinfo=UTC) if until else story.END
    figures = run.run_demo(run.DemoOptions(directory, end, seed, keep), console)
    terminal.show(figures, console)
    report.write_text(page.render(figures), encoding="utf-8")
    console.print(
        f"[bold]{report}[/bold] shows it as a page. The whole took {time.monotonic() - began:.0f} s."
    )
    console.print("To look around:")
    for line in _looking_around(directory, running=keep):
        console.print(f"  [bold]{line}[/bold]", soft_wrap=True)


def _looking_around(directory: Path, *, running: bool) -> list[str]:
    """What to type to ask the record: the demo's stack is not in the directory where `hindcast query` looks by itself."""
    place = f"--directory {shlex.quote(str(directory))}"
    start = [] if running else [f"hindcast up --detach {place}"]
    return [*start, f'eval "$(hindcast status --env {place})"', "hindcast query"]
