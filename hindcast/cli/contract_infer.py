"""`hindcast contract infer` and `baseline`: a first contract, and its reference sketches, from data or from what was recorded."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click
import pyarrow as pa
from pydantic import ValidationError
from rich.console import Console

from evaluation.history import History
from evaluation.recorded_events import Asked, RecordedEvents
from hindcast.cli.ask import settings
from hindcast.cli.contract_files import (
    FILE,
    contract_argument,
    data_table,
    in_effect,
    length_of_time,
    read_contract,
    write_text,
)
from hindcast.demo.bars import Bars
from hindcast.one_line import one_line
from producers.errors import ConfigError
from producers.schema_files import newest as newest_schema
from producers.values import INEXACT
from stream_processors.contracts.baseline_file import baseline_path, write_baseline
from stream_processors.contracts.infer import Records, baseline_from, infer_from
from stream_processors.contracts.infer import baseline as make_baseline
from stream_processors.contracts.infer import infer as infer_contract
from stream_processors.contracts.model import Contract
from stream_processors.contracts.problems import lacks_positive_class
from stream_processors.contracts.proposals import precision_proposals, with_precisions
from stream_processors.contracts.recorded_data import RecordedData, newest
from stream_processors.contracts.training_data import is_index
from stream_processors.contracts.values import duration
from stream_processors.sketches import WHOLE
from stream_processors.statistics.dispersion import LEAST_ROWS

# names that training data have only where they are events
_OF_EVENTS = {"prediction_id", "model_version"}
# columns times rows that are gathered at most, whatever --rows says: what bounds memory
_MOST_CELLS = 40_000_000
_DAY_S = 86_400
_LONGER_S = (3_600, _DAY_S)
# the day of rows without a time
_NO_TIME = datetime(1970, 1, 1, tzinfo=UTC)


def _fits(context: click.Context, option: click.Parameter, value: str | None) -> str | None:
    """The value of an option that a contract has under the option's name, when it can be one."""
    if value is None and option.name == "model":
        return None
    part = {"base": value, "rollups": ()} if option.name == "base_window" else value
    place = {"base_window": "windows", "from_recorded": "model"}.get(str(option.name), str(option.name))
    try:
        Contract.model_validate({"model": "m", place: part})
    except ValidationError as error:
        raise click.BadParameter(error.errors()[0]["msg"].removeprefix("Value error, ")) from None
    return value


def _role_options(command: Any) -> Any:
    for option in (
        click.option("--decision-column", help="What the model decided."),
        click.option("--score-column", help="The model's number."),
        click.option("--time-column", help="When each prediction was made; without a zone it is UTC."),
    ):
        command = option(command)
    return command


def _recorded_options(command: Any) -> Any:
    for option in (
        click.option(
            "--rows",
            type=click.IntRange(1, 10_000_000),
            default=1_000_000,
            show_default=True,
            help="With --from-recorded: the newest predictions at most.",
        ),
        click.option(
            "--since",
            metavar="DURATION",
            default="7d",
            show_default=True,
            callback=length_of_time,
            help="With --from-recorded: how far to look back.",
        ),
    ):
        command = option(command)
    return command


@click.command()
@click.argument("data_file", metavar="[DATA.parquet]", type=FILE, required=False)
@click.option("--model", callback=_fits, help="Name of the model; required with a file.")
@click.option(
    "--from-recorded", metavar="MODEL", help="Use what was recorded of this model instead of a file."
)
@_recorded_options
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
    "--output", type=FILE, default="contract.yaml", show_default=True, help="Where the contract goes."
)
@click.option("--force", is_flag=True, help="Replace files that are there.")
def infer(
    data_file: Path | None, from_recorded: str | None, output: Path, force: bool, **options: Any
) -> None:
    """Make a first contract from training data, and its baseline of reference sketches; then edit the contract.

    With --from-recorded, a model that has a contract in effect gets that one with the precisions that fit what was recorded.
    """
    if (data_file is None) == (from_recorded is None):
        raise click.UsageError("either a file or --from-recorded MODEL is wanted")
    if output.exists() and not force:
        raise ConfigError(f"{output} is there already: --output another, or --force")
    options["slice_by"] = [names.split(",") for names in options["slice_by"]]
    if data_file is not None:
        _write(output, *_of_data(data_file, options))
    else:
        assert from_recorded is not None
        _of_record(from_recorded, output, options)


@click.command()
@contract_argument
@click.argument("data_file", metavar="[DATA.parquet]", type=FILE, required=False)
@click.option("--from-recorded", is_flag=True, help="Use what was recorded of the model instead of a file.")
@_recorded_options
@_role_options
def baseline(
    contract_file: Path, data_file: Path | None, from_recorded: bool, since: int, rows: int, **roles: Any
) -> None:
    """Make the baseline of an edited contract again."""
    if (data_file is None) != from_recorded:
        raise click.UsageError("either a file or --from-recorded is wanted")
    contract = read_contract(contract_file)
    if data_file is not None:
        sketches = make_baseline(contract, data_table(data_file), **roles)
    else:
        _refuse(roles, list(roles), "is for a file")
        sketches = baseline_from(contract, _recorded(contract.model, contract.environment, since, rows))
    write_baseline(baseline_path(contract_file), sketches)
    click.echo(f"{baseline_path(contract_file)}: {len(sketches)} reference sketches")


def _of_data(data_file: Path, options: dict[str, Any]) -> tuple[Contract, Records]:
    if options["model"] is None:
        raise click.MissingParameter(
            param_type="option", param_hint="'--model'", ctx=click.get_current_context()
        )
    names = ("model", "environment", "time_column", "score_column", "decision_column", "exclude", "slice_by")
    table = data_table(data_file)
    roles = {options[name] for name in ("time_column", "score_column", "decision_column")}
    named = {*roles, *options["exclude"], *(name for by in options["slice_by"] for name in by)}
    fields = _event_fields(table.column_names, named)
    options = {**options, "exclude": (*options["exclude"], *fields)}
    found, sketches = infer_contract(
        table, base=options["base_window"], **{name: options[name] for name in names}
    )
    if fields:
        told = f"left out, as fields of events and no features: {', '.join(fields)}"
        click.echo(one_line(told), err=True)
    _tell_left_out(
        data_file,
        [one for one in table.schema if one.name not in {*found.features, *roles, *options["exclude"]}],
    )
    return found, sketches


def _event_fields(columns: Sequence[str], named: Collection[str]) -> list[str]:
    """Of a file of events, which `hindcast load` takes too, the columns that are fields of theirs and have no other part here."""
    if not _OF_EVENTS & set(columns):
        return []
    fields = {field["name"] for field in newest_schema("prediction").parsed["fields"]}
    return [name for name in columns if name in fields and name not in named]


def _tell_left_out(data_file: Path, columns: Sequence[pa.Field]) -> None:
    """Say on stderr which columns are no features, and why; text of a CSV that Arrow had to take as bytes is refused."""
    for one in columns:
        if data_file.suffix.lower() == ".csv" and one.type == pa.binary():
            raise ConfigError(
                f"column {one.name} of {data_file} is not UTF-8 text: save it as UTF-8, or --exclude the column"
            )
    indices = [one for one in columns if is_index(one.name)]
    named = [one for one in columns if one not in indices]
    # integers and Decimals are features unless they are too large
    inexact = [one for one in named if pa.types.is_integer(one.type) or pa.types.is_decimal(one.type)]
    others = [one for one in named if one not in inexact]
    for why, found in (
        ("an index without a name is no feature", indices),
        ("no feature is of such a type", others),
        (INEXACT.replace(":", ","), inexact),
    ):
        if found:
            told = ", ".join(f"{one.name or repr(one.name)} ({one.type})" for one in found)
            click.echo(one_line(f"left out, as {why}: {told}"), err=True)


def _of_record(model: str, output: Path, options: dict[str, Any]) -> None:
    """A first contract, or the one in effect with other precisions."""
    _refuse(options, ("model", "time_column", "score_column", "decision_column"), "is for a file")
    environment = options["environment"]
    current = in_effect(model, environment or "production")
    if current is not None:
        _refuse(
            options, ("exclude", "slice_by"), "is for a first contract, and one is in effect: edit it instead"
        )
        environment = environment or current.environment
    data = _recorded(model, environment, options["since"], options["rows"])
    if current is None:
        names = [name for name in data.features if name not in options["exclude"]]
        more = {"slice_by": options["slice_by"], "base": options["base_window"]}
        _write(output, *infer_from(data, names, model=model, environment=environment, **more))
        return
    proposals = precision_proposals(current, data)
    for one in proposals:
        click.echo(f"{one_line(one.column)}: precision {one.now} -> {one.proposed}")
    if not proposals:
        click.echo(f"the precisions of the contract in effect fit the {data.rows:,} predictions looked at")
        return
    write_text(output, with_precisions(current, proposals).to_yaml())
    click.echo(f"{output}: the contract in effect with other precisions, from {data.rows:,} predictions")
    click.echo("its shape is another: hindcast contract baseline (--from-recorded or a file), then publish")


def _refuse(options: dict[str, Any], names: Sequence[str], why: str) -> None:
    """Options that would say nothing."""
    for name in names:
        if options[name]:
            raise click.UsageError(f"--{name.replace('_', '-')} {why}")


def _recorded(model: str, environment: str | None, since: int, rows: int) -> RecordedData:
    """The newest predictions that the limits allow."""
    now = datetime.now(UTC)
    asked = Asked(model, environment, now - timedelta(seconds=since), now + timedelta(hours=1))
    data = RecordedData()
    with History(settings()) as history, Bars(Console(stderr=True)) as bars:
        recorded = RecordedEvents(history, asked)
        with bars.counted("read", min(rows, recorded.events)) as moved:
            for block in recorded.blocks:
                left = min(rows, _MOST_CELLS // max(1, data.width)) - data.rows
                if left <= 0:
                    break
                data.add(newest(recorded.read(block), left))
                moved(min(block.events, left))
    if not data.rows:
        raise ConfigError(
            f"every recorded prediction of model {model} failed: there is nothing to infer from"
        )
    return data


def _tell_positive_class(output: Path, found: Contract) -> None:
    """Say what was chosen, or that it cannot be: quality of the wrong class would be wrong without a sign."""
    prediction = found.prediction
    classes = " and ".join(prediction.classes)
    if lacks_positive_class(prediction):
        told = f"positive_class cannot be told from scores and decisions ({classes}): write it into {output}, which check refuses without"
        click.echo(one_line(told), err=True)
    elif prediction.positive_class is not None:
        told = f"positive_class is {prediction.positive_class}, of {classes} that with the higher mean score: edit it if that is wrong"
        click.echo(one_line(told))
    elif prediction.kind == "binary" and not prediction.classes:
        told = f"no decisions tell the classes: a truth is positive where it is `true`, and any other is negative; write positive_class into {output} where yours has another name"
        click.echo(one_line(told), err=True)


def _tell_near_unique(found: Contract) -> None:
    """Name the features whose values are not to stand in a contract; an inferred list is empty for no other reason."""
    names = [name for name, feature in found.features.items() if feature.values == ()]
    if names:
        told = (
            f"no values are named of {', '.join(names)}: they are identifiers or free text, as most differ or are long; "
            "--exclude them, or say `pii: drop` or `pii: hash`"
        )
        click.echo(one_line(told), err=True)


def _tell_thin_windows(found: Contract, sketches: Records) -> None:
    """Say so where a base window has few of the rows: each is a sketch of every feature, and tells little."""
    base = found.windows.base
    whole = [one for one in sketches if one["slice"] == WHOLE and one["window_start"] != _NO_TIME]
    days = {one["window_start"] for one in whole}
    if not days:
        return
    per_second = sum(one["events"] for one in whole) / len(days) / _DAY_S
    if per_second * base < LEAST_ROWS and base < _DAY_S:
        longer = next((one for one in _LONGER_S if one > base and per_second * one >= LEAST_ROWS), _DAY_S)
        told = (
            f"a window of {duration(base)} has {per_second * base:.2g} of these rows on average: if the stream is as thin, or they are to be loaded "
            f"as history, --base-window {duration(longer)} makes fewer sketches that tell more"
        )
        click.echo(one_line(told), err=True)


def _write(output: Path, found: Contract, sketches: Records) -> None:
    write_text(output, found.to_yaml())
    write_baseline(baseline_path(output), sketches)
    click.echo(f"{output}: {len(found.features)} features, {len(found.slices)} slicings")
    _tell_positive_class(output, found)
    _tell_near_unique(found)
    _tell_thin_windows(found, sketches)
    click.echo(f"{baseline_path(output)}: {len(sketches)} reference sketches")
    click.echo("after editing precisions, lists, slices or the base window: hindcast contract baseline")
