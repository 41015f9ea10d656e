"""`hindcast contract`: the group, and what concerns the published: publish one, see what is in effect and what was."""

from __future__ import annotations

import getpass
import json
import os
from datetime import UTC, datetime
from pathlib import Path

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from hindcast.cli.contract_check import check
from hindcast.cli.contract_diff import diff
from hindcast.cli.contract_files import (
    baseline_of,
    contract_argument,
    json_option,
    published,
    read_contract,
    required_in_effect,
)
from hindcast.cli.contract_infer import baseline, infer
from hindcast.cli.servers import KAFKA, variables
from hindcast.interruption import Interruption
from hindcast.one_line import one_line
from stream_processors.contracts.effect import PublishedContract
from stream_processors.contracts.publish import publish as publish_contract
from stream_processors.profiler.messages import at
from stream_processors.settings import ProcessorSettings


@click.group()
def contract() -> None:
    """What a model promises: features, slices, windows, thresholds."""


contract.add_command(infer)
contract.add_command(baseline)
contract.add_command(check)
contract.add_command(diff)


@contract.command()
@contract_argument
@click.option("--effective-from", type=click.DateTime(), help="UTC; not before the lead has passed.")
@click.option("--reason", help="Why, for the record.")
@click.option("--no-wait", is_flag=True, help="Return before it is in effect.")
def publish(contract_file: Path, effective_from: datetime | None, reason: str | None, no_wait: bool) -> None:
    """Publish a contract, with its baseline where there is one; return when it is in effect."""
    settings = ProcessorSettings.from_environment(variables(os.environ, KAFKA))
    # SIGTERM too aborts what is under way, which would hold up whoever reads contracts
    Interruption().raise_on_signals()
    done = publish_contract(
        settings.kafka,
        read_contract(contract_file),
        baseline=baseline_of(contract_file),
        lead=settings.contract_lead,
        effective_from=None if effective_from is None else effective_from.replace(tzinfo=UTC),
        actor=getpass.getuser(),
        reason=reason,
        wait=not no_wait,
    )
    when = (
        "in effect" if done.in_effect else f"in effect from {at(done.in_effect_from):%Y-%m-%d %H:%M:%S} UTC"
    )
    click.echo(f"{done.contract.model}: published {done.digest[:12]}, {when}")


@contract.command()
@click.argument("model")
@click.option("--environment", default="production", show_default=True, help="Where the model runs.")
@click.option("--json", "as_json", is_flag=True, help="Canonical JSON instead of YAML.")
def show(model: str, environment: str, as_json: bool) -> None:
    """Print the contract that applies to a model now."""
    one = required_in_effect(model, environment)
    click.echo(one.canonical() if as_json else one.to_yaml(), nl=as_json)


@contract.command()
@click.argument("model", required=False)
@json_option
def history(model: str | None, as_json: bool) -> None:
    """List what was published, of one model or all, in the order of taking effect."""
    everything = published()
    names = everything.models() if model is None else [model]
    found = [one for name in names for one in everything.published(name)]
    if as_json:
        click.echo(json.dumps([_row(one) for one in found], indent=1))
        return
    if not found:
        click.echo(
            one_line(
                "no contract is published" if model is None else f"no contract of model {model} is published"
            )
        )
        return
    table = Table()
    for heading in ("model", "environment", "in effect from (UTC)", "digest", "shape", "owner"):
        table.add_column(heading, overflow="fold")
    for one in found:
        row = _row(one) | {
            "environment": one.contract.environment or "(every)",
            "in_effect_from": f"{at(one.in_effect_from):%Y-%m-%d %H:%M:%S}",
            "digest": one.digest[:12],
        }
        table.add_row(*(escape(one_line(value or "")) for value in row.values()))
    Console().print(table)


def _row(one: PublishedContract) -> dict[str, str | None]:
    return {
        "model": one.contract.model,
        "environment": one.contract.environment,
        "in_effect_from": at(one.in_effect_from).isoformat(),
        "digest": one.digest,
        "shape": one.shape,
        "owner": one.contract.owner,
    }
