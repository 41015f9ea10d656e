"""`hindcast contract diff`: what differs between two contracts, and what that does."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from hindcast.cli.contract_files import (
    baseline_of,
    json_option,
    published,
    read_contract,
    required_in_effect,
)
from hindcast.one_line import one_line
from producers.errors import ConfigError
from stream_processors.contracts.changes import Change, changes
from stream_processors.contracts.effect import PublishedContract
from stream_processors.contracts.model import Contract
from stream_processors.contracts.publish import with_reference

_YAML = {".yaml", ".yml"}
# what a terminal of 80 has room for beside the other columns
_WHOLE_FIELD = 38


@click.command()
@click.argument("first", metavar="A.yaml | MODEL")
@click.argument("second", metavar="[B.yaml]", required=False)
@click.option(
    "--environment", default="production", show_default=True, help="Of what is published, for one argument."
)
@json_option
def diff(first: str, second: str | None, environment: str, as_json: bool) -> None:
    """Tell what differs between two files, a file and what is in effect, or the last two published of a model."""
    before, after = _pair(first, second, environment)
    found = changes(before, after)
    if as_json:
        click.echo(json.dumps(facts(before, after, found), indent=1, ensure_ascii=False))
        return
    if not found:
        click.echo("no difference")
        return
    draw(found)
    if before.shape() != after.shape():
        click.echo(
            "the shape changes: windows that straddle the change are read as two, and the baseline is made again"
        )
    else:
        click.echo("the shape stays: no window is split, and the baseline stays good")


def _pair(first: str, second: str | None, environment: str) -> tuple[Contract, Contract]:
    """Before and after."""
    if second is not None:
        return read_contract(Path(first)), read_contract(Path(second))
    file = Path(first)
    if file.suffix in _YAML:
        mine = read_contract(file)
        return required_in_effect(mine.model, mine.environment or environment), _to_publish(mine, file)
    last = _last_two(published().published(first, environment))
    if last is None:
        raise ConfigError(
            f"model {first} has no two contracts in {environment} to compare: see `hindcast contract history`"
        )
    return last


def _to_publish(mine: Contract, file: Path) -> Contract:
    """The contract as `publish` would send it: naming the baseline beside it, where that still fits."""
    try:
        sketches = baseline_of(file)
        return with_reference(mine, sketches) if sketches else mine
    except ConfigError:
        return mine


def _last_two(found: Sequence[PublishedContract]) -> tuple[Contract, Contract] | None:
    """The last two in the order of taking effect; one published again is the same contract."""
    different = [one for place, one in enumerate(found) if not place or found[place - 1].digest != one.digest]
    return (different[-2].contract, different[-1].contract) if len(different) > 1 else None


def facts(before: Contract, after: Contract, found: Sequence[Change]) -> dict[str, Any]:
    """The answer for programs."""
    return {
        "before": before.digest(),
        "after": after.digest(),
        "shape_changes": before.shape() != after.shape(),
        "changes": [asdict(one) for one in found],
    }


def draw(found: Sequence[Change]) -> None:
    """A table of changes."""
    table = Table(box=SIMPLE_HEAD)
    # a terminal that is too narrow wraps what is told, and cuts none of it off; fields last
    whole = max(len(one_line(one.field)) for one in found) <= _WHOLE_FIELD
    table.add_column("field", overflow="fold", no_wrap=whole)
    for heading in ("from", "to"):
        table.add_column(heading, overflow="fold")
    table.add_column("shape", no_wrap=True)
    table.add_column("rule for\nevents", no_wrap=True)
    for one in found:
        shape = "changes" if one.shape else ""
        table.add_row(
            *map(escape, (one_line(one.field), _told(one.before), _told(one.after), shape, one.rule or ""))
        )
    Console(soft_wrap=False).print(table)


def _told(value: Any) -> str:
    """A value in a cell; long lists and features are cut."""
    if value is None:
        return "-"
    text = one_line(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
    return text if len(text) <= 60 else f"{text[:59]}…"
