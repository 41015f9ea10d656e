"""`hindcast demo`: a year of real flights, from departure to verdict."""

from __future__ import annotations

import shlex
import time
from datetime import UTC, datetime
from pathlib import Path

import click
from rich.console import Console
from rich.markup import escape

from hindcast.interruption import Interruption
from producers.errors import ConfigError

_DIRECTORY = Path(".hindcast/demo")


def _after_the_beginning(
    context: click.Context, option: click.Parameter, until: datetime | None
) -> datetime | None:
    """The end as a moment in UTC, when there are flights before it."""
    if until is None:
        return None
    from hindcast.demo.story import SERVING_FROM  # loads pandas, which only this option's user waits for

    end = until.replace(tzinfo=UTC)
    if end <= SERVING_FROM:
        raise click.BadParameter(
            f"predictions begin on {SERVING_FROM:%Y-%m-%d}: a later day is wanted, such as 2013-03-01"
        )
    return end


@click.command()
@click.option(
    "--directory",
    type=click.Path(path_type=Path),
    default=_DIRECTORY,
    show_default=True,
    help="Where the demo's stack keeps everything; an earlier demo there is replaced.",
)
@click.option(
    "--report",
    type=click.Path(path_type=Path),
    default=Path("demo-report.html"),
    show_default=True,
    help="The report as one page.",
)
@click.option(
    "--until",
    type=click.DateTime(["%Y-%m-%d"]),
    callback=_after_the_beginning,
    help="Only flights that departed before this day (UTC), for a shorter run.",
)
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=2013,
    show_default=True,
    help="Of delays, corrections and resends.",
)
@click.option(
    "--keep",
    is_flag=True,
    help=f"Leave the stack running, to look around; `hindcast down --directory {_DIRECTORY}` ends it.",
)
def demo(directory: Path, report: Path, until: datetime | None, seed: int, *, keep: bool) -> None:
    """A year of real flights: predicted at departure, labelled hours to weeks later, judged, reported."""
    refuse_unwritable(report)
    # packages of the demo's extra, which take a second to load
    from hindcast.demo import run, story
    from hindcast.demo.report import page, terminal
    from hindcast.local.stack import LocalStack

    began = time.monotonic()
    console = Console()
    interruption = Interruption()
    interruption.raise_on_signals()
    LocalStack(directory).clear()
    end = min(until or story.END, story.END)
    figures = run.run_demo(run.DemoOptions(directory, end, seed, keep), console, interruption.check)
    terminal.show(figures, console)
    write_report(report, page.render(figures))
    console.print(
        f"[bold]{escape(str(report))}[/bold] shows it as a page. The whole took {time.monotonic() - began:.0f} s."
    )
    for line in _afterwards(directory, running=keep):
        console.print(line, soft_wrap=True)


def refuse_unwritable(report: Path) -> None:
    """Return when the report can be written there; what stands there is left as it is.

    Raises:
        ConfigError: it cannot.
    """
    try:
        new = not report.exists()
        with report.open("ab"):
            pass
        if new:
            report.unlink()
    except OSError as problem:
        raise _unwritten(report, problem) from None


def write_report(report: Path, text: str) -> None:
    """Write the page.

    Raises:
        ConfigError: it cannot be written.
    """
    try:
        report.write_text(text, encoding="utf-8")
    except OSError as problem:
        raise _unwritten(report, problem) from None


def _unwritten(report: Path, problem: OSError) -> ConfigError:
    return ConfigError(
        f"the report cannot be written to {report} ({problem.strerror}): --report names another place"
    )


def _afterwards(directory: Path, *, running: bool) -> list[str]:
    """What to type next: the demo's stack is not in the directory where other commands look by themselves."""
    place = f"--directory {shlex.quote(str(directory))}"
    start = [] if running else [f"hindcast up --detach {place}"]
    lines = ["To look around:", *start, f'eval "$(hindcast status --env {place})"', "hindcast query"]
    if running:
        lines += ["It still runs. To end it:", f"hindcast down {place}"]
    return [
        f"  [bold]{escape(line)}[/bold]" if line.startswith(("hindcast", "eval")) else line for line in lines
    ]
