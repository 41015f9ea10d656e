"""`hindcast contract`: infer one from data, check it, publish it, see what is published."""

from __future__ import annotations

import getpass
import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import pyarrow as pa
from pydantic import ValidationError
from rich.console import Console
from rich.table import Table

from hindcast.cli.servers import KAFKA, variables
from producers.errors import ConfigError
from producers.settings import KafkaSettings
from stream_processors.contracts.baseline_file import baseline_path, read_baseline, write_baseline
from stream_processors.contracts.effect import PublishedContract
from stream_processors.contracts.follower import ContractFollower
from stream_processors.contracts.infer import baseline as make_baseline
from stream_processors.contracts.infer import infer as infer_contract
from stream_processors.contracts.model import Contract
from stream_processors.contracts.publish import publish as publish_contract
from stream_processors.contracts.publish import with_reference
from stream_processors.contracts.tables import read_table
from stream_processors.profiler.messages import at
from stream_processors.settings import ProcessorSettings

_FILE = click.Path(path_type=Path, dir_okay=False)
_contract_file = click.argument("contract_file", metavar="CONTRACT.yaml", type=_FILE)
_data_file = click.argument("data_file", metavar="DATA.parquet", type=_FILE)


def _fits(context: click.Context, option: click.Parameter, value: str | None) -> str | None:
    """The value of an option that a contract has under the option's name, when it can be one."""
    part = {"base": value, "rollups": ()} if option.name == "base_window" else value
    place = "windows" if option.name == "base_window" else str(option.name)
    try:
        Contract.model_validate({"model": "m", place: part})
    except ValidationError as error:
        raise click.BadParameter(error.errors()[0]["msg"].removeprefix("Value error, ")) from None
    return value


def _table(path: Path) -> pa.Table:
    """Training data; a file that is not there, or may not be read, is named as that."""
    try:
        return read_table(path)
    except ConfigError:
        # Arrow does not say why a file cannot be opened
        try:
            with path.open("rb"):
                raise
        except OSError as error:
            raise ConfigError(f"cannot read {path}: {error.strerror}") from None


def _role_options(command: Any) -> Any:
    for option in (
        click.option("--decision-column", help="What the model decided."),
        click.option("--score-column", help="The model's number."),
        click.option("--time-column", help="When each prediction was made; without a zone it is UTC."),
    ):
        command = option(command)
    return command


@click.group()
def contract() -> None:
    """What a model promises: features, slices, windows, thresholds."""


@contract.command()
@_data_file
@click.option("--model", required=True, callback=_fits, help="Name of the model.")
@click.option(
    "--environment", callback=_fits, help="One environment only; without it the contract is for all."
)
@_role_options
@click.option(
    "--exclude", multiple=True, help="A column that is no feature: a label, an identifier. Repeatable."
)
@click.option("--slice-by", multiple=True, help="A categorical column, or a pair as `a,b`. Repeatable.")
@click.option(
    "--base-window",
    default="1min",
    show_default=True,
    callback=_fits,
    help="From 1s to 1d, a divisor of a day.",
)
@click.option(
    "--output", type=_FILE, default="contract.yaml", show_default=True, help="Where the contract goes."
)
@click.option("--force", is_flag=True, help="Replace files that are there.")
def infer(
    data_file: Path,
    model: str,
    environment: str | None,
    time_column: str | None,
    score_column: str | None,
    decision_column: str | None,
    exclude: tuple[str, ...],
    slice_by: tuple[str, ...],
    base_window: str,
    output: Path,
    force: bool,
) -> None:
    """Make a first contract from training data, and its baseline of reference sketches; then edit the contract."""
    if output.exists() and not force:
        raise ConfigError(f"{output} is there already: --output another, or --force")
    found, sketches = infer_contract(
        _table(data_file),
        model=model,
        environment=environment,
        time_column=time_column,
        score_column=score_column,
        decision_column=decision_column,
        exclude=exclude,
        slice_by=[names.split(",") for names in slice_by],
        base=base_window,
    )
    _write(output, found.to_yaml())
    write_baseline(baseline_path(output), sketches)
    click.echo(f"{output}: {len(found.features)} features, {len(found.slices)} slicings")
    click.echo(f"{baseline_path(output)}: {len(sketches)} reference sketches")
    click.echo("after editing precisions, lists, slices or the base window: hindcast contract baseline")


@contract.command()
@_contract_file
@_data_file
@_role_options
def baseline(
    contract_file: Path,
    data_file: Path,
    time_column: str | None,
    score_column: str | None,
    decision_column: str | None,
) -> None:
    """Make the baseline of an edited contract again."""
    sketches = make_baseline(
        _read(contract_file),
        _table(data_file),
        time_column=time_column,
        score_column=score_column,
        decision_column=decision_column,
    )
    write_baseline(baseline_path(contract_file), sketches)
    click.echo(f"{baseline_path(contract_file)}: {len(sketches)} reference sketches")


@contract.command()
@_contract_file
def validate(contract_file: Path) -> None:
    """Check a contract, and that its baseline (where there is one) is of its shape."""
    found = _read(contract_file)
    sketches = _baseline_of(contract_file)
    if sketches:
        with_reference(found, sketches)
    click.echo(
        f"{contract_file} is good: model {found.model}, {len(found.features)} features, digest {found.digest()[:12]}"
    )


@contract.command()
@_contract_file
@click.option("--effective-from", type=click.DateTime(), help="UTC; not before the lead has passed.")
@click.option("--reason", help="Why, for the record.")
@click.option("--no-wait", is_flag=True, help="Return before it is in effect.")
def publish(contract_file: Path, effective_from: datetime | None, reason: str | None, no_wait: bool) -> None:
    """Publish a contract, with its baseline where there is one; return when it is in effect."""
    settings = ProcessorSettings.from_environment(variables(os.environ, KAFKA))
    done = publish_contract(
        settings.kafka,
        _read(contract_file),
        baseline=_baseline_of(contract_file),
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
@click.option("--environment", default="production", show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Canonical JSON instead of YAML.")
def show(model: str, environment: str, as_json: bool) -> None:
    """Print the contract that applies to a model now."""
    with ContractFollower(_kafka()) as follower:
        follower.catch_up()
        now = int(datetime.now(UTC).timestamp() * 1_000_000)
        one = follower.history.applying(model, environment, now)
    if one is None:
        raise ConfigError(f"model {model} has no contract in effect in {environment}")
    click.echo(one.contract.canonical() if as_json else one.contract.to_yaml(), nl=as_json)


@contract.command()
@click.argument("model", required=False)
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def history(model: str | None, as_json: bool) -> None:
    """List what was published, of one model or all, in the order of taking effect."""
    with ContractFollower(_kafka()) as follower:
        follower.catch_up()
        names = follower.history.models() if model is None else [model]
        found = [one for name in names for one in follower.history.published(name)]
    if as_json:
        click.echo(json.dumps([_row(one) for one in found], indent=1))
        return
    table = Table("model", "environment", "in effect from (UTC)", "digest", "owner")
    for one in found:
        table.add_row(*(str(value or "") for value in _row(one).values()))
    Console().print(table)


def _row(one: PublishedContract) -> dict[str, str | None]:
    return {
        "model": one.contract.model,
        "environment": one.contract.environment or "all",
        "in_effect_from": at(one.in_effect_from).isoformat(),
        "digest": one.digest,
        "owner": one.contract.owner,
    }


def _kafka() -> KafkaSettings:
    return KafkaSettings.from_environment(variables(os.environ, KAFKA))


def _read(path: Path) -> Contract:
    try:
        return Contract.from_yaml(path.read_text(encoding="utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read {path}: {getattr(error, 'strerror', None) or 'not text'}") from None


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error.strerror}") from None


def _baseline_of(contract_file: Path) -> list[dict[str, Any]]:
    path = baseline_path(contract_file)
    return read_baseline(path) if path.exists() else []
